-- The rounds of the waiting room, sealed: one row, replaced as a whole at each step. version: counts the steps, so that of two
-- nodes that draw at the same time one finds that it was late. confirmed: counts look-ups that were made durable.
CREATE TABLE rounds (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL,
    confirmed bigint NOT NULL DEFAULT 0,
    sealed bytea NOT NULL
) WITH (fillfactor = 20);
