


SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;


CREATE SCHEMA version_1;


SET default_tablespace = '';

SET default_table_access_method = heap;


CREATE TABLE version_1.clients (
    space text NOT NULL COLLATE pg_catalog."C",
    client text NOT NULL COLLATE pg_catalog."C",
    actor text NOT NULL COLLATE pg_catalog."C",
    last bigint NOT NULL,
    batch_hash text NOT NULL COLLATE pg_catalog."C",
    acked bigint NOT NULL,
    seen_at bigint NOT NULL,
    answer text NOT NULL COLLATE pg_catalog."C"
);



CREATE TABLE version_1.commits (
    space text NOT NULL COLLATE pg_catalog."C",
    last bigint NOT NULL,
    first bigint NOT NULL,
    tag text NOT NULL COLLATE pg_catalog."C"
);



CREATE TABLE version_1.log (
    space text NOT NULL COLLATE pg_catalog."C",
    entry bigint NOT NULL,
    head bigint NOT NULL,
    body text NOT NULL COLLATE pg_catalog."C"
);



CREATE TABLE version_1.members (
    space text NOT NULL COLLATE pg_catalog."C",
    actor text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C"
);



CREATE TABLE version_1.records (
    space text NOT NULL COLLATE pg_catalog."C",
    collection text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    meta text NOT NULL COLLATE pg_catalog."C",
    data text COLLATE pg_catalog."C"
);



CREATE VIEW version_1.records_json AS
 SELECT records.space,
    records.collection,
    records.id,
    records.version,
    (split_part(records.meta, ' '::text, 1))::bigint AS revision,
    to_timestamp(((split_part(records.meta, ' '::text, 2))::double precision / (1000000)::double precision)) AS edited_at,
    split_part(records.meta, ' '::text, 5) AS author,
    (records.data)::jsonb AS data
   FROM version_1.records
  WHERE (records.data IS NOT NULL);



CREATE TABLE version_1.schema_version (
    version bigint NOT NULL
);



CREATE TABLE version_1.secrets (
    name text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL
);



CREATE TABLE version_1.spaces (
    space text NOT NULL COLLATE pg_catalog."C",
    epoch text NOT NULL COLLATE pg_catalog."C",
    head bigint NOT NULL,
    floor bigint NOT NULL,
    tag text NOT NULL COLLATE pg_catalog."C",
    log_head bigint NOT NULL,
    largest bigint NOT NULL
)
WITH (fillfactor='50');



CREATE TABLE version_1.users (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    name_key text NOT NULL COLLATE pg_catalog."C",
    password_hash text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL
);



INSERT INTO version_1.clients VALUES ('family', 'ada-phone', 'ada', 6, 'e1b611f904447debb9487bff3868d0d4', 0, 1790000300000000, '[{"outcome":"conflict","id":"A_r3yiiGplgVAIMQDvLI7g","version":1790000180000000,"theirs":{"n":1,"text":"zwei"},"paths":[""]},{"outcome":"unchanged","version":1790000000000002}]');
INSERT INTO version_1.clients VALUES ('family', 'bob-laptop', 'bob', 7, '3eaaf58d5898ae2dd7bea05e3af66e69', 0, 1790000360000000, '[{"outcome":"applied","version":1790000360000000,"revision":2},{"outcome":"merged","version":1790000360000001,"revision":3,"data":{"n":2,"text":"zwei"}}]');
INSERT INTO version_1.clients VALUES ('family', 'carol-tablet', 'anna', 5, '07070707070707070707070707070707', 5, 0, '{"to":5}');



INSERT INTO version_1.commits VALUES ('family', 1790000120000000, 1790000120000000, '9454f79c7ca20e8d045366026d0084bc');
INSERT INTO version_1.commits VALUES ('family', 1790000180000001, 1790000180000000, '7d4522e53183561d69e1498c311342a6');
INSERT INTO version_1.commits VALUES ('family', 1790000240000000, 1790000240000000, '2a3d79616fdd770050a6faff54d035e0');
INSERT INTO version_1.commits VALUES ('family', 1790000300000000, 1790000300000000, '2fca897c9439b59542df8b83820505d6');
INSERT INTO version_1.commits VALUES ('family', 1790000360000001, 1790000360000000, 'b20b5f69dcbd0499b4c990537e3a249b');
INSERT INTO version_1.commits VALUES ('family', 1790000360000002, 1790000360000002, 'ab93bc85a87672b84bc1ef5bbbf30f95');



