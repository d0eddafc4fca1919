-- Names and passwords may be missing now. Who had an account has the first space they own as their home.
ALTER TABLE users
    ALTER COLUMN name_key DROP NOT NULL,
    ALTER COLUMN password_hash DROP NOT NULL,
    ADD COLUMN address text COLLATE "C" UNIQUE,
    ADD COLUMN home text COLLATE "C";

UPDATE users SET home = (SELECT min(space) FROM members WHERE actor = users.id AND role = 'owner');

CREATE TABLE credentials (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    holder text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    expires_at bigint,
    -- all of it, as JSON; the columns are what it is looked for by
    body text COLLATE "C" NOT NULL
);

CREATE INDEX credentials_by_holder ON credentials (holder, id);
CREATE INDEX credentials_by_end ON credentials (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE synced (
    credential text COLLATE "C" NOT NULL REFERENCES credentials ON DELETE CASCADE,
    space text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (credential, space)
)
-- Written again and again while its devices are at work.
WITH (fillfactor = 50);

CREATE INDEX synced_by_space ON synced (space);

CREATE TABLE notices (
    position bigint NOT NULL PRIMARY KEY,
    body text COLLATE "C" NOT NULL
);

-- One row: the position of the newest notice. Whoever changes accounts holds it to the end.
CREATE TABLE noticed (
    position bigint NOT NULL
)
WITH (fillfactor = 50);

INSERT INTO noticed VALUES (0);
