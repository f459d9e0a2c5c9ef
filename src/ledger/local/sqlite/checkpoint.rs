//! Moving the write-ahead log into the file.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use rusqlite::{Connection, DEFAULT_NAME, ErrorCode, OpenFlags, wal::CheckpointMode};

use super::super::{super::fault::StorageFault, files::BUSY_WAIT};

/// Frames of the write-ahead log, shared by the writer and the checkpointer. They are hints: a wrong count makes a
/// checkpoint longer or shorter, never incorrect.
#[derive(Default)]
pub(super) struct WalProgress {
    /// Frames written.
    pub(super) written: AtomicU32,
    /// Frames checkpointed.
    pub(super) checkpointed: AtomicU32,
    /// Whether a checkpoint was requested and has not ended.
    pub(super) requested: AtomicBool,
}

/// Checkpoints through a connection of its own, while the writer commits.
pub struct Checkpointer {
    path: PathBuf,
    connection: Option<Connection>,
    wal: Arc<WalProgress>,
}

impl Checkpointer {
    pub(super) fn new(path: PathBuf, wal: Arc<WalProgress>) -> Self {
        Self { path, connection: None, wal }
    }

    /// Moves the log into the file as far as possible without delaying the writer, and syncs the file.
    ///
    /// # Errors
    /// [`StorageFault`]. If [`StorageFault::is_of_the_disk`], never sync again: what is on disk is known only after a
    /// restart.
    pub fn checkpoint(&mut self) -> Result<(), StorageFault> {
        if self.connection.is_none() {
            self.connection = Some(self.connect()?);
        }
        if let Some(connection) = &self.connection
            && let Some(frames) = checkpoint(connection, CheckpointMode::PASSIVE)?
        {
            self.wal.checkpointed.store(frames, Ordering::Release);
        }
        self.wal.requested.store(false, Ordering::Release);
        Ok(())
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "cache_size", -1024)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        Ok(connection)
    }
}

/// Checkpoints, and returns how many frames of the log are in the file; `None` if another connection is checkpointing.
/// A reader may end a checkpoint early, which is no error: the next one continues.
pub(in super::super) fn checkpoint(
    connection: &Connection,
    mode: CheckpointMode,
) -> rusqlite::Result<Option<u32>> {
    match connection.wal_checkpoint_v2(DEFAULT_NAME, mode) {
        Ok((_, frames)) => Ok(u32::try_from(frames).ok()),
        Err(fault) if fault.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
        Err(fault) => Err(fault),
    }
}
