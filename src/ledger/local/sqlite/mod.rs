//! One campaign's file set: `SQLite` used as an append-only store.
//!
//! Three tables, written in the order of their row ids and without secondary indexes: `records` (the sealed
//! applications), `decisions` (sealed; a later turn follows the first), and the narrow `batches`, one row a commit,
//! from which the index is rebuilt at start. Write-ahead log with `synchronous=FULL`: a commit returns after the log is
//! synced. A long checkpoint would delay the next commit, so a thread of its own does it through a second connection.
//! Past [`Bounds::wal_bytes_max`] the writer checkpoints the rest, and the log starts again from its beginning.

mod checkpoint;
mod copy;
#[cfg(feature = "postgres")]
mod file_copy;
mod format;
#[cfg(feature = "postgres")]
mod gathering;
mod links;
mod reader;
mod writer;

use std::{
    path::Path,
    sync::{Arc, Mutex, atomic::Ordering},
};

use rusqlite::{Connection, hooks::Wal};

pub(super) use self::checkpoint::checkpoint;
pub use self::{checkpoint::Checkpointer, format::file_of, reader::SqliteReader};
use self::{
    checkpoint::WalProgress,
    reader::{BATCH_COLUMNS, batch_from},
    writer::SqliteWriter,
};
pub(in crate::ledger) use self::{copy::copy, format::FORMATS};
#[cfg(feature = "postgres")]
pub(in crate::ledger) use self::{
    file_copy::FileCopy,
    gathering::{BatchRow, Gathering},
    links::End,
};
use super::{
    super::{
        book::{change::Change, history::History, sign::StoredBatch},
        fault::OpenFault,
        position::Position,
        proof::Digest,
    },
    bookkeeper::Bookkeeper,
    files::FileFormat,
    fresh::FreshRecords,
    index::Index,
    sqlite_fault::store_error,
};
use crate::{schemes::Campaign, vault::HouseKeys};

/// The bounds of one campaign's files.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Size of the write-ahead log, bytes, from which it starts again once it is checkpointed. It grows to four times
    /// that if checkpoints do not keep up.
    pub wal_bytes_max: u64,
    /// Connections kept open for reading.
    pub readers_max: usize,
}

/// A campaign's files, opened.
pub struct Opened {
    /// Writes; owned by the committer.
    pub bookkeeper: Bookkeeper,
    /// Reads; shared.
    pub reader: SqliteReader,
    /// Moves the write-ahead log into the file; owned by the checkpoint thread.
    pub checkpointer: Checkpointer,
    /// Shared by the bookkeeper and the readers.
    pub(in crate::ledger) index: Arc<Mutex<Index>>,
    /// The newest records; shared by the bookkeeper and the readers.
    pub(in crate::ledger) fresh: Arc<FreshRecords>,
}

/// Opens or creates the files of `campaign` in `directory`, and rebuilds its index.
///
/// # Errors
/// [`OpenFault`]; existing data are unchanged.
pub fn open(
    directory: &Path,
    campaign: Campaign,
    keys: Arc<HouseKeys>,
    bounds: Bounds,
) -> Result<Opened, OpenFault> {
    let path = file_of(directory, campaign);
    let mut connection = FileFormat::open_one_of(&FORMATS, directory, &path)?;
    let wal = Arc::new(WalProgress::default());
    prepare(&mut connection, &wal, bounds).map_err(|source| store_error(&path, source))?;
    let Rebuilt { index, batches, root } = rebuild(&connection, &path, &keys)?;
    let index = Arc::new(Mutex::new(index));
    let fresh = Arc::new(FreshRecords::default());
    let reader = SqliteReader::new(path.clone(), bounds.readers_max);
    let checkpointer = Checkpointer::new(path, Arc::clone(&wal));
    let store = SqliteWriter { connection, wal, wal_bytes_max: bounds.wal_bytes_max };
    let bookkeeper = Bookkeeper {
        campaign,
        keys,
        index: Arc::clone(&index),
        fresh: Arc::clone(&fresh),
        store: Box::new(store),
        batches,
        previous_root: root,
    };
    Ok(Opened { bookkeeper, reader, checkpointer, index, fresh })
}

/// Leaves checkpoints to the checkpoint thread and the writer, and counts the frames of the log for both.
fn prepare(
    connection: &mut Connection,
    wal: &Arc<WalProgress>,
    bounds: Bounds,
) -> rusqlite::Result<()> {
    let limit = i64::try_from(bounds.wal_bytes_max).unwrap_or(i64::MAX);
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", limit)?;
    let wal = Arc::clone(wal);
    connection.wal_hook(Some(move |_: &mut Wal, frames| {
        wal.written.store(u32::try_from(frames).unwrap_or_default(), Ordering::Release);
        Ok(())
    }))
}

