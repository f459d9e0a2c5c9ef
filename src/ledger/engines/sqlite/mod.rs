//! One machine's ledger: `SQLite` used as an append-only log, one file set per campaign.
//!
//! Three tables, all written in the order of their row ids and none with a secondary index: `records` (the sealed
//! applications), `decisions` (sealed; a later turn stands behind the first), and the narrow `batches`, one row a commit,
//! from which the index is rebuilt at start. Write-ahead log with `synchronous=FULL`: a commit returns after the log is
//! synced. A checkpoint takes as long as there is to move, so a thread of its own does that from a second connection, beside
//! the writer; past [`Bounds::wal_bytes_max`] the writer moves the little that is left, and the log begins again over itself.

mod copy;
mod reader;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use rusqlite::{Connection, DEFAULT_NAME, ErrorCode, Row, hooks::Wal, wal::CheckpointMode};

pub(in crate::ledger) use self::copy::copy;
pub use self::{reader::SqliteReader, writer::SqliteEngine};
use super::{
    super::{
        Position,
        engine::{Change, Entry, OpenFault, StoredBatch},
        index::Index,
        keys::HouseKeys,
        proof::Digest,
    },
    files::Form,
};
use crate::schemes::Campaign;

/// The tables of a ledger. A later form brings its upgrade.
pub(in crate::ledger) const FORM: Form = Form {
    application_id: 0x5370_746c,
    version: 2,
    schema: "
    CREATE TABLE IF NOT EXISTS records   (position INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS decisions (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS batches   (number INTEGER PRIMARY KEY, first INTEGER NOT NULL, written_at INTEGER NOT NULL,
                                          entries BLOB NOT NULL, changes BLOB NOT NULL,
                                          root BLOB NOT NULL, signature TEXT NOT NULL) STRICT;
",
};
/// The columns that [`batch_from`] reads.
const BATCH_COLUMNS: &str = "number, first, written_at, entries, changes, root, signature";
/// Turns that a position may have among the ids of decisions.
const TURNS: i64 = 256;

/// The bounds of one campaign's files.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Past this size the write-ahead log begins again once it was moved into place, bytes. It grows to four times that
    /// where the disk does not keep up.
    pub wal_bytes_max: u64,
    /// Connections kept for reading.
    pub readers_max: usize,
}

/// How far the write-ahead log has come, in frames: told by the writer to whoever checkpoints, and back. Only a hint: a frame
/// more or less makes a checkpoint longer, not wrong.
#[derive(Default)]
struct Log {
    written: AtomicU32,
    moved: AtomicU32,
    /// Whether a checkpoint was asked for and is not over.
    asked: AtomicBool,
}

/// A campaign's ledger, opened: the writing side, the reading side, and what it knows by heart.
pub struct Opened {
    /// For the committer.
    pub engine: SqliteEngine,
    /// For everybody else.
    pub reader: SqliteReader,
    /// Shared by both.
    pub(in crate::ledger) index: Arc<Mutex<Index>>,
}

/// The file of a campaign below the ledger's directory.
#[must_use]
pub fn file_of(directory: &Path, campaign: Campaign) -> PathBuf {
    directory.join(format!("{campaign}.sqlite"))
}

/// Opens or makes the files of `campaign` in `directory` and rebuilds its index.
///
/// # Errors
/// [`OpenFault`]; nothing was changed that was there.
pub fn open(
    directory: &Path,
    campaign: Campaign,
    keys: Arc<HouseKeys>,
    bounds: Bounds,
) -> Result<Opened, OpenFault> {
    let path = file_of(directory, campaign);
    let mut connection = FORM.open(directory, &path)?;
    let limit = i64::try_from(bounds.wal_bytes_max).unwrap_or(i64::MAX);
    // Checkpoints have a thread of their own, and past a named size the writer's own time.
    connection
        .pragma_update(None, "wal_autocheckpoint", 0)
        .and_then(|()| connection.pragma_update(None, "journal_size_limit", limit))
        .map_err(|source| OpenFault::Store { path: path.clone(), source })?;
    let log = Arc::new(Log::default());
    connection
        .wal_hook({
            let log = Arc::clone(&log);
            Some(move |_: &mut Wal, frames| {
                log.written.store(u32::try_from(frames).unwrap_or_default(), Ordering::Release);
                Ok(())
            })
        })
        .map_err(|source| OpenFault::Store { path: path.clone(), source })?;
    let Rebuilt { index, batches, root } = rebuild(&connection, &path, &keys)?;
    let index = Arc::new(Mutex::new(index));
    let reader = SqliteReader::beside(path, bounds, Arc::clone(&log));
    let engine = SqliteEngine {
        connection,
        campaign,
        keys,
        index: Arc::clone(&index),
        batches,
        previous_root: root,
        log,
        bounds,
    };
    Ok(Opened { engine, reader, index })
}

/// Looks at the ledger of `campaign` beside whoever writes it; nothing if there is none.
///
/// # Errors
/// [`OpenFault`].
pub(in crate::ledger) fn look(
    directory: &Path,
    campaign: Campaign,
    keys: &HouseKeys,
) -> Result<Option<(SqliteReader, Index)>, OpenFault> {
    let path = file_of(directory, campaign);
    let Some(connection) = FORM.look(&path)? else { return Ok(None) };
    // One read sees one moment, also while somebody writes.
    let transaction = connection
        .unchecked_transaction()
        .map_err(|source| OpenFault::Store { path: path.clone(), source })?;
    let Rebuilt { index, .. } = rebuild(&transaction, &path, keys)?;
    let bounds = Bounds { wal_bytes_max: u64::MAX, readers_max: 1 };
    Ok(Some((SqliteReader::new(path, bounds), index)))
}

struct Rebuilt {
    index: Index,
    batches: u32,
    root: Digest,
}

/// Reads the narrow table: milliseconds per hundred thousand records.
fn rebuild(connection: &Connection, path: &Path, keys: &HouseKeys) -> Result<Rebuilt, OpenFault> {
    let store = |source| OpenFault::Store { path: path.to_owned(), source };
    let damaged = |what: String| OpenFault::Damaged { path: path.to_owned(), what };
    let mut index = Index::default();
    let mut batches = 0;
    let mut last = None;
    let sql = format!("SELECT {BATCH_COLUMNS} FROM batches ORDER BY number");
    let mut select = connection.prepare(&sql).map_err(store)?;
    let mut rows = select.query([]).map_err(store)?;
    while let Some(row) = rows.next().map_err(store)? {
        let (number, batch) = batch_from(row).map_err(store)?;
        batches += 1;
        let batch = batch.ok_or_else(|| damaged(format!("batch {number} cannot be read")))?;
        if number != batches || batch.first.0 as usize != index.len() {
            return Err(damaged(format!("batch {batches} is missing or in the wrong place")));
        }
        restore(&mut index, &batch)
            .ok_or_else(|| damaged(format!("batch {number} contradicts what came before it")))?;
        last = Some((batch.root, batch.signature));
    }
    let root = last.as_ref().map(|(root, _)| *root).unwrap_or_default();
    // With another key no claim would be recognised, and people could apply twice.
    if last.is_some_and(|(root, signature)| !keys.signed_root(&root, &signature)) {
        return Err(OpenFault::OtherKey { path: path.to_owned() });
    }
    let last: Option<u32> = connection
        .query_row("SELECT max(position) FROM records", [], |row| row.get(0))
        .map_err(store)?;
    let records = last.map_or(0, |last| last as usize + 1);
    if records != index.len() {
        return Err(damaged(format!("{records} records, {} were expected", index.len())));
    }
    Ok(Rebuilt { index, batches, root })
}

/// Takes a stored batch into the index, unless it contradicts what is there.
fn restore(index: &mut Index, batch: &StoredBatch) -> Option<()> {
    for entry in &batch.entries {
        index.restore(entry.claim, entry.key, &entry.digest, entry.channel);
    }
    for &(position, change) in &batch.changes {
        index.permits(position, change).filter(|permitted| *permitted == change)?;
        index.apply(position, change);
    }
    Some(())
}

/// A row of [`BATCH_COLUMNS`] with its number; the root before it is not in the row. Nothing if the row is damaged.
fn batch_from(row: &Row<'_>) -> rusqlite::Result<(u32, Option<StoredBatch>)> {
    let number = row.get(0)?;
    let entries = Entry::decode_all(as_blob(row, 3)?);
    let changes = Change::decode_all(as_blob(row, 4)?);
    let (first, written_at, root, signature) =
        (Position(row.get(1)?), row.get(2)?, row.get(5)?, row.get(6)?);
    let batch = entries.zip(changes).map(|(entries, changes)| StoredBatch {
        first,
        written_at,
        entries,
        changes,
        previous_root: Digest::default(),
        root,
        signature,
    });
    Ok((number, batch))
}

fn as_blob<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r [u8]> {
    let value = row.get_ref(column)?;
    value.as_blob().map_err(|fault| {
        rusqlite::Error::FromSqlConversionFailure(column, value.data_type(), Box::new(fault))
    })
}

/// The id of a decision: those of one position stand together, the latest turn last.
fn decision_id(position: Position, turn: u8) -> i64 {
    i64::from(position.0) * TURNS + i64::from(turn)
}

/// Moves the log into place and tells how many of its frames are there now; nothing if another connection is about it. A busy
/// reader makes a checkpoint stop early, which is no fault: the next one goes on from there.
fn checkpoint(connection: &Connection, mode: CheckpointMode) -> rusqlite::Result<Option<u32>> {
    match connection.wal_checkpoint_v2(DEFAULT_NAME, mode) {
        Ok((_, moved)) => Ok(u32::try_from(moved).ok()),
        Err(fault) if fault.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
        Err(fault) => Err(fault),
    }
}
