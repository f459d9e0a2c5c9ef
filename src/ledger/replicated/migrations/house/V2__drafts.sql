-- What people have begun and not submitted: one row a draft. The columns are those of the file of one machine. key: a keyed
-- hash of person, principal, scheme and mandate. person: who writes it. sealed: a header (version, key, principal), then the
-- content for the person alone.
CREATE TABLE drafts (
    key bytea PRIMARY KEY,
    person bytea NOT NULL,
    sealed bytea NOT NULL
) WITH (fillfactor = 70);
-- What is sealed does not compress.
ALTER TABLE drafts ALTER COLUMN sealed SET STORAGE EXTERNAL;
-- Each save counts the drafts of a person.
CREATE INDEX drafts_person ON drafts (person);
