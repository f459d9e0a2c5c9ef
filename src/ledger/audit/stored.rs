//! The files of the trail and of the messages, one a month: what they hold, and how it is read and written.
//!
//! A file of a month has the chain that this machine writes (version 1). A file that was moved here from a database also has
//! the rows of every node in `node_rows`, and the last row of each in `node_ends` (version 2). Those never change again; this
//! machine goes on with a chain of its own.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use super::{
    super::{
        fault::OpenFault,
        local::{
            files::{FileFormat, reading},
            sqlite_fault::store_error,
        },
        proof::Digest,
    },
    chain::{Chained, End},
    found::SearchFault,
    heads::Head,
    month::Month,
};
use crate::vault::HouseKeys;

/// A row of a kind that has a file for each month.
pub(in crate::ledger) trait Stored: Chained + Sized {
    /// What findings call it.
    const CALLED: &'static str;
    /// What rows that name ends of chains call it.
    const KIND: &'static str;
    /// The beginning of the names of its files.
    const PREFIX: &'static str;
    /// A file that was written here, and one that holds chains of nodes, too.
    const FORMATS: &'static [FileFormat; 2];
    /// The table of the chain that this machine writes.
    const TABLE: &'static str;
    /// Rows read or copied in one transaction, so that the writer's checkpoints are not delayed for long.
    const ROWS_AT_A_TIME: i64;

    /// The row with which a month begins: it holds the root that the month continues from.
    fn first_of_month(at: Timestamp, root: Digest, keys: &HouseKeys) -> Self;

    /// Reads all columns of a row.
    ///
    /// # Errors
    /// Those of the store.
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self>;

    /// Adds the row to the chain that this machine writes.
    ///
    /// # Errors
    /// Those of the store.
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()>;

    /// Adds the row to the chain of a node.
    ///
    /// # Errors
    /// Those of the store.
    #[cfg(feature = "postgres")]
    fn insert_of_node(&self, connection: &Connection, node: i32) -> rusqlite::Result<()>;
}

/// The column of `node_rows` that says whose the row is.
const NODE_COLUMN: &str = "node";
/// Number, root and signature of a row.
type Link = (i64, Digest, String);

/// The months that have a file, oldest first; what commands did is one of them.
///
/// # Errors
/// [`OpenFault`].
pub(in crate::ledger) fn months<R: Stored>(directory: &Path) -> Result<Vec<Month>, OpenFault> {
    Month::all_of(directory, R::PREFIX)
}

/// Opens a month for its only writer: the end of the chain of this machine. A chain that has no rows in this month begins with
/// one that holds the root it continues from, `previous_root`.
///
/// # Errors
/// [`OpenFault`].
pub(super) fn open<R: Stored>(
    directory: &Path,
    month: &Month,
    (keys, now): (&HouseKeys, Timestamp),
    previous_root: impl FnOnce() -> Result<Digest, OpenFault>,
) -> Result<(Connection, End), OpenFault> {
    let path = month.file_of(directory, R::PREFIX);
    let connection = FileFormat::open_one_of(R::FORMATS, directory, &path)?;
    let store = |source| store_error(&path, source);
    let is_ours = |(_, root, signature): &Link| keys.has_signed(root, signature);
    if last::<R>(&connection).map_err(store)?.is_none() {
        if last_of_nodes(&connection).map_err(store)?.is_some_and(|link| !is_ours(&link)) {
            return Err(OpenFault::OtherKey { path });
        }
        R::first_of_month(now, previous_root()?, keys).insert(&connection).map_err(store)?;
    }
    let link = last::<R>(&connection).map_err(store)?.unwrap_or_default();
    if !is_ours(&link) {
        return Err(OpenFault::OtherKey { path });
    }
    Ok((connection, End { number: link.0, root: link.1 }))
}

/// The last root of the chain of this machine before `month`.
///
/// # Errors
/// [`OpenFault`].
pub(super) fn last_root<R: Stored>(directory: &Path, month: &Month) -> Result<Digest, OpenFault> {
    for earlier in months::<R>(directory)?.into_iter().rev().filter(|earlier| earlier < month) {
        let path = earlier.file_of(directory, R::PREFIX);
        let last = reading(&path).and_then(|connection| last::<R>(&connection));
        if let Some((_, root, _)) = last.map_err(|source| store_error(&path, source))? {
            return Ok(root);
        }
    }
    Ok(Digest::default())
}

/// Number and root of the last row of the chain of this machine.
pub(super) fn end<R: Stored>(connection: &Connection) -> rusqlite::Result<Option<End>> {
    Ok(last::<R>(connection)?.map(|(number, root, _)| End { number, root }))
}

