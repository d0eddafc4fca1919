PRAGMA journal_mode = wal;
BEGIN TRANSACTION;
CREATE TABLE members (
    space TEXT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (space, actor)
) STRICT, WITHOUT ROWID;
INSERT INTO "members" VALUES('family','ada','owner');
INSERT INTO "members" VALUES('family','bob','editor');
INSERT INTO "members" VALUES('family','~','viewer');
CREATE TABLE space_files (
    space TEXT NOT NULL PRIMARY KEY,
    -- 1 from the moment a space is deleted until its file is gone.
    deleting INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "space_files" VALUES('family',0);
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "users" VALUES('ada','Ada Łovelace','ada łovelace','$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$ada',1790000000000000);
INSERT INTO "users" VALUES('bob','Bob','bob','$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$bob',1790000000000001);
CREATE INDEX members_by_actor ON members (actor, space);
PRAGMA application_id = 1400466946;
PRAGMA user_version = 1;
COMMIT;
