-- The roles that use the replicated ledger, once, on the first primary:
--     psql -X -v ON_ERROR_STOP=1 -f roles.sql
-- Then give each a password: `\password sportello` and so on; psql hashes it before it is sent.

-- On a server without standbys yet, nobody confirms: this session alone does not wait for them.
SET synchronous_commit = local;

-- The servers of Sportello: they own the schemas that they make, and nothing else.
CREATE ROLE sportello LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;

-- Reads statistics, and no table.
CREATE ROLE monitoring LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 5;
GRANT pg_monitor TO monitoring;
