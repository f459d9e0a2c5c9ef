//! Drafts in a file of their own, next to the ledgers.

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::task::spawn_blocking;

use super::{files::FileFormat, sqlite_fault::store_error};
use crate::{
    ledger::{
        book::record::RecordFault,
        drafts::Drafts,
        fault::{OpenFault, ReadFault, StorageFault},
    },
    vault::{HouseKeys, Place, Subject},
};

const FILE: &str = "drafts.sqlite";
pub(in crate::ledger) const FORMAT: FileFormat = FileFormat {
    application_id: 0x5370_7464,
    version: 1,
    schema: "CREATE TABLE drafts (person BLOB PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID",
};
/// The header of a sealed draft: its version.
const HEADER: [u8; 1] = [2];

/// The drafts of this machine.
#[derive(Clone)]
pub struct LocalDrafts(Arc<DraftsFile>);

impl LocalDrafts {
    /// Opens or creates the file in the ledgers' directory, which must be locked for this process.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(directory: &Path, keys: Arc<HouseKeys>) -> Result<Self, OpenFault> {
        Ok(Self(Arc::new(DraftsFile::open(directory, keys)?)))
    }

    /// Works on a thread that may wait for the disk.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&DraftsFile) -> T + Send + 'static,
    ) -> BoxFuture<'_, T> {
        let file = Arc::clone(&self.0);
        Box::pin(async move {
            match spawn_blocking(move || work(&file)).await {
                Ok(result) => result,
                Err(fault) => std::panic::resume_unwind(fault.into_panic()),
            }
        })
    }
}

impl Drafts for LocalDrafts {
    fn save(&self, person: Subject, draft: Bytes) -> BoxFuture<'_, Result<(), StorageFault>> {
        self.blocking(move |file| file.save(person, &draft))
    }

    fn load(&self, person: Subject) -> BoxFuture<'_, Result<Option<Vec<u8>>, ReadFault>> {
        self.blocking(move |file| file.load(person))
    }

    fn remove(&self, person: Subject) -> BoxFuture<'_, Result<(), StorageFault>> {
        if !self.0.has(person) {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.blocking(move |file| file.remove(person))
    }
}

/// The file of the drafts, for callers that may wait for the disk.
pub struct DraftsFile {
    keys: Arc<HouseKeys>,
    connection: Mutex<Connection>,
    /// Who has a draft, so that the removal after a submission needs no disk access for the others.
    people: Mutex<HashSet<Subject>>,
}

impl DraftsFile {
    /// Opens or creates the file in the ledgers' directory, which must be locked for this process.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(directory: &Path, keys: Arc<HouseKeys>) -> Result<Self, OpenFault> {
        let path = directory.join(FILE);
        let connection = FORMAT.open(directory, &path)?;
        let people = people_of(&connection).map_err(|source| store_error(&path, source))?;
        Ok(Self { keys, connection: Mutex::new(connection), people: Mutex::new(people) })
    }

    fn save(&self, person: Subject, draft: &[u8]) -> Result<(), StorageFault> {
        let sealed = self.keys.seal(Place::Drafts, person, &HEADER, draft);
        self.connection()
            .prepare_cached("INSERT OR REPLACE INTO drafts VALUES (?1, ?2)")?
            .execute(params![person.0, sealed])?;
        self.people().insert(person);
        Ok(())
    }

    fn load(&self, person: Subject) -> Result<Option<Vec<u8>>, ReadFault> {
        let sealed: Option<Vec<u8>> = self
            .connection()
            .prepare_cached("SELECT sealed FROM drafts WHERE person = ?1")
            .and_then(|mut select| select.query_row([person.0], |row| row.get(0)).optional())?;
        let open = |sealed: Vec<u8>| self.keys.open(Place::Drafts, person, HEADER.len(), &sealed);
        Ok(sealed.map(open).transpose().map_err(RecordFault::from)?)
    }

    fn has(&self, person: Subject) -> bool {
        self.people().contains(&person)
    }

    fn remove(&self, person: Subject) -> Result<(), StorageFault> {
        self.connection()
            .prepare_cached("DELETE FROM drafts WHERE person = ?1")?
            .execute([person.0])?;
        self.people().remove(&person);
        Ok(())
    }

    /// Removes every draft, and returns their number.
    ///
    /// # Errors
    /// [`StorageFault`]; the drafts remain.
    pub fn remove_all(&self) -> Result<usize, StorageFault> {
        let connection = self.connection();
        connection.pragma_update(None, "secure_delete", "ON")?;
        // Without a condition SQLite would release the rows without overwriting them.
        let removed = connection.execute("DELETE FROM drafts WHERE true", [])?;
        self.people().clear();
        Ok(removed)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn people(&self) -> MutexGuard<'_, HashSet<Subject>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

fn people_of(connection: &Connection) -> rusqlite::Result<HashSet<Subject>> {
    let mut select = connection.prepare("SELECT person FROM drafts")?;
    let people = select.query_map([], |row| row.get(0).map(Subject))?;
    people.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::civic::FiscalCode;

    #[test]
    fn a_draft_is_kept_for_its_person_across_restarts_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
        let [mine, yours] = [1, 2].map(|n| keys.subject(&FiscalCode::made_up(n)));
        let open = || DraftsFile::open(directory.path(), Arc::clone(&keys)).unwrap();
        let drafts = open();
        drafts.save(mine, b"first").unwrap();
        drafts.save(mine, b"second").unwrap();
        drop(drafts);
        let drafts = open();
        assert_eq!(drafts.load(mine).unwrap().unwrap(), b"second");
        assert_eq!((drafts.has(mine), drafts.has(yours)), (true, false));
        assert_eq!(drafts.load(yours).unwrap(), None);
        drafts.remove(mine).unwrap();
        assert_eq!((drafts.load(mine).unwrap(), drafts.has(mine)), (None, false));
    }

    #[test]
    fn a_draft_that_was_moved_to_another_person_does_not_open() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
        let [mine, yours] = [1, 2].map(|n| keys.subject(&FiscalCode::made_up(n)));
        let drafts = DraftsFile::open(directory.path(), keys).unwrap();
        drafts.save(mine, b"mine").unwrap();
        drafts.connection().execute("UPDATE drafts SET person = ?1", [yours.0]).unwrap();
        assert!(matches!(drafts.load(yours), Err(ReadFault::Record(RecordFault::Seal(_)))));
    }
}
