-- Mandates that their grantors revoked. It only grows. key: a keyed hash of person and reference. sealed: a header (version,
-- key, time), then the reference, for the person alone.
CREATE TABLE revocations (
    key bytea PRIMARY KEY,
    person bytea NOT NULL,
    sealed bytea NOT NULL
);

-- Mandates that were given by telephone, each for one day. They stay, as evidence of who was let in. day: in days since
-- 1970. pin: the number of the PIN that was redeemed.
CREATE TABLE telephone_mandates (
    reference text COLLATE "C" PRIMARY KEY,
    person bytea NOT NULL,
    office bytea NOT NULL,
    day integer NOT NULL,
    pin bytea NOT NULL,
    sealed bytea NOT NULL
);
CREATE INDEX telephone_mandates_person ON telephone_mandates (person, reference);
CREATE INDEX telephone_mandates_office ON telephone_mandates (office, reference);

-- The PIN that each person made last. Expired ones are removed when somebody makes a new one.
CREATE TABLE pins (
    person bytea PRIMARY KEY,
    expires_at bigint NOT NULL,
    sealed bytea NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX pins_expires_at ON pins (expires_at);

-- How many PINs each clerk has tried in vain on a day. Those of earlier days are removed at the next such try.
CREATE TABLE misses (
    clerk bytea PRIMARY KEY,
    day integer NOT NULL,
    count integer NOT NULL
) WITH (fillfactor = 70);
