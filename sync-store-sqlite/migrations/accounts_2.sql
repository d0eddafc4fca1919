-- Anew, because names and passwords may be missing now. Who had an account has the first space they own as their home.
CREATE TABLE users_2 (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT UNIQUE,
    address TEXT UNIQUE,
    password_hash TEXT,
    home TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO users_2 (id, name, name_key, password_hash, home, created_at)
SELECT
    id,
    name,
    name_key,
    password_hash,
    (SELECT min(space) FROM members WHERE actor = users.id AND role = 'owner'),
    created_at
FROM users;

DROP TABLE users;
ALTER TABLE users_2 RENAME TO users;

CREATE TABLE credentials (
    id TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    kind TEXT NOT NULL,
    revision INTEGER NOT NULL,
    expires_at INTEGER,
    -- All of it, as JSON; the columns are what it is looked for by.
    body TEXT NOT NULL
) STRICT;

CREATE INDEX credentials_by_holder ON credentials (holder, id);
CREATE INDEX credentials_by_end ON credentials (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE synced (
    credential TEXT NOT NULL REFERENCES credentials ON DELETE CASCADE,
    space TEXT NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (credential, space)
) STRICT, WITHOUT ROWID;

CREATE INDEX synced_by_space ON synced (space);

CREATE TABLE notices (
    position INTEGER NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

-- One row: the position of the newest notice.
CREATE TABLE noticed (
    position INTEGER NOT NULL
) STRICT;

INSERT INTO noticed VALUES (0);
