-- The messages of identity providers: a chain of signed rows for each node and month, as in the audit trail.

CREATE TABLE message_nodes (
    node integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    month text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    root bytea NOT NULL,
    writes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);

-- Rows are added and never changed. owner: the keyed hash for whom it is sealed.
CREATE TABLE messages (
    month text COLLATE "C" NOT NULL,
    node integer NOT NULL,
    number bigint NOT NULL,
    written_at bigint NOT NULL,
    handle text NOT NULL,
    owner bytea NOT NULL,
    sealed bytea NOT NULL,
    root bytea NOT NULL,
    signature text NOT NULL,
    PRIMARY KEY (month, node, number)
) PARTITION BY LIST (month);
CREATE INDEX messages_handle ON messages (handle);
CREATE INDEX messages_owner ON messages (owner);
-- What is sealed does not compress.
ALTER TABLE messages ALTER COLUMN sealed SET STORAGE EXTERNAL;
