CREATE TABLE spaces (
    space TEXT NOT NULL PRIMARY KEY,
    epoch TEXT NOT NULL,
    head INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    tag TEXT NOT NULL,
    log_head INTEGER NOT NULL,
    largest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- With a rowid, so that contents stay out of both indexes.
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

CREATE UNIQUE INDEX records_feed ON records (space, version);
CREATE INDEX records_tombstones ON records (space, version) WHERE data IS NULL;

CREATE TABLE commits (
    space TEXT NOT NULL,
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (space, last)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE log (
    space TEXT NOT NULL,
    entry INTEGER NOT NULL,
    head INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (space, entry)
) STRICT;
