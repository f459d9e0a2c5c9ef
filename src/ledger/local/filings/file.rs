//! The file of a campaign's index of filings, and how it follows the ledger.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params, wal::CheckpointMode};

use super::super::{
    super::{
        book::{
            record::{Channel, Header, day_number},
            sign::StoredBatch,
        },
        fault::{OpenFault, StorageFault},
        position::Position,
        proof::Digest,
        receipt::ReceiptCode,
    },
    files::{self, FileFormat},
    sqlite::{SqliteReader, checkpoint},
    sqlite_fault::store_error,
};
use crate::{schemes::Campaign, vault::HouseKeys};

/// Rows sorted by office and receipt: a page of an office's list is one range.
const FORMAT: FileFormat = FileFormat {
    application_id: 0x5370_666c,
    version: 1,
    schema: "
    CREATE TABLE filings  (office BLOB NOT NULL, receipt BLOB NOT NULL, person BLOB NOT NULL, day INTEGER NOT NULL,
                           PRIMARY KEY (office, receipt)) STRICT, WITHOUT ROWID;
    CREATE TABLE followed (id INTEGER PRIMARY KEY CHECK (id = 0), batches INTEGER NOT NULL, root BLOB NOT NULL) STRICT;
",
};
/// What one run does at most.
#[derive(Clone, Copy)]
pub(in super::super) struct RunBounds {
    /// Rows that it adds: each costs a read of the ledger and a page of the index.
    pub(in super::super) rows_max: usize,
    /// Batches, and entries of batches, that it reads.
    pub(in super::super) entries_max: usize,
}

/// Less than a second of the chores on files, more than a surge brings between two runs.
pub(in super::super) const RUN: RunBounds = RunBounds { rows_max: 1 << 14, entries_max: 1 << 17 };
/// Size of the write-ahead log that stays after a checkpoint.
const WAL_BYTES_KEPT: i64 = 16 << 20;

/// The open file, and how far it followed the ledger.
pub(super) struct Followed {
    connection: Connection,
    pub(super) batches: u32,
    root: Digest,
    /// Batches after which it is complete.
    pub(super) complete_at: u32,
}

impl Followed {
    /// `batches` is how far the ledger goes now.
    pub(super) fn open(directory: &Path, path: &Path, batches: u32) -> Result<Self, OpenFault> {
        let connection = FORMAT.open(directory, path)?;
        let store = |source| store_error(path, source);
        // Lost rows are followed again, and a large run must not keep every page in memory.
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(store)?;
        connection.pragma_update(None, "cache_spill", "ON").map_err(store)?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT).map_err(store)?;
        let followed = connection
            .query_row("SELECT batches, root FROM followed", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(store)?;
        let (followed, root) = followed.unwrap_or_default();
        Ok(Self { connection, batches: followed, root, complete_at: batches })
    }

    /// Whether it followed this very ledger.
    pub(super) fn is_of(&self, ledger: &SqliteReader) -> Result<bool, StorageFault> {
        if self.batches == 0 {
            return Ok(true);
        }
        Ok(ledger.batch(self.batches)?.is_some_and(|batch| batch.root == self.root))
    }

    /// Follows the ledger's next batches in one transaction.
    pub(super) fn add(
        &mut self,
        ledger: &SqliteReader,
        keys: &HouseKeys,
        campaign: Campaign,
        bounds: RunBounds,
    ) -> Result<(), StorageFault> {
        let last = ledger.batches()?;
        if self.batches >= last {
            return Ok(());
        }
        let transaction = self.connection.unchecked_transaction()?;
        let (mut entries, mut rows) = (0, 0);
        while self.batches < last && entries < bounds.entries_max && rows < bounds.rows_max {
            let batch = ledger.batch(self.batches + 1)?.ok_or(StorageFault::Damaged)?;
            entries += 1 + batch.entries.len();
            rows += insert(&transaction, &batch, ledger, keys, campaign)?;
            self.batches += 1;
            self.root = batch.root;
        }
        transaction
            .prepare_cached("REPLACE INTO followed VALUES (0, ?1, ?2)")?
            .execute(params![self.batches, self.root])?;
        transaction.commit()?;
        Ok(())
    }
}

/// Adds the filings of a batch, and returns how many there are.
fn insert(
    transaction: &Transaction<'_>,
    batch: &StoredBatch,
    ledger: &SqliteReader,
    keys: &HouseKeys,
    campaign: Campaign,
) -> Result<usize, StorageFault> {
    let mut insert =
        transaction.prepare_cached("INSERT OR IGNORE INTO filings VALUES (?1, ?2, ?3, ?4)")?;
    let mut rows = 0;
    for (position, entry) in (batch.first.0..).map(Position).zip(&batch.entries) {
        if matches!(entry.channel, Channel::Citizen | Channel::Canary) {
            continue;
        }
        // What was erased has no header any more.
        let Some(header) = ledger.record(position)?.and_then(|stored| Header::decode(&stored).ok())
        else {
            continue;
        };
        let receipt = ReceiptCode::of(keys, campaign, position).block_bytes();
        let day = day_number(entry.received_on);
        insert.execute(params![header.principal.0, receipt, header.subject.0, day])?;
        rows += 1;
    }
    Ok(rows)
}

/// The index of a campaign below the ledgers' directory. It does not end in `.sqlite`: backups copy only what does.
pub(in crate::ledger) fn file_of(directory: &Path, campaign: Campaign) -> PathBuf {
    directory.join(format!("{campaign}.filings"))
}

/// Removes an application that was erased from the index, overwriting its row. Offline. An index that cannot be changed is
/// removed as a whole: it is written anew without it.
///
/// # Errors
/// The I/O error; the row may be there still.
pub(in crate::ledger) fn forget(directory: &Path, code: ReceiptCode) -> io::Result<()> {
    let path = file_of(directory, code.campaign());
    if !fs::exists(&path)? {
        return Ok(());
    }
    let forgotten = FORMAT.open(directory, &path).and_then(|connection| {
        let forget = || {
            connection.pragma_update(None, "secure_delete", "ON")?;
            // The office is not known any more, so every row is looked at.
            let block = code.block_bytes();
            connection.execute("DELETE FROM filings WHERE receipt = ?1", [block])?;
            checkpoint(&connection, CheckpointMode::TRUNCATE)
        };
        forget().map_err(|source| store_error(&path, source))
    });
    if forgotten.is_err() { files::remove(&path) } else { Ok(()) }
}
