-- The audit trail: a chain of signed rows for each node and month. A month is a partition, which is dropped as a whole.

-- The nodes that have written rows, one for each start of a process, with the last row of each; removed when its month is.
-- Node 0 is that of commands, whose chain has no month. writes: counts commits, so that each attempt of a write changes the
-- row and its commit waits for the standbys.
CREATE TABLE trail_nodes (
    node integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    month text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    root bytea NOT NULL,
    writes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO trail_nodes (node, month, number, root)
    OVERRIDING SYSTEM VALUE VALUES (0, 'commands', -1, decode(repeat('00', 32), 'hex'));

-- Rows are added and never changed. people: parts of the keyed hashes of those whose data the events concern, and of those
-- who acted. named: the same of the names that the row holds. Both follow from events and actors, and only find rows.
CREATE TABLE trail (
    month text COLLATE "C" NOT NULL,
    node integer NOT NULL,
    number bigint NOT NULL,
    written_at bigint NOT NULL,
    events bytea NOT NULL,
    actors bytea NOT NULL,
    control text NOT NULL,
    root bytea NOT NULL,
    signature text NOT NULL,
    people bigint[] NOT NULL,
    named bigint[] NOT NULL,
    PRIMARY KEY (month, node, number)
) PARTITION BY LIST (month);
-- What is added waits in a list of a few pages, so that no showing waits long for its entries.
CREATE INDEX trail_people ON trail USING gin (people, named) WITH (gin_pending_list_limit = 256);
CREATE TABLE trail_commands PARTITION OF trail FOR VALUES IN ('commands');
