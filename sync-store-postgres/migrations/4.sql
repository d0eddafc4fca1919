-- Ops of trees: records above, and here a column for each thing they say. Their content never changes.
CREATE TABLE tree_ops (
    space_id text COLLATE "C" NOT NULL,
    tree_id text COLLATE "C" NOT NULL,
    -- the logical clock of the tree; ops of the same clock are ordered by the bytes of the peer
    clock bigint NOT NULL,
    peer_id text COLLATE "C" NOT NULL,
    target_id text COLLATE "C" NOT NULL,
    -- of a move; NULL is the top
    parent_id text COLLATE "C",
    -- of a property; NULL is a move
    key text COLLATE "C",
    -- JSON; NULL removes the property, and JSON's null is the text null
    value text COLLATE "C",
    -- where the op stands in the feed of its space
    seq bigint NOT NULL,
    -- as that of records
    meta text COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX tree_ops_feed ON tree_ops (space_id, seq);
-- After the other index: of two that look equally good while the table is empty, Postgres takes the newer one, and a plan
-- that is made then is kept. Looking for a key through the feed would read the whole space.
ALTER TABLE tree_ops ADD PRIMARY KEY (space_id, tree_id, clock, peer_id);

-- States of trees, so that they need not be made from all their ops after a start. They may be deleted at any time.
CREATE TABLE tree_checkpoints (
    space_id text COLLATE "C" NOT NULL,
    tree_id text COLLATE "C" NOT NULL,
    body text COLLATE "C" NOT NULL,
    PRIMARY KEY (space_id, tree_id)
);
