CREATE TABLE space_files (
    space TEXT NOT NULL PRIMARY KEY,
    -- 1 from the moment a space is deleted until its file is gone.
    deleting INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
