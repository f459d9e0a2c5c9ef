//! Writing a ledger that is gathered from the nodes of a replicated one: all of it, or nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, params, wal::CheckpointMode};

use super::{
    super::{
        files::{self, FileFormat},
        sqlite_fault::store_error,
    },
    checkpoint::checkpoint,
    format::{FORMATS, file_of},
    links::End,
    reader::decision_id,
};
use crate::{
    ledger::{book::record::Turn, fault::OpenFault, position::Position},
    private_files::sync_directory,
    schemes::Campaign,
};

/// Rows that are written in one transaction.
const ROWS_AT_A_TIME: u32 = 1 << 14;

/// A file that is not a ledger before it is finished.
pub(in crate::ledger) struct Gathering {
    connection: Connection,
    directory: PathBuf,
    /// Its name until it is finished.
    path: PathBuf,
    /// What it will be.
    target: PathBuf,
    /// The number of the last batch.
    batches: u32,
    /// Rows of the transaction.
    rows: u32,
}

/// The row of a batch, encoded.
pub(in crate::ledger) struct BatchRow<'r> {
    /// Which batch of which chain it is.
    pub(in crate::ledger) link: (u32, u32),
    pub(in crate::ledger) first: Position,
    pub(in crate::ledger) written_at: i64,
    pub(in crate::ledger) entries: &'r [u8],
    pub(in crate::ledger) changes: &'r [u8],
    pub(in crate::ledger) root: &'r [u8],
    pub(in crate::ledger) signature: &'r str,
}

impl Gathering {
    /// Begins a file next to where the ledger of `campaign` will be. What an earlier run left is removed.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn begin(
        directory: &Path,
        campaign: Campaign,
    ) -> Result<Self, OpenFault> {
        let target = file_of(directory, campaign);
        let path = target.with_extension("copying");
        let fault = |source| OpenFault::Directory { path: path.clone(), source };
        files::remove(&path).map_err(fault)?;
        let gathered: &FileFormat = &FORMATS[1];
        let connection = gathered.open(directory, &path)?;
        let begun = connection.execute_batch("PRAGMA synchronous = NORMAL; BEGIN");
        begun.map_err(|source| store_error(&path, source))?;
        let directory = directory.to_owned();
        Ok(Self { connection, directory, path, target, batches: 0, rows: 0 })
    }

    /// Adds the next batch, in the order of first positions.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn batch(&mut self, row: &BatchRow<'_>) -> Result<(), OpenFault> {
        self.batches += 1;
        let BatchRow {
            link: (chain, number),
            first,
            written_at,
            entries,
            changes,
            root,
            signature,
        } = *row;
        let write = || {
            self.connection
                .prepare_cached("INSERT INTO batches VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute(params![
                    self.batches,
                    first.0,
                    written_at,
                    entries,
                    changes,
                    root,
                    signature
                ])?;
            self.connection.prepare_cached("INSERT INTO links VALUES (?1, ?2, ?3)")?.execute([
                self.batches,
                chain,
                number,
            ])
        };
        let written = write();
        self.written(written)
    }

    /// Adds a record, in the order of positions.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn record(
        &mut self,
        position: Position,
        sealed: &[u8],
    ) -> Result<(), OpenFault> {
        let insert = self.connection.prepare_cached("INSERT INTO records VALUES (?1, ?2)");
        let written = insert.and_then(|mut insert| insert.execute(params![position.0, sealed]));
        self.written(written)
    }

    /// Adds a sealed decision.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn decision(
        &mut self,
        position: Position,
        turn: Turn,
        sealed: &[u8],
    ) -> Result<(), OpenFault> {
        let id = decision_id(position, turn);
        let insert = self.connection.prepare_cached("INSERT INTO decisions VALUES (?1, ?2)");
        let written = insert.and_then(|mut insert| insert.execute(params![id, sealed]));
        self.written(written)
    }

    /// Adds the end of a chain.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn end(&mut self, end: &End) -> Result<(), OpenFault> {
        let End { chain, batches, root } = end;
        let insert = self.connection.prepare_cached("INSERT INTO chains VALUES (?1, ?2, ?3)");
        let written = insert.and_then(|mut insert| insert.execute(params![chain, batches, root]));
        self.written(written)
    }

    /// Syncs the file, and makes it the ledger.
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
            fs::rename(&path, &target)?;
            // Nothing of the temporary name stays.
            files::remove(&path)?;
            sync_directory(&directory)
        };
        renamed().map_err(|source| OpenFault::Directory { path: target.clone(), source })
    }

    /// Counts a written row, and ends the transaction after some of them.
    fn written(&mut self, written: rusqlite::Result<usize>) -> Result<(), OpenFault> {
        let counted = written.and_then(|_| {
            self.rows += 1;
            if self.rows < ROWS_AT_A_TIME {
                return Ok(());
            }
            self.rows = 0;
            self.connection.execute_batch("COMMIT")?;
            checkpoint(&self.connection, CheckpointMode::TRUNCATE)?;
            self.connection.execute_batch("BEGIN")
        });
        counted.map_err(|source| store_error(&self.path, source))
    }
}
