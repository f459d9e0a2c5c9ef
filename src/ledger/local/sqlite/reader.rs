//! The reading side: a few connections, each lent to one reader at a time.

use std::{
    ops::RangeInclusive,
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
};

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::super::{
    super::{
        book::{change::Change, entry::Entry, record::Turn, sign::StoredBatch},
        fault::StorageFault,
        position::Position,
        proof::Digest,
    },
    files,
};
use super::links;
#[cfg(feature = "postgres")]
use super::links::End;

/// The columns that [`batch_from`] reads.
pub(super) const BATCH_COLUMNS: &str =
    "number, first, written_at, entries, changes, root, signature";
/// Ids of decisions reserved for each position, one a turn.
const TURNS: i64 = 256;

/// Readers of one campaign's files. They see durable data only. Calls may wait for the disk: keep them off the event
/// loops.
pub struct SqliteReader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    readers_max: usize,
    /// The number of gathered batches, once it is needed.
    linked: OnceLock<u32>,
}

impl SqliteReader {
    /// Reads a campaign's file while its writer may be running. Nothing is opened before the first read.
    pub(in crate::ledger) fn new(path: PathBuf, readers_max: usize) -> Self {
        Self { path, idle: Mutex::default(), readers_max, linked: OnceLock::new() }
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StorageFault> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => files::reading(&self.path)?,
        };
        let answer = work(&connection)?;
        let mut idle = idle();
        if idle.len() < self.readers_max {
            idle.push(connection);
        }
        Ok(answer)
    }

    /// The stored record at a position.
    ///
    /// # Errors
    /// [`StorageFault`] if the disk does not answer.
    pub fn record(&self, position: Position) -> Result<Option<Vec<u8>>, StorageFault> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT sealed FROM records WHERE position = ?1")?
                .query_row([position.0], |row| row.get(0))
                .optional()
        })
    }

    /// The latest sealed decision on a position, and its turn.
    ///
    /// # Errors
    /// As for [`record`](Self::record); [`StorageFault::Damaged`] if the turn is unknown.
    pub fn decision(&self, position: Position) -> Result<Option<(Turn, Vec<u8>)>, StorageFault> {
        let ids = decision_ids(position);
        let found: Option<(u8, Vec<u8>)> = self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT id % ?3, sealed FROM decisions WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1",
                )?
                .query_row([*ids.start(), *ids.end(), TURNS], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })?;
        found
            .map(|(turn, sealed)| Ok((Turn::from_byte(turn).ok_or(StorageFault::Damaged)?, sealed)))
            .transpose()
    }

    /// One sealed decision on a position; `None` if there is none or it was erased.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    #[cfg(feature = "postgres")]
    pub(in crate::ledger) fn decision_of(
        &self,
        position: Position,
        turn: Turn,
    ) -> Result<Option<Vec<u8>>, StorageFault> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT sealed FROM decisions WHERE id = ?1")?
                .query_row([decision_id(position, turn)], |row| row.get(0))
                .optional()
        })
    }

    /// The end of every chain, the one that was written here last and with the number 0.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    #[cfg(feature = "postgres")]
    pub(in crate::ledger) fn ends(&self) -> Result<Vec<End>, StorageFault> {
        let linked = self.linked()?;
        let mut ends = if linked == 0 { Vec::new() } else { self.with(links::ends)? };
        let batches = self.batches()?;
        if batches > linked {
            let last = self.batch(batches)?.ok_or(StorageFault::Damaged)?;
            ends.push(End { chain: 0, batches: batches - linked, root: last.root });
        }
        Ok(ends)
    }

    /// Which batch of which chain a batch is; `None` if it was written here.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    #[cfg(feature = "postgres")]
    pub(in crate::ledger) fn link(&self, number: u32) -> Result<Option<(u32, u32)>, StorageFault> {
        if number > self.linked()? { Ok(None) } else { self.with(|open| links::of(open, number)) }
    }

    /// The number of batches.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    pub fn batches(&self) -> Result<u32, StorageFault> {
        self.with(batches)
    }

    /// The batch with a number from 1 to [`batches`](Self::batches); `None` if it is missing or damaged.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    pub fn batch(&self, number: u32) -> Result<Option<StoredBatch>, StorageFault> {
        let linked = self.linked()?;
        self.with(|connection| batch(connection, number, linked))
    }

    /// How many batches at the beginning were gathered from nodes of a replicated ledger. They are in no chain with their
    /// neighbours, and positions between them may be vacant.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    pub(in crate::ledger) fn linked(&self) -> Result<u32, StorageFault> {
        if let Some(linked) = self.linked.get() {
            return Ok(*linked);
        }
        let linked = self.with(links::count)?;
        Ok(*self.linked.get_or_init(|| linked))
    }

    /// The chains of gathered batches that are not whole.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    pub(in crate::ledger) fn broken_chains(&self) -> Result<Vec<u32>, StorageFault> {
        if self.linked()? == 0 { Ok(Vec::new()) } else { self.with(links::broken) }
    }

    /// The batch that a position was written in. Batches are ordered by their first positions, so a binary search needs
    /// no index.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    pub fn batch_of(&self, position: Position) -> Result<Option<StoredBatch>, StorageFault> {
        let linked = self.linked()?;
        self.with(|connection| {
            let mut first_of =
                connection.prepare_cached("SELECT first FROM batches WHERE number = ?1")?;
            let (mut at_or_before, mut after) = (0, batches(connection)? + 1);
            while after - at_or_before > 1 {
                let middle = u32::midpoint(at_or_before, after);
                let first: Option<u32> =
                    first_of.query_row([middle], |row| row.get(0)).optional()?;
                if first.is_some_and(|first| first <= position.0) {
                    at_or_before = middle;
                } else {
                    after = middle;
                }
            }
            batch(connection, at_or_before, linked)
        })
    }
}

fn batches(connection: &Connection) -> rusqlite::Result<u32> {
    connection
        .prepare_cached("SELECT coalesce(max(number), 0) FROM batches")?
        .query_row([], |row| row.get(0))
}

fn batch(
    connection: &Connection,
    number: u32,
    linked: u32,
) -> rusqlite::Result<Option<StoredBatch>> {
    let sql = format!("SELECT {BATCH_COLUMNS} FROM batches WHERE number = ?1");
    let found = connection.prepare_cached(&sql)?.query_row([number], batch_from).optional()?;
    let Some((_, Some(batch))) = found else { return Ok(None) };
    let previous_root: Option<Digest> = if number <= linked {
        links::previous_root(connection, number)?
    } else if number == linked + 1 {
        None
    } else {
        connection
            .prepare_cached("SELECT root FROM batches WHERE number = ?1")?
            .query_row([number - 1], |row| row.get(0))
            .optional()?
    };
    Ok(Some(StoredBatch { previous_root: previous_root.unwrap_or_default(), ..batch }))
}

/// Decodes a row of [`BATCH_COLUMNS`], except for the previous root; the batch is `None` if the row is damaged.
pub(super) fn batch_from(row: &Row<'_>) -> rusqlite::Result<(u32, Option<StoredBatch>)> {
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

/// The id of a decision. Those of one position are adjacent, the latest turn last.
pub(super) fn decision_id(position: Position, turn: Turn) -> i64 {
    decision_ids(position).start() + i64::from(turn as u8)
}

/// The ids of all decisions of a position.
pub(super) fn decision_ids(position: Position) -> RangeInclusive<i64> {
    let first = i64::from(position.0) * TURNS;
    first..=first + TURNS - 1
}