/// Reads the ledger of `campaign` while its writer may be running; `None` if there is none.
///
/// # Errors
/// [`OpenFault`].
pub(in crate::ledger) fn look(
    directory: &Path,
    campaign: Campaign,
    keys: &HouseKeys,
) -> Result<Option<(SqliteReader, Index)>, OpenFault> {
    let path = file_of(directory, campaign);
    let Some(connection) = FileFormat::look_one_of(&FORMATS, &path)? else { return Ok(None) };
    // One transaction sees one state, also while the writer commits.
    let transaction =
        connection.unchecked_transaction().map_err(|source| store_error(&path, source))?;
    let Rebuilt { index, .. } = rebuild(&transaction, &path, keys)?;
    Ok(Some((SqliteReader::new(path, 1), index)))
}

struct Rebuilt {
    index: Index,
    batches: u32,
    root: Digest,
}

/// Reads the narrow table; takes milliseconds per hundred thousand records.
fn rebuild(connection: &Connection, path: &Path, keys: &HouseKeys) -> Result<Rebuilt, OpenFault> {
    let store = |source| store_error(path, source);
    let damaged = |what: String| OpenFault::Damaged { path: path.to_owned(), what };
    let mut index = Index::default();
    let mut batches = 0;
    let mut last = None;
    let linked = links::count(connection).map_err(store)?;
    // Those of several nodes are in no common order before all batches are read.
    let mut gathered = History::default();
    let sql = format!("SELECT {BATCH_COLUMNS} FROM batches ORDER BY number");
    let mut select = connection.prepare(&sql).map_err(store)?;
    let mut rows = select.query([]).map_err(store)?;
    while let Some(row) = rows.next().map_err(store)? {
        let (number, batch) = batch_from(row).map_err(store)?;
        batches += 1;
        let batch = batch.ok_or_else(|| damaged(format!("batch {number} cannot be read")))?;
        let (first, next) = (batch.first.0 as usize, index.len());
        if number != batches || first < next || first > next && number > linked {
            return Err(damaged(format!("batch {batches} is missing or in the wrong place")));
        }
        index.skip_to(batch.first);
        let restored = if number > linked {
            if number == linked + 1 {
                settle(&mut index, &gathered).ok_or_else(|| damaged(CONTRADICTORY.to_owned()))?;
            }
            restore(&mut index, &batch)
        } else {
            restore_entries(&mut index, &batch);
            let mut changes = batch.changes.iter();
            changes.all(|(position, change)| gathered.change(*position, *change)).then_some(())
        };
        restored
            .ok_or_else(|| damaged(format!("batch {number} contradicts what came before it")))?;
        last = Some((batch.root, batch.signature));
    }
    if batches < linked {
        return Err(damaged(format!("batch {} is missing or in the wrong place", batches + 1)));
    }
    if batches == linked {
        settle(&mut index, &gathered).ok_or_else(|| damaged(CONTRADICTORY.to_owned()))?;
    }
    let root = last.as_ref().filter(|_| batches > linked).map(|(root, _)| *root);
    let root = root.unwrap_or_default();
    // With another key no claim would match, and people could apply twice.
    if last.is_some_and(|(root, signature)| !keys.has_signed(&root, &signature)) {
        return Err(OpenFault::OtherKey { path: path.to_owned() });
    }
    let last: Option<u32> = connection
        .query_row("SELECT max(position) FROM records", [], |row| row.get(0))
        .map_err(store)?;
    let records = last.map_or(0, |last| last as usize + 1);
    if records != index.len() {
        return Err(damaged(format!("it holds {records} records instead of {}", index.len())));
    }
    Ok(Rebuilt { index, batches, root })
}

/// What is wrong with changes that no order of the batches explains.
const CONTRADICTORY: &str = "the changes of its batches contradict each other";

/// Restores a stored batch in the index; `None` if it contradicts earlier ones.
fn restore(index: &mut Index, batch: &StoredBatch) -> Option<()> {
    restore_entries(index, batch);
    batch.changes.iter().try_for_each(|&(position, change)| restore_change(index, position, change))
}

fn restore_entries(index: &mut Index, batch: &StoredBatch) {
    for entry in &batch.entries {
        index.restore(entry.claim, entry.key, &entry.digest, entry.channel);
    }
}

fn restore_change(index: &mut Index, position: Position, change: Change) -> Option<()> {
    let state = index.durable_state(position)?;
    state.permits(change).filter(|permitted| *permitted == change)?;
    index.apply(position, change);
    Some(())
}

/// Restores the changes of gathered batches; `None` if they contradict each other.
fn settle(index: &mut Index, gathered: &History) -> Option<()> {
    for position in (0..gathered.end()).map(Position) {
        for change in gathered.changes(position) {
            restore_change(index, position, change)?;
        }
    }
    index.settle_claims();
    Some(())
}
