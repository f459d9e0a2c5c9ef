//! Filings of this machine: an index by office in a file of its own next to the ledger, `CAMPAIGN.filings`.
//!
//! A chore follows the ledger's batches and adds a row for each application that an office handed in; a citizen's own
//! costs nothing. The file is never synced for itself: what a power cut takes from it is followed again. It names the
//! batch up to which it followed the ledger, and that batch's root: a file that is missing, damaged, or of another history
//! is removed and written anew. So backups leave it out, and `sportello verify` does not read it.

mod file;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::civil::Date;
use rusqlite::{Connection, params};

pub(super) use self::file::RUN;
use self::file::{Followed, RunBounds};
pub(in crate::ledger) use self::file::{file_of, forget};
use super::{
    super::{
        book::record::day_of,
        fault::{OpenFault, StorageFault},
        filings::FilingsFault,
        receipt::{BLOCK_BYTES, ReceiptCode},
    },
    files,
    sqlite::SqliteReader,
};
use crate::{
    schemes::Campaign,
    vault::{HouseKeys, Subject},
};

/// The index of one campaign.
pub(super) struct FilingIndex {
    directory: PathBuf,
    campaign: Campaign,
    bounds: RunBounds,
    /// Held by the chore for a whole run; no reader waits for it.
    writer: Mutex<Writer>,
    /// Guards only the idle connection.
    readers: Mutex<Readers>,
    /// Whether it has followed the ledger as far as the ledger went when the file was opened: before that, a list would
    /// lack filings of long ago.
    is_complete: AtomicBool,
    /// Set by a reader that found it damaged; the next run writes it anew.
    is_suspect: AtomicBool,
}

#[derive(Default)]
struct Writer {
    followed: Option<Followed>,
    /// Whether the last run failed: a fault is logged once.
    is_failing: bool,
}

#[derive(Default)]
struct Readers {
    idle: Option<Connection>,
    /// Rises when the file is replaced, so that no connection to the old one is kept.
    generation: u64,
}

/// A row of an office's list.
pub(super) struct Row {
    pub(super) receipt: ReceiptCode,
    pub(super) person: Subject,
    pub(super) received_on: Date,
}

/// Why a run failed. The next run tries again.
#[derive(Debug, thiserror::Error)]
enum FollowFault {
    #[error(transparent)]
    Open(#[from] OpenFault),
    #[error(transparent)]
    Storage(#[from] StorageFault),
    #[error("{0}")]
    Remove(#[from] io::Error),
}

impl FilingIndex {
    /// The index of `campaign` in the ledgers' directory. The first run opens its file.
    pub(super) fn new(directory: &Path, campaign: Campaign, bounds: RunBounds) -> Self {
        Self {
            directory: directory.to_owned(),
            campaign,
            bounds,
            writer: Mutex::default(),
            readers: Mutex::default(),
            is_complete: AtomicBool::new(false),
            is_suspect: AtomicBool::new(false),
        }
    }

    /// Adds what the ledger has more than the index, up to the bounds of a run. A fault is logged; the ledger is not
    /// concerned.
    pub(super) fn follow(&self, ledger: &SqliteReader, keys: &HouseKeys) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // After a fault the file says how far it really followed.
        let followed = writer.followed.take();
        match self.run(followed, ledger, keys) {
            Ok(followed) => *writer = Writer { followed: Some(followed), is_failing: false },
            Err(fault) => {
                if !writer.is_failing {
                    tracing::error!(campaign = %self.campaign, %fault, "the index of filings cannot be written: lists of offices stay behind");
                }
                writer.is_failing = true;
            }
        }
    }

    fn run(
        &self,
        followed: Option<Followed>,
        ledger: &SqliteReader,
        keys: &HouseKeys,
    ) -> Result<Followed, FollowFault> {
        let is_suspect = self.is_suspect.swap(false, Ordering::AcqRel);
        let mut followed = match followed.filter(|_| !is_suspect) {
            Some(followed) => followed,
            None => self.open(ledger, is_suspect)?,
        };
        followed.add(ledger, keys, self.campaign, self.bounds)?;
        if followed.batches >= followed.complete_at {
            self.is_complete.store(true, Ordering::Release);
        }
        Ok(followed)
    }

    /// Opens the file, or writes it anew if it is of no use.
    fn open(&self, ledger: &SqliteReader, is_suspect: bool) -> Result<Followed, FollowFault> {
        let batches = ledger.batches()?;
        let (directory, path) = (&self.directory, file_of(&self.directory, self.campaign));
        if !is_suspect {
            match Followed::open(directory, &path, batches) {
                Ok(followed) if followed.is_of(ledger)? => return Ok(followed),
                Ok(_) => {}
                Err(fault) if fault.is_damage() || matches!(fault, OpenFault::Foreign { .. }) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        tracing::warn!(campaign = %self.campaign, "the index of filings is damaged or not this ledger's: it is written anew");
        self.is_complete.store(false, Ordering::Release);
        files::remove(&path)?;
        let mut readers = self.readers();
        *readers = Readers { idle: None, generation: readers.generation + 1 };
        drop(readers);
        Ok(Followed::open(directory, &path, batches)?)
    }

    /// Up to `most` rows of an office in the order of receipts, after a receipt or from the first one.
    ///
    /// # Errors
    /// [`FilingsFault::Incomplete`] until it has followed the ledger.
    pub(super) fn rows(
        &self,
        office: Subject,
        after: Option<ReceiptCode>,
        most: usize,
    ) -> Result<Vec<Row>, FilingsFault> {
        if !self.is_complete.load(Ordering::Acquire) {
            return Err(FilingsFault::Incomplete);
        }
        let rows = self.read(|connection| {
            let after = after.map(|code| code.block_bytes());
            let mut select = connection.prepare_cached(
                "SELECT receipt, person, day FROM filings WHERE office = ?1 AND receipt > ?2 ORDER BY receipt LIMIT ?3",
            )?;
            let after: &[u8] = after.as_ref().map_or(&[], |block| block);
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let rows = select.query_map(params![office.0, after, most], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<([u8; BLOCK_BYTES], [u8; 16], i32)>>>()
        })?;
        let row = |(block, person, day)| {
            let receipt = ReceiptCode::from_block(self.campaign, block);
            Some(Row { receipt, person: Subject(person), received_on: day_of(day)? })
        };
        Ok(rows.into_iter().filter_map(row).collect())
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StorageFault> {
        let (kept, generation) = {
            let mut readers = self.readers();
            (readers.idle.take(), readers.generation)
        };
        let reading = || {
            let connection = match kept {
                Some(connection) => connection,
                None => files::reading(&file_of(&self.directory, self.campaign))?,
            };
            Ok((work(&connection)?, connection))
        };
        let (answer, connection) = reading().map_err(|fault: rusqlite::Error| {
            let fault = StorageFault::from(fault);
            if !fault.is_of_the_disk() {
                self.is_suspect.store(true, Ordering::Release);
            }
            fault
        })?;
        let mut readers = self.readers();
        if readers.generation == generation {
            readers.idle = Some(connection);
        }
        Ok(answer)
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
