PRAGMA journal_mode = wal;
BEGIN TRANSACTION;
CREATE TABLE clients (
    space TEXT NOT NULL,
    client TEXT NOT NULL,
    actor TEXT NOT NULL,
    last INTEGER NOT NULL,
    batch_hash TEXT NOT NULL,
    acked INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (space, client)
) STRICT;
INSERT INTO "clients" VALUES('family','ada-phone','ada',6,'e1b611f904447debb9487bff3868d0d4',0,1790000300000000,'[{"outcome":"conflict","id":"A_r3yiiGplgVAIMQDvLI7g","version":1790000180000000,"theirs":{"n":1,"text":"zwei"},"paths":[""]},{"outcome":"unchanged","version":1790000000000002}]');
INSERT INTO "clients" VALUES('family','bob-laptop','bob',7,'3eaaf58d5898ae2dd7bea05e3af66e69',0,1790000360000000,'[{"outcome":"applied","version":1790000360000000,"revision":2},{"outcome":"merged","version":1790000360000001,"revision":3,"data":{"n":2,"text":"zwei"}}]');
INSERT INTO "clients" VALUES('family','carol-tablet','anna',5,'07070707070707070707070707070707',5,0,'{"to":5}');
CREATE TABLE commits (
    space TEXT NOT NULL,
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (space, last)
) STRICT, WITHOUT ROWID;
INSERT INTO "commits" VALUES('family',1790000120000000,1790000120000000,'9454f79c7ca20e8d045366026d0084bc');
INSERT INTO "commits" VALUES('family',1790000180000001,1790000180000000,'7d4522e53183561d69e1498c311342a6');
INSERT INTO "commits" VALUES('family',1790000240000000,1790000240000000,'2a3d79616fdd770050a6faff54d035e0');
INSERT INTO "commits" VALUES('family',1790000300000000,1790000300000000,'2fca897c9439b59542df8b83820505d6');
INSERT INTO "commits" VALUES('family',1790000360000001,1790000360000000,'b20b5f69dcbd0499b4c990537e3a249b');
INSERT INTO "commits" VALUES('family',1790000360000002,1790000360000002,'ab93bc85a87672b84bc1ef5bbbf30f95');
CREATE TABLE log (
    space TEXT NOT NULL,
    entry INTEGER NOT NULL,
    head INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (space, entry)
) STRICT;
INSERT INTO "log" VALUES('family',4,1790000180000001,'{"entry":4,"at":1790000180000000,"actor":"bob","client":"bob-laptop","action":"push","head":1790000180000001,"outcomes":[{"collection":"notes","id":"1","op":"put","outcome":"applied","version":1790000180000000},{"collection":"tasks","id":"t/1","op":"delete","outcome":"applied","version":1790000180000001},{"collection":"notes","id":"never was","op":"delete","outcome":"unchanged","version":0}],"n_mutations":3}');
INSERT INTO "log" VALUES('family',5,1790000240000000,'{"entry":5,"at":1790000240000000,"actor":"~","action":"push","head":1790000240000000,"outcomes":[{"collection":"tasks","id":"t2","op":"put","outcome":"applied","version":1790000240000000}],"n_mutations":1}');
INSERT INTO "log" VALUES('family',6,1790000300000000,'{"entry":6,"at":1790000300000000,"actor":"ada","client":"ada-phone","action":"push","head":1790000300000000,"outcomes":[{"collection":"notes","id":"1","op":"put","outcome":"conflict","version":1790000180000000},{"collection":"notes","id":"null","op":"put","outcome":"unchanged","version":1790000000000002}],"n_mutations":2}');
INSERT INTO "log" VALUES('family',7,1790000360000001,'{"entry":7,"at":1790000360000000,"actor":"bob","client":"bob-laptop","action":"push","head":1790000360000001,"outcomes":[{"collection":"notes","id":"grüße 🌲","op":"put","outcome":"applied","version":1790000360000000},{"collection":"notes","id":"1","op":"patch","outcome":"merged","version":1790000360000001}],"n_mutations":2}');
CREATE TABLE records (
    space TEXT NOT NULL,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- revision, edited_at, upstream, checksum, author and client: never searched for, and read as one
    meta TEXT NOT NULL,
    data TEXT,
    PRIMARY KEY (space, collection, id)
) STRICT;
INSERT INTO "records" VALUES('family','notes','1',1790000360000001,'3 1790000360000000 0 2765261106949500494 bob bob-laptop','{"n":2,"text":"zwei"}');
INSERT INTO "records" VALUES('family','notes','null',1790000000000002,'1 1790000000000000 0 18048764681143830952 ada ada-phone','null');
INSERT INTO "records" VALUES('family','notes','grüße 🌲',1790000360000000,'2 1790000360000000 0 13980646650075271883 bob bob-laptop','{"":[1.5,0,1e+300,true],"ключ":"\u001f   \" \\ 日本"}');
INSERT INTO "records" VALUES('family','tasks','t/1',1790000180000001,'2 1790000180000000 0 16517158219137120983 bob bob-laptop',NULL);
INSERT INTO "records" VALUES('family','tasks','t2',1790000240000000,'1 1790000240000000 0 1374784940432786616 ~ ','"by hand"');
INSERT INTO "records" VALUES('family','$conflicts','A_r3yiiGplgVAIMQDvLI7g',1790000300000000,'1 1790000300000000 0 2099124650233191403 ada ada-phone','{"at":1790000300000000,"base_version":1790000000000001,"by":"ada","client":"ada-phone","collection":"notes","id":"1","mine":{"n":1,"text":"deux"},"paths":[""],"state":"open","theirs":{"n":1,"text":"zwei"},"theirs_version":1790000180000000}');
INSERT INTO "records" VALUES('family','notes','mirrored',1790000360000002,'1 0 7 16764883815838006856 anna ','false');
CREATE TABLE spaces (
    space TEXT NOT NULL PRIMARY KEY,
    epoch TEXT NOT NULL,
    head INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    tag TEXT NOT NULL,
    log_head INTEGER NOT NULL,
    largest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "spaces" VALUES('family','1a0d12016999e47689dae5744d2b8c19',1790000360000002,1790000120000000,'ab93bc85a87672b84bc1ef5bbbf30f95',7,239);
CREATE UNIQUE INDEX records_feed ON records (space, version);
CREATE INDEX records_tombstones ON records (space, version) WHERE data IS NULL;
PRAGMA application_id = 1400466947;
PRAGMA user_version = 1;
COMMIT;
