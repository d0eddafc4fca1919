CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    space TEXT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (space, actor)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_by_actor ON members (actor, space);