fn last<R: Stored>(connection: &Connection) -> rusqlite::Result<Option<Link>> {
    let table = R::TABLE;
    let last =
        format!("SELECT number, root, signature FROM main.{table} ORDER BY number DESC LIMIT 1");
    connection.query_row(&last, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
}

/// The last row of the last node, if there are chains of nodes.
fn last_of_nodes(connection: &Connection) -> rusqlite::Result<Option<Link>> {
    if !holds_nodes(connection, "main")? {
        return Ok(None);
    }
    let last =
        "SELECT number, root, signature FROM node_rows ORDER BY node DESC, number DESC LIMIT 1";
    connection.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
}

/// Whether a schema has the tables of chains of nodes.
fn holds_nodes(connection: &Connection, schema: &str) -> rusqlite::Result<bool> {
    let sql = format!("SELECT count(*) > 0 FROM {schema}.sqlite_schema WHERE name = 'node_rows'");
    connection.query_row(&sql, [], |row| row.get(0))
}

/// Opens a month for reading; a server may be writing it.
fn read<R: Stored>(directory: &Path, month: &Month) -> rusqlite::Result<Connection> {
    reading(&month.file_of(directory, R::PREFIX))
}

pub(super) fn fault(month: &Month, source: rusqlite::Error) -> SearchFault {
    SearchFault::Month { month: month.to_string(), source: source.into() }
}

/// Shows every row of a month to `look`, until that fails: the chains of nodes one after the other, then that of this machine,
/// which has no node. Reads in short transactions: a long one would prevent checkpoints.
///
/// # Errors
/// [`SearchFault`].
pub(in crate::ledger) fn each_row<R: Stored>(
    directory: &Path,
    month: &Month,
    mut look: impl FnMut(Option<i32>, R) -> Result<(), SearchFault>,
) -> Result<(), SearchFault> {
    let fault = |source| fault(month, source);
    let connection = read::<R>(directory, month).map_err(fault)?;
    let mut from = (i64::MIN, i64::MIN);
    while holds_nodes(&connection, "main").map_err(fault)? {
        let page = "SELECT * FROM node_rows WHERE (node, number) > (?1, ?2) ORDER BY node, number LIMIT ?3";
        let of_node = |row: &Row<'_>| Ok((row.get::<_, i32>(NODE_COLUMN)?, R::from_row(row)?));
        let rows = select(&connection, page, params![from.0, from.1, R::ROWS_AT_A_TIME], of_node);
        let rows = rows.map_err(fault)?;
        let Some((node, last)) = rows.last() else { break };
        from = (i64::from(*node), last.number());
        rows.into_iter().try_for_each(|(node, row)| look(Some(node), row))?;
    }
    let table = R::TABLE;
    let page = format!("SELECT * FROM {table} WHERE number >= ?1 ORDER BY number LIMIT ?2");
    let mut from = i64::MIN;
    loop {
        let rows = select(&connection, &page, params![from, R::ROWS_AT_A_TIME], R::from_row);
        let rows = rows.map_err(fault)?;
        let Some(last) = rows.last() else { return Ok(()) };
        from = last.number() + 1;
        rows.into_iter().try_for_each(|row| look(None, row))?;
    }
}

/// The rows of a month for which a condition holds, those of the chains of nodes first.
///
/// # Errors
/// [`SearchFault`].
pub(super) fn rows_where<R: Stored>(
    directory: &Path,
    month: &Month,
    condition: &str,
    wanted: impl Params + Copy,
) -> Result<Vec<R>, SearchFault> {
    let read = || {
        let connection = read::<R>(directory, month)?;
        let mut rows = Vec::new();
        if holds_nodes(&connection, "main")? {
            let sql = format!("SELECT * FROM node_rows WHERE {condition} ORDER BY node, number");
            rows = select(&connection, &sql, wanted, R::from_row)?;
        }
        let table = R::TABLE;
        let sql = format!("SELECT * FROM {table} WHERE {condition} ORDER BY number");
        rows.extend(select(&connection, &sql, wanted, R::from_row)?);
        Ok(rows)
    };
    read().map_err(|source| fault(month, source))
}

fn select<T>(
    connection: &Connection,
    sql: &str,
    wanted: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(wanted, read)?.collect()
}

/// The ends of the chains of nodes in a month, as they were when the file was moved here.
///
/// # Errors
/// [`SearchFault`].
pub(in crate::ledger) fn ends_of_nodes<R: Stored>(
    directory: &Path,
    month: &Month,
) -> Result<BTreeMap<i32, End>, SearchFault> {
    let ends = read::<R>(directory, month).and_then(|connection| ends(&connection));
    Ok(ends.map_err(|source| fault(month, source))?.into_iter().collect())
}

fn ends(connection: &Connection) -> rusqlite::Result<Vec<(i32, End)>> {
    if !holds_nodes(connection, "main")? {
        return Ok(Vec::new());
    }
    let sql = "SELECT node, number, root FROM node_ends ORDER BY node";
    select(connection, sql, [], |row| {
        Ok((row.get(0)?, End { number: row.get(1)?, root: row.get(2)? }))
    })
}

/// The end of each chain of a node, in the last month of which there are rows.
///
/// # Errors
/// [`OpenFault`].
pub(super) fn heads<R: Stored>(directory: &Path) -> Result<Vec<Head>, OpenFault> {
    let mut heads = BTreeMap::new();
    for month in months::<R>(directory)? {
        let path = month.file_of(directory, R::PREFIX);
        let read = reading(&path).and_then(|connection| ends(&connection));
        for (node, End { number, root }) in read.map_err(|source| store_error(&path, source))? {
            let of = (R::KIND.to_owned(), month.to_string(), node);
            heads.insert(node, Head { of, number, root });
        }
    }
    Ok(heads.into_values().collect())
}

/// The root of a row of a node, or of this machine's chain.
///
/// # Errors
/// [`SearchFault`].
pub(super) fn root_at<R: Stored>(
    directory: &Path,
    month: &Month,
    (node, number): (Option<i32>, i64),
) -> Result<Option<Digest>, SearchFault> {
    let read = || {
        let connection = read::<R>(directory, month)?;
        let root = |row: &Row<'_>| row.get(0);
        match node {
            None => {
                let sql = format!("SELECT root FROM {} WHERE number = ?1", R::TABLE);
                connection.query_row(&sql, [number], root).optional()
            }
            Some(_) if !holds_nodes(&connection, "main")? => Ok(None),
            Some(node) => {
                let sql = "SELECT root FROM node_rows WHERE node = ?1 AND number = ?2";
                connection.query_row(sql, params![node, number], root).optional()
            }
        }
    };
    read().map_err(|source| fault(month, source))
}

/// Copies the rows that `main` lacks of the attached schema `source`; see [`backup`](crate::ledger::backup).
pub(in crate::ledger) fn copy<R: Stored>(
    connection: &Connection,
    progress: &mut dyn FnMut(u64),
) -> rusqlite::Result<Option<u64>> {
    let Some(of_nodes) = copy_nodes::<R>(connection, progress)? else { return Ok(None) };
    let table = R::TABLE;
    let mut have = match last::<R>(connection)? {
        None => -1,
        Some((number, root, _)) => {
            let same = format!("SELECT root FROM source.{table} WHERE number = ?1");
            let theirs: Option<Digest> =
                connection.query_row(&same, [number], |row| row.get(0)).optional()?;
            if theirs != Some(root) {
                return Ok(None);
            }
            number
        }
    };
    let more = format!(
        "INSERT INTO main.{table} SELECT * FROM source.{table} WHERE number > ?1 ORDER BY number LIMIT ?2"
    );
    let mut rows = of_nodes;
    loop {
        let copied = connection.execute(&more, params![have, R::ROWS_AT_A_TIME])?;
        if copied == 0 {
            return Ok(Some(rows));
        }
        rows += copied as u64;
        progress(rows);
        have = last::<R>(connection)?.map_or(have, |(number, ..)| number);
    }
}

/// The same of the chains of nodes.
fn copy_nodes<R: Stored>(
    connection: &Connection,
    progress: &mut dyn FnMut(u64),
) -> rusqlite::Result<Option<u64>> {
    const LAST: &str =
        "SELECT node, number, root FROM main.node_rows ORDER BY node DESC, number DESC LIMIT 1";
    const SAME: &str = "SELECT root FROM source.node_rows WHERE node = ?1 AND number = ?2";
    const MORE: &str = "INSERT INTO main.node_rows SELECT * FROM source.node_rows \
        WHERE (node, number) > (?1, ?2) ORDER BY node, number LIMIT ?3";
    if !holds_nodes(connection, "source")? {
        return Ok(Some(0));
    }
    let mut rows = 0;
    loop {
        let last: Option<(i64, i64, Digest)> = connection
            .query_row(LAST, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        if let Some((node, number, root)) = last {
            let theirs: Option<Digest> =
                connection.query_row(SAME, [node, number], |row| row.get(0)).optional()?;
            if theirs != Some(root) {
                return Ok(None);
            }
        }
        let (node, number) = last.map_or((i64::MIN, i64::MIN), |(node, number, _)| (node, number));
        let copied = connection.execute(MORE, params![node, number, R::ROWS_AT_A_TIME])?;
        if copied == 0 {
            break;
        }
        rows += copied as u64;
        progress(rows);
    }
    connection
        .execute("INSERT OR IGNORE INTO main.node_ends SELECT * FROM source.node_ends", [])?;
    Ok(Some(rows))
}
