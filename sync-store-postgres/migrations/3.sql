-- What is known about spaces. Of those that are there already nobody knows when they were created.
CREATE TABLE space_infos (
    space text COLLATE "C" NOT NULL PRIMARY KEY,
    name text COLLATE "C",
    created_at bigint,
    updated_at bigint NOT NULL
);
