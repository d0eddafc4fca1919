-- Ops of trees: records above, and here a column for each thing they say. Their content never changes.
-- With a rowid, as records have, so that values stay out of both indexes.
CREATE TABLE tree_ops (
    space_id TEXT NOT NULL,
    tree_id TEXT NOT NULL,
    -- the logical clock of the tree; ops of the same clock are ordered by the bytes of the peer
    clock INTEGER NOT NULL,
    peer_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    -- of a move; NULL is the top
    parent_id TEXT,
    -- of a property; NULL is a move
    key TEXT,
    -- JSON; NULL removes the property, and JSON's null is the text null
    value TEXT,
    -- where the op stands in the feed of its space
    seq INTEGER NOT NULL,
    -- as that of records
    meta TEXT NOT NULL,
    PRIMARY KEY (space_id, tree_id, clock, peer_id)
) STRICT;

CREATE UNIQUE INDEX tree_ops_feed ON tree_ops (space_id, seq);

-- States of trees, so that they need not be made from all their ops after a start. They may be deleted at any time.
CREATE TABLE tree_checkpoints (
    space_id TEXT NOT NULL,
    tree_id TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (space_id, tree_id)
) STRICT;
