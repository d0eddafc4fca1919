-- Texts compare by bytes, whatever the locale of the database: ids have the same order here as everywhere else.
CREATE TABLE spaces (
    space text COLLATE "C" NOT NULL PRIMARY KEY,
    epoch text COLLATE "C" NOT NULL,
    head bigint NOT NULL,
    floor bigint NOT NULL,
    tag text COLLATE "C" NOT NULL,
    log_head bigint NOT NULL,
    largest bigint NOT NULL
)
-- Each commit updates its row: with room on the page for the next version, the index need not be touched.
WITH (fillfactor = 50);

CREATE TABLE records (
    space text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    -- revision, edited_at, upstream, checksum, author and client: never searched for, and read as one
    meta text COLLATE "C" NOT NULL,
    data text COLLATE "C",
    PRIMARY KEY (space, collection, id)
);

CREATE UNIQUE INDEX records_feed ON records (space, version);
CREATE INDEX records_tombstones ON records (space, version) WHERE data IS NULL;

CREATE TABLE commits (
    space text COLLATE "C" NOT NULL,
    last bigint NOT NULL,
    first bigint NOT NULL,
    tag text COLLATE "C" NOT NULL,
    PRIMARY KEY (space, last)
);

CREATE TABLE clients (
    space text COLLATE "C" NOT NULL,
    client text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    last bigint NOT NULL,
    batch_hash text COLLATE "C" NOT NULL,
    acked bigint NOT NULL,
    seen_at bigint NOT NULL,
    answer text COLLATE "C" NOT NULL,
    PRIMARY KEY (space, client)
);

CREATE TABLE log (
    space text COLLATE "C" NOT NULL,
    entry bigint NOT NULL,
    head bigint NOT NULL,
    body text COLLATE "C" NOT NULL,
    PRIMARY KEY (space, entry)
);

CREATE TABLE users (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    name_key text COLLATE "C" NOT NULL UNIQUE,
    password_hash text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE members (
    space text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    PRIMARY KEY (space, actor)
);

CREATE INDEX members_by_actor ON members (actor, space);

-- What all servers on this database must share, such as the secret that signs access tokens.
CREATE TABLE secrets (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    value text NOT NULL
);

-- For people and reports: the records that exist, with their content as jsonb.
CREATE VIEW records_json AS
SELECT
    space,
    collection,
    id,
    version,
    split_part(meta, ' ', 1)::bigint AS revision,
    to_timestamp(split_part(meta, ' ', 2)::double precision / 1000000) AS edited_at,
    split_part(meta, ' ', 5) AS author,
    data::jsonb AS data
FROM records
WHERE data IS NOT NULL;
