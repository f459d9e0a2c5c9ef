-- Who was let in from the waiting room, by round: whatever node they ask, a seat lets its person in once. Rows are removed
-- after two days, as those of the journal.
CREATE TABLE entries (
    round bigint NOT NULL,
    person bytea NOT NULL,
    for_office boolean NOT NULL,
    entered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (round, person, for_office)
);
