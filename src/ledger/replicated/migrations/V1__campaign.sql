-- One campaign, in a schema of its own, so that indexes stay small and a campaign is dropped as a whole. All rows are added
-- and never changed, except in nodes, positions, undecided and pending.

-- The nodes that have written here, one row for each start of a process. A transaction that writes a batch holds the row of
-- its node from its beginning to its end. batches and root: its last batch. The counts are those of its own batches.
CREATE TABLE nodes (
    node integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batches integer NOT NULL DEFAULT 0,
    root bytea NOT NULL,
    accepted bigint[] NOT NULL DEFAULT '{}',
    decided bigint[] NOT NULL DEFAULT '{}',
    revised bigint[] NOT NULL DEFAULT '{}',
    pending bigint NOT NULL DEFAULT 0,
    withdrawn_undecided bigint NOT NULL DEFAULT 0,
    withdrawn_decided bigint NOT NULL DEFAULT 0,
    confirmed bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);

-- The signed batches, a chain for each node. first: the position of the first entry, if there is one.
CREATE TABLE batches (
    node integer NOT NULL,
    number integer NOT NULL,
    first bigint,
    written_at bigint NOT NULL,
    entries bytea NOT NULL,
    changes bytea NOT NULL,
    root bytea NOT NULL,
    signature text NOT NULL,
    PRIMARY KEY (node, number)
);
CREATE UNIQUE INDEX batches_first ON batches (first);

-- The applications, sealed. nth: how many of the same person were withdrawn before. channel: 0 citizen, 1 intermediary,
-- 2 contact centre, 3 the canary, which is in no count.
CREATE TABLE records (
    position bigint PRIMARY KEY,
    claim bytea NOT NULL,
    nth smallint NOT NULL CHECK (nth BETWEEN 0 AND 4),
    key bytea NOT NULL,
    digest bytea NOT NULL,
    channel smallint NOT NULL,
    sealed bytea NOT NULL
);
CREATE UNIQUE INDEX records_claim ON records (claim, nth);
-- A person's keys are found by their claim; an office may use one key for several people.
CREATE UNIQUE INDEX records_office_key ON records (key) WHERE channel <> 0;
-- What is sealed does not compress.
ALTER TABLE records ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- What happened to applications, each in its order. sealed: the decision, if the change is one.
CREATE TABLE changes (
    position bigint NOT NULL,
    step smallint NOT NULL,
    change smallint NOT NULL,
    sealed bytea,
    PRIMARY KEY (position, step)
);
ALTER TABLE changes ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Work lists, which follow from records and changes. lot: a keyed hash, so that its order is none of arrival.
CREATE TABLE undecided (
    lot bigint NOT NULL,
    position bigint NOT NULL,
    leased_until timestamptz NOT NULL,
    PRIMARY KEY (lot, position)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE TABLE pending (position bigint PRIMARY KEY);

-- What offices handed in.
CREATE TABLE filings (
    office bytea NOT NULL,
    receipt bytea NOT NULL,
    position bigint NOT NULL,
    person bytea NOT NULL,
    day integer NOT NULL,
    PRIMARY KEY (office, receipt)
);

-- The first position that no node has reserved.
CREATE TABLE positions (next bigint NOT NULL);
INSERT INTO positions VALUES (0);
