//! Drafts: one a person, kept durably until they submit, sealed like everything else.
//!
//! Unlike the ledger this store forgets: a draft is replaced by the next one and removed by its submission. It stands in a
//! file of its own beside the ledgers.

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    ReadFault,
    engine::{OpenFault, StorageFault},
    engines::files::Form,
    keys::HouseKeys,
    record::RecordFault,
    seal::{Place, Subject},
};

const FILE: &str = "drafts.sqlite";
pub(super) const FORM: Form = Form {
    application_id: 0x5370_7464,
    version: 1,
    schema: "CREATE TABLE drafts (person BLOB PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID",
};
/// Version of a sealed draft, its whole header.
const HEADER: [u8; 1] = [2];

/// The drafts of everybody. Calls wait for the disk: keep them off the event loops.
pub struct Drafts {
    keys: Arc<HouseKeys>,
    connection: Mutex<Connection>,
    /// Who has a draft, so that a submission of somebody who has none asks no disk.
    people: Mutex<HashSet<Subject>>,
}

impl Drafts {
    /// Opens or makes the drafts in the ledgers' directory, which must have been taken before.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(directory: &Path, keys: Arc<HouseKeys>) -> Result<Self, OpenFault> {
        let path = directory.join(FILE);
        let connection = FORM.open(directory, &path)?;
        let people = people_of(&connection)
            .map_err(|source| OpenFault::Store { path: path.clone(), source })?;
        Ok(Self { keys, connection: Mutex::new(connection), people: Mutex::new(people) })
    }

    /// Keeps a draft in place of an earlier one; it is on disk when this returns.
    ///
    /// # Errors
    /// [`StorageFault`]: the earlier one stands.
    pub fn save(&self, person: Subject, draft: &[u8]) -> Result<(), StorageFault> {
        let sealed = self.keys.seal(Place::Drafts, person, &HEADER, draft);
        self.connection()
            .prepare_cached("INSERT OR REPLACE INTO drafts VALUES (?1, ?2)")?
            .execute(params![person.0, sealed])?;
        self.people().insert(person);
        Ok(())
    }

    /// A person's draft, if there is one.
    ///
    /// # Errors
    /// [`ReadFault`].
    pub fn load(&self, person: Subject) -> Result<Option<Vec<u8>>, ReadFault> {
        let sealed: Option<Vec<u8>> = self
            .connection()
            .prepare_cached("SELECT sealed FROM drafts WHERE person = ?1")
            .and_then(|mut select| select.query_row([person.0], |row| row.get(0)).optional())
            .map_err(StorageFault::from)?;
        let open = |sealed: Vec<u8>| self.keys.open(Place::Drafts, person, HEADER.len(), &sealed);
        Ok(sealed.map(open).transpose().map_err(RecordFault::from)?)
    }

    /// Whether a person has a draft; asks no disk.
    #[must_use]
    pub fn has(&self, person: Subject) -> bool {
        self.people().contains(&person)
    }

    /// Removes a person's draft.
    ///
    /// # Errors
    /// [`StorageFault`]: the draft stands.
    pub fn remove(&self, person: Subject) -> Result<(), StorageFault> {
        self.connection()
            .prepare_cached("DELETE FROM drafts WHERE person = ?1")?
            .execute([person.0])?;
        self.people().remove(&person);
        Ok(())
    }

    /// Removes every draft and returns how many there were.
    ///
    /// # Errors
    /// [`StorageFault`]: they stand.
    pub fn remove_all(&self) -> Result<usize, StorageFault> {
        let connection = self.connection();
        connection.pragma_update(None, "secure_delete", "ON")?;
        // With a condition: without one the store lets the rows go without overwriting them.
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

/// Everything in place of everything, as [`backup`](super::backup) asks for it.
pub(super) fn copy(
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
        let open = || Drafts::open(directory.path(), Arc::clone(&keys)).unwrap();
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
        let drafts = Drafts::open(directory.path(), keys).unwrap();
        drafts.save(mine, b"mine").unwrap();
        drafts.connection().execute("UPDATE drafts SET person = ?1", [yours.0]).unwrap();
        assert!(matches!(drafts.load(yours), Err(ReadFault::Record(RecordFault::Seal(_)))));
    }
}
