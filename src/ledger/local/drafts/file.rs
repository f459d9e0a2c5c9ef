//! The file of the drafts: one row a draft, sealed for its person.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params, wal::CheckpointMode};

use super::{
    super::{
        files::{FileFormat, PAGE_BYTES},
        sqlite::checkpoint,
        sqlite_fault::store_error,
    },
    change::{Change, Outcome, What},
    index::Index,
    writer::Groups,
};
use crate::{
    ledger::{
        drafts::{DRAFTS_MAX, Draft, DraftFault, Expected, Slot, sealed},
        fault::{OpenFault, ReadFault, StorageFault},
    },
    vault::{DraftKey, HouseKeys, Subject},
};

pub(in crate::ledger) const FILE: &str = "drafts.sqlite";
pub(in crate::ledger) const FORMAT: FileFormat = FileFormat {
    application_id: 0x5370_7464,
    version: 2,
    schema: "CREATE TABLE drafts (key BLOB PRIMARY KEY, person BLOB NOT NULL, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID",
};
/// Approximate bytes that are written to the write-ahead log between two checkpoints.
const WAL_BYTES_MAX: usize = 8 << 20;

/// The file of the drafts, for its only writer. Its calls wait for the disk.
pub struct DraftsFile {
    keys: Arc<HouseKeys>,
    connection: Connection,
    index: Index,
    /// Approximate bytes written since the last checkpoint.
    logged_bytes: usize,
}

impl DraftsFile {
    /// Opens or creates the file in the ledgers' directory, which must be locked for this process.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(directory: &Path, keys: Arc<HouseKeys>) -> Result<Self, OpenFault> {
        let path = file_of(directory);
        let connection = FORMAT.open(directory, &path).map_err(|fault| match fault {
            OpenFault::Foreign { path, what } => OpenFault::Foreign {
                path,
                what: format!("{what}; it holds drafts only, no application: move it away"),
            },
            fault => fault,
        })?;
        let index = prepare(&connection).map_err(|source| store_error(&path, source))?;
        Ok(Self { keys, connection, index, logged_bytes: 0 })
    }

    /// Removes every draft, and returns their number.
    ///
    /// # Errors
    /// [`StorageFault`]; the drafts remain.
    pub fn remove_all(&self) -> Result<usize, StorageFault> {
        self.connection.pragma_update(None, "secure_delete", "ON")?;
        // Without a condition SQLite would release the rows without overwriting them.
        let removed = self.connection.execute("DELETE FROM drafts WHERE true", [])?;
        self.index.clear();
        Ok(removed)
    }

    /// The index, which the writer keeps up to date.
    pub(super) fn index(&self) -> Index {
        self.index.clone()
    }

    /// Makes a change unless what is stored forbids it.
    fn apply(
        &self,
        transaction: &Transaction<'_>,
        change: &Change,
    ) -> Result<Outcome, StorageFault> {
        let slot = change.slot;
        if let Err(fault) = self.expect(transaction, slot, &change.expected) {
            return Ok(Err(fault));
        }
        match &change.what {
            What::Save(content) => {
                let is_new = !self.index.has(slot);
                if is_new && self.index.count(slot.person, slot.principal) >= DRAFTS_MAX {
                    return Ok(Err(DraftFault::TooMany));
                }
                let sealed = sealed::seal(&self.keys, slot, content);
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO drafts VALUES (?1, ?2, ?3)")?
                    .execute(params![slot.key.0, slot.person.0, sealed])?;
                self.index.put(slot);
                Ok(Ok(!is_new))
            }
            What::Remove => {
                let removed = transaction
                    .prepare_cached("DELETE FROM drafts WHERE key = ?1")?
                    .execute([slot.key.0])?;
                self.index.remove(slot);
                Ok(Ok(removed > 0))
            }
        }
    }

    fn expect(
        &self,
        connection: &Connection,
        slot: Slot,
        expected: &Expected,
    ) -> Result<(), DraftFault> {
        if *expected == Expected::Anything {
            return Ok(());
        }
        let stored = load(connection, &self.keys, slot)?;
        let is_met = expected.is_met_by(stored.as_ref().map(|draft| draft.content.as_slice()));
        if is_met { Ok(()) } else { Err(DraftFault::Changed) }
    }
}

impl Groups for DraftsFile {
    fn write(&mut self, changes: &[Change]) -> Result<Vec<Outcome>, StorageFault> {
        let transaction = self.connection.unchecked_transaction()?;
        let outcomes = changes.iter().map(|change| self.apply(&transaction, change));
        let outcomes = outcomes.collect::<Result<Vec<_>, _>>()?;
        transaction.commit()?;
        let bytes = |change: &Change| change.bytes() + PAGE_BYTES as usize;
        self.logged_bytes += changes.iter().map(bytes).sum::<usize>();
        Ok(outcomes)
    }

    fn tidy(&mut self) -> Result<(), StorageFault> {
        if self.logged_bytes > WAL_BYTES_MAX {
            self.logged_bytes = 0;
            // If a reader is in the way, the log grows until the next time.
            checkpoint(&self.connection, CheckpointMode::PASSIVE)?;
        }
        Ok(())
    }
}

/// The file's path below the ledgers' directory.
pub(super) fn file_of(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// The draft in a slot.
pub(super) fn load(
    connection: &Connection,
    keys: &HouseKeys,
    slot: Slot,
) -> Result<Option<Draft>, ReadFault> {
    let sealed: Option<Vec<u8>> = connection
        .prepare_cached("SELECT sealed FROM drafts WHERE key = ?1")
        .and_then(|mut select| select.query_row([slot.key.0], |row| row.get(0)).optional())?;
    let Some(sealed) = sealed else { return Ok(None) };
    sealed::open(keys, slot, &sealed).map(Some)
}

/// Replaces all drafts by those of the attached schema `source`; see [`backup`](crate::ledger::backup).
pub(in crate::ledger) fn copy(
    connection: &Connection,
    progress: &mut dyn FnMut(u64),
) -> rusqlite::Result<Option<u64>> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute("DELETE FROM main.drafts", [])?;
    let rows =
        transaction.execute("INSERT INTO main.drafts SELECT * FROM source.drafts", [])? as u64;
    transaction.commit()?;
    progress(rows);
    Ok(Some(rows))
}

/// Leaves checkpoints to [`Groups::tidy`], whose failure is noticed, and reads which drafts there are.
fn prepare(connection: &Connection) -> rusqlite::Result<Index> {
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    let mut select = connection.prepare("SELECT key, person, sealed FROM drafts")?;
    let mut rows = select.query([])?;
    let index = Index::default();
    while let Some(row) = rows.next()? {
        let (key, person) = (row.get(0).map(DraftKey)?, row.get(1).map(Subject)?);
        let principal =
            sealed::parts_of(row.get_ref(2)?.as_blob()?).map(|(_, principal)| principal);
        // A damaged draft is its person's, so that loading it reports the damage.
        index.put(Slot { key, person, principal: principal.unwrap_or(person) });
    }
    Ok(index)
}
