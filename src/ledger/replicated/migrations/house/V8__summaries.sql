-- Summaries of the journal: a node that starts reads the latest one, and the rows after it. A node makes one about every ten
-- minutes. Rows of the journal stay for two days nevertheless, for nodes that run, and for those of another release.

-- The parts of the latest summary, sealed: up to which number of each node it goes, then the events of what lives.
CREATE TABLE journal_summaries (
    number bigint NOT NULL,
    part integer NOT NULL,
    -- Of its contents; a release reads summaries of its own version alone.
    version integer NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sealed bytea NOT NULL,
    PRIMARY KEY (number, part)
);
ALTER TABLE journal_summaries ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Visits whose session was over when the summary of this number was made, sealed. Removed after 25 hours.
CREATE TABLE journal_ended (
    number bigint NOT NULL,
    part integer NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sealed bytea NOT NULL,
    PRIMARY KEY (number, part)
);
ALTER TABLE journal_ended ALTER COLUMN sealed SET STORAGE EXTERNAL;
