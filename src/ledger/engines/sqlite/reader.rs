//! The reading side: a few connections, each lent to one reader at a time.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, wal::CheckpointMode};

use super::{BATCH_COLUMNS, Bounds, Log, TURNS, batch_from, checkpoint, decision_id};
use crate::ledger::{
    Position,
    engine::{Reader, StorageFault, StoredBatch},
    engines::files,
    proof::Digest,
};

/// Readers of one campaign's files.
pub struct SqliteReader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    bounds: Bounds,
    log: Arc<Log>,
}

impl SqliteReader {
    /// Reads a campaign's file, beside whoever writes it; nothing is opened before the first read.
    #[must_use]
    pub fn new(path: PathBuf, bounds: Bounds) -> Self {
        Self::beside(path, bounds, Arc::default())
    }

    /// The same, whose checkpoints the writer hears of.
    pub(super) fn beside(path: PathBuf, bounds: Bounds, log: Arc<Log>) -> Self {
        Self { path, idle: Mutex::default(), bounds, log }
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StorageFault> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let answer = work(&connection)?;
        let mut idle = idle();
        if idle.len() < self.bounds.readers_max {
            idle.push(connection);
        }
        Ok(answer)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        // Read-write, for a checkpoint needs it; nothing else here writes.
        let connection = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(files::BUSY_WAIT)?;
        connection.pragma_update(None, "cache_size", -1024)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(connection)
    }
}

impl Reader for SqliteReader {
    fn record(&self, position: Position) -> Result<Option<Vec<u8>>, StorageFault> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT sealed FROM records WHERE position = ?1")?
                .query_row([position.0], |row| row.get(0))
                .optional()
        })
    }

    fn decision(&self, position: Position) -> Result<Option<(u8, Vec<u8>)>, StorageFault> {
        let ids = [decision_id(position, u8::MIN), decision_id(position, u8::MAX)];
        self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT id % ?3, sealed FROM decisions WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1",
                )?
                .query_row([ids[0], ids[1], TURNS], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
    }

    fn batches(&self) -> Result<u32, StorageFault> {
        self.with(batches)
    }

    fn batch(&self, number: u32) -> Result<Option<StoredBatch>, StorageFault> {
        self.with(|connection| batch(connection, number))
    }

    /// Batches stand in the order of their first positions, so halving finds one without an index on them.
    fn batch_of(&self, position: Position) -> Result<Option<StoredBatch>, StorageFault> {
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
            batch(connection, at_or_before)
        })
    }

    fn checkpoint(&self) -> Result<(), StorageFault> {
        let moved = self.with(|connection| checkpoint(connection, CheckpointMode::PASSIVE))?;
        if let Some(moved) = moved {
            self.log.moved.store(moved, Ordering::Release);
        }
        self.log.asked.store(false, Ordering::Release);
        Ok(())
    }
}

fn batches(connection: &Connection) -> rusqlite::Result<u32> {
    connection
        .prepare_cached("SELECT coalesce(max(number), 0) FROM batches")?
        .query_row([], |row| row.get(0))
}

fn batch(connection: &Connection, number: u32) -> rusqlite::Result<Option<StoredBatch>> {
    let sql = format!("SELECT {BATCH_COLUMNS} FROM batches WHERE number = ?1");
    let found = connection.prepare_cached(&sql)?.query_row([number], batch_from).optional()?;
    let Some((_, Some(batch))) = found else { return Ok(None) };
    let previous_root: Option<Digest> = connection
        .prepare_cached("SELECT root FROM batches WHERE number = ?1")?
        .query_row([number.saturating_sub(1)], |row| row.get(0))
        .optional()?;
    Ok(Some(StoredBatch { previous_root: previous_root.unwrap_or_default(), ..batch }))
}
