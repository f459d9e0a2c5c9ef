//! The chains of a ledger that was gathered from several nodes.

use rusqlite::{Connection, OptionalExtension as _};

use crate::ledger::proof::Digest;

/// The end of a chain.
#[cfg(feature = "postgres")]
pub(in crate::ledger) struct End {
    pub(in crate::ledger) chain: u32,
    pub(in crate::ledger) batches: u32,
    pub(in crate::ledger) root: Digest,
}

/// The number of gathered batches, which are the first ones; 0 in a file that was written here.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<u32> {
    count_in(connection, "main")
}

/// The same of an attached schema.
pub(super) fn count_in(connection: &Connection, schema: &str) -> rusqlite::Result<u32> {
    let has_links = format!("SELECT count(*) > 0 FROM {schema}.sqlite_schema WHERE name = 'links'");
    if !connection.query_row(&has_links, [], |row| row.get(0))? {
        return Ok(0);
    }
    let last = format!("SELECT coalesce(max(batch), 0) FROM {schema}.links");
    connection.query_row(&last, [], |row| row.get(0))
}

/// Copies the link of a batch from the attached schema `source`; with the last one, the ends of all chains.
pub(super) fn copy(connection: &Connection, number: u32, is_last: bool) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO main.links SELECT * FROM source.links WHERE batch = ?1")?
        .execute([number])?;
    if is_last {
        connection.execute("INSERT INTO main.chains SELECT * FROM source.chains", [])?;
    }
    Ok(())
}

/// Which batch of which chain a gathered batch is.
#[cfg(feature = "postgres")]
pub(super) fn of(connection: &Connection, number: u32) -> rusqlite::Result<Option<(u32, u32)>> {
    connection
        .prepare_cached("SELECT chain, number FROM links WHERE batch = ?1")?
        .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// The end of each chain.
#[cfg(feature = "postgres")]
pub(super) fn ends(connection: &Connection) -> rusqlite::Result<Vec<End>> {
    let mut select =
        connection.prepare("SELECT chain, batches, root FROM chains ORDER BY chain")?;
    let rows = select.query_map([], |row| {
        Ok(End { chain: row.get(0)?, batches: row.get(1)?, root: row.get(2)? })
    })?;
    rows.collect()
}

/// The root of the batch before a gathered batch in its chain.
pub(super) fn previous_root(
    connection: &Connection,
    number: u32,
) -> rusqlite::Result<Option<Digest>> {
    connection
        .prepare_cached(
            "SELECT b.root FROM links l JOIN links p ON p.chain = l.chain AND p.number = l.number - 1 \
             JOIN batches b ON b.number = p.batch WHERE l.batch = ?1",
        )?
        .query_row([number], |row| row.get(0))
        .optional()
}

/// The chains that have not the batches that they had, up to the root that they had.
pub(super) fn broken(connection: &Connection) -> rusqlite::Result<Vec<u32>> {
    const OF_CHAIN: &str =
        "FROM links l JOIN batches b ON b.number = l.batch WHERE l.chain = k.chain";
    let mut select = connection.prepare(&format!(
        "SELECT chain FROM (SELECT chain FROM chains UNION SELECT chain FROM links) k \
         WHERE (SELECT batches FROM chains c WHERE c.chain = k.chain) IS NOT (SELECT count(*) {OF_CHAIN}) \
            OR (SELECT root FROM chains c WHERE c.chain = k.chain) \
                IS NOT (SELECT b.root {OF_CHAIN} ORDER BY l.number DESC LIMIT 1) ORDER BY chain"
    ))?;
    let rows = select.query_map([], |row| row.get(0))?;
    rows.collect()
}
