-- The role of standbys and pg_rewind, once, on the first primary; Patroni makes its own instead:
--     psql -X -v ON_ERROR_STOP=1 -f replication.sql
-- Then `\password replicator`.

-- Nobody can replicate before this is committed.
SET synchronous_commit = local;
CREATE ROLE replicator LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE;
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean) TO replicator;
GRANT EXECUTE ON FUNCTION pg_stat_file(text, boolean) TO replicator;
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text) TO replicator;
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO replicator;