INSERT INTO version_1.log VALUES ('family', 4, 1790000180000001, '{"entry":4,"at":1790000180000000,"actor":"bob","client":"bob-laptop","action":"push","head":1790000180000001,"outcomes":[{"collection":"notes","id":"1","op":"put","outcome":"applied","version":1790000180000000},{"collection":"tasks","id":"t/1","op":"delete","outcome":"applied","version":1790000180000001},{"collection":"notes","id":"never was","op":"delete","outcome":"unchanged","version":0}],"n_mutations":3}');
INSERT INTO version_1.log VALUES ('family', 5, 1790000240000000, '{"entry":5,"at":1790000240000000,"actor":"~","action":"push","head":1790000240000000,"outcomes":[{"collection":"tasks","id":"t2","op":"put","outcome":"applied","version":1790000240000000}],"n_mutations":1}');
INSERT INTO version_1.log VALUES ('family', 6, 1790000300000000, '{"entry":6,"at":1790000300000000,"actor":"ada","client":"ada-phone","action":"push","head":1790000300000000,"outcomes":[{"collection":"notes","id":"1","op":"put","outcome":"conflict","version":1790000180000000},{"collection":"notes","id":"null","op":"put","outcome":"unchanged","version":1790000000000002}],"n_mutations":2}');
INSERT INTO version_1.log VALUES ('family', 7, 1790000360000001, '{"entry":7,"at":1790000360000000,"actor":"bob","client":"bob-laptop","action":"push","head":1790000360000001,"outcomes":[{"collection":"notes","id":"grüße 🌲","op":"put","outcome":"applied","version":1790000360000000},{"collection":"notes","id":"1","op":"patch","outcome":"merged","version":1790000360000001}],"n_mutations":2}');



INSERT INTO version_1.members VALUES ('family', 'ada', 'owner');
INSERT INTO version_1.members VALUES ('family', 'bob', 'editor');
INSERT INTO version_1.members VALUES ('family', '~', 'viewer');



INSERT INTO version_1.records VALUES ('family', 'notes', 'null', 1790000000000002, '1 1790000000000000 0 18048764681143830952 ada ada-phone', 'null');
INSERT INTO version_1.records VALUES ('family', 'tasks', 't/1', 1790000180000001, '2 1790000180000000 0 16517158219137120983 bob bob-laptop', NULL);
INSERT INTO version_1.records VALUES ('family', 'tasks', 't2', 1790000240000000, '1 1790000240000000 0 1374784940432786616 ~ ', '"by hand"');
INSERT INTO version_1.records VALUES ('family', '$conflicts', 'A_r3yiiGplgVAIMQDvLI7g', 1790000300000000, '1 1790000300000000 0 2099124650233191403 ada ada-phone', '{"at":1790000300000000,"base_version":1790000000000001,"by":"ada","client":"ada-phone","collection":"notes","id":"1","mine":{"n":1,"text":"deux"},"paths":[""],"state":"open","theirs":{"n":1,"text":"zwei"},"theirs_version":1790000180000000}');
INSERT INTO version_1.records VALUES ('family', 'notes', 'grüße 🌲', 1790000360000000, '2 1790000360000000 0 13980646650075271883 bob bob-laptop', '{"":[1.5,0,1e+300,true],"ключ":"\u001f   \" \\ 日本"}');
INSERT INTO version_1.records VALUES ('family', 'notes', '1', 1790000360000001, '3 1790000360000000 0 2765261106949500494 bob bob-laptop', '{"n":2,"text":"zwei"}');
INSERT INTO version_1.records VALUES ('family', 'notes', 'mirrored', 1790000360000002, '1 0 7 16764883815838006856 anna ', 'false');



INSERT INTO version_1.schema_version VALUES (1);



INSERT INTO version_1.secrets VALUES ('jwt', 'kept since version 1');



INSERT INTO version_1.spaces VALUES ('family', '1a0d12016999e47689dae5744d2b8c19', 1790000360000002, 1790000120000000, 'ab93bc85a87672b84bc1ef5bbbf30f95', 7, 239);



INSERT INTO version_1.users VALUES ('ada', 'Ada Łovelace', 'ada łovelace', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$ada', 1790000000000000);
INSERT INTO version_1.users VALUES ('bob', 'Bob', 'bob', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$bob', 1790000000000001);



ALTER TABLE ONLY version_1.clients
    ADD CONSTRAINT clients_pkey PRIMARY KEY (space, client);



ALTER TABLE ONLY version_1.commits
    ADD CONSTRAINT commits_pkey PRIMARY KEY (space, last);



ALTER TABLE ONLY version_1.log
    ADD CONSTRAINT log_pkey PRIMARY KEY (space, entry);



ALTER TABLE ONLY version_1.members
    ADD CONSTRAINT members_pkey PRIMARY KEY (space, actor);



ALTER TABLE ONLY version_1.records
    ADD CONSTRAINT records_pkey PRIMARY KEY (space, collection, id);



ALTER TABLE ONLY version_1.secrets
    ADD CONSTRAINT secrets_pkey PRIMARY KEY (name);



ALTER TABLE ONLY version_1.spaces
    ADD CONSTRAINT spaces_pkey PRIMARY KEY (space);



ALTER TABLE ONLY version_1.users
    ADD CONSTRAINT users_name_key_key UNIQUE (name_key);



ALTER TABLE ONLY version_1.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);



CREATE INDEX members_by_actor ON version_1.members USING btree (actor, space);



CREATE UNIQUE INDEX records_feed ON version_1.records USING btree (space, version);



CREATE INDEX records_tombstones ON version_1.records USING btree (space, version) WHERE (data IS NULL);




