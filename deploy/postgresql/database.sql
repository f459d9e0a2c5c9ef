-- The database of the replicated ledger, once, on the primary, after roles.sql and once a standby follows:
--     psql -X -v ON_ERROR_STOP=1 -f database.sql
-- It belongs to the superuser: its owner could drop it.
CREATE DATABASE sportello;
REVOKE ALL ON DATABASE sportello FROM PUBLIC;
-- CREATE: a schema for each campaign, and one for what belongs to none.
GRANT CONNECT, CREATE ON DATABASE sportello TO sportello;
\connect sportello
REVOKE ALL ON SCHEMA public FROM PUBLIC;
