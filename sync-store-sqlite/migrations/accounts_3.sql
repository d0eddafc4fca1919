-- What is known about spaces. Of those that are there already nobody knows when they were created.
CREATE TABLE space_infos (
    space TEXT NOT NULL PRIMARY KEY,
    name TEXT,
    created_at INTEGER,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
