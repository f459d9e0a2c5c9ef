//! Writing a file that is copied from elsewhere: all of it, or nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, wal::CheckpointMode};

use super::{
    super::{
        files::{self, FileFormat},
        sqlite_fault::store_error,
    },
    checkpoint::checkpoint,
};
use crate::{ledger::fault::OpenFault, private_files::sync_directory};

/// A file that has another name before it is finished.
pub(in crate::ledger) struct FileCopy {
    connection: Connection,
    directory: PathBuf,
    /// Its name until it is finished.
    path: PathBuf,
    /// What it will be.
    target: PathBuf,
    /// Rows of the transaction.
    rows: u64,
    rows_max: u64,
}

impl FileCopy {
    /// Begins a file next to `target`. What an earlier run left is removed. `rows_max`: rows that are written in one
    /// transaction, which are in memory until it ends.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn begin(
        format: &FileFormat,
        directory: &Path,
        target: PathBuf,
        rows_max: u64,
    ) -> Result<Self, OpenFault> {
        let path = target.with_extension("copying");
        let fault = |source| OpenFault::Directory { path: path.clone(), source };
        files::remove(&path).map_err(fault)?;
        let connection = format.open(directory, &path)?;
        let begun = connection.execute_batch("PRAGMA synchronous = NORMAL; BEGIN");
        begun.map_err(|source| store_error(&path, source))?;
        let directory = directory.to_owned();
        Ok(Self { connection, directory, path, target, rows: 0, rows_max })
    }

    /// Writes a row, and ends the transaction after some of them.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn write(
        &mut self,
        row: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), OpenFault> {
        let written = row(&self.connection).and_then(|()| {
            self.rows += 1;
            if self.rows < self.rows_max {
                return Ok(());
            }
            self.rows = 0;
            self.connection.execute_batch("COMMIT")?;
            checkpoint(&self.connection, CheckpointMode::TRUNCATE)?;
            self.connection.execute_batch("BEGIN")
        });
        written.map_err(|source| store_error(&self.path, source))
    }

    /// Syncs the file, and gives it its name. A file of that name is replaced, which must have no rows.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn finish(self) -> Result<(), OpenFault> {
        let Self { connection, directory, path, target, .. } = self;
        let store = |source| store_error(&path, source);
        connection.execute_batch("COMMIT; PRAGMA synchronous = FULL").map_err(store)?;
        checkpoint(&connection, CheckpointMode::TRUNCATE).map_err(store)?;
        connection.close().map_err(|(_, source)| store(source))?;
        let renamed = || -> io::Result<()> {
            fs::File::open(&path)?.sync_all()?;
            // The log of another file would be taken for its own.
            files::remove(&target)?;
            fs::rename(&path, &target)?;
            // Nothing of the temporary name stays.
            files::remove(&path)?;
            sync_directory(&directory)
        };
        renamed().map_err(|source| OpenFault::Directory { path: target.clone(), source })
    }
}
