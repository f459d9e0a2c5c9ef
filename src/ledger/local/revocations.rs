//! Revocations of mandates by the people who gave them, in a file of their own next to the ledgers. It only grows.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{files::FileFormat, sqlite_fault::store_error};
use crate::{
    ledger::{
        fault::{OpenFault, StorageFault},
        mandates::revocation::{self, Revocation},
    },
    registry::mandates::Mandate,
    vault::{HouseKeys, MandateKey, Subject},
};

pub(in crate::ledger) const FILE: &str = "revocations.sqlite";
pub(in crate::ledger) const FORMAT: FileFormat = FileFormat {
    application_id: 0x5370_7476,
    version: 1,
    schema: "CREATE TABLE revocations (key BLOB PRIMARY KEY, person BLOB NOT NULL, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID",
};

/// When each mandate was revoked.
type Revoked = HashMap<MandateKey, Timestamp>;

/// The revocations of this machine, for callers that may wait for the disk.
pub(super) struct Revocations {
    keys: Arc<HouseKeys>,
    connection: Mutex<Connection>,
    /// Every revocation in the file. Read at each check, and held for a look-up or an insertion.
    revoked: RwLock<Revoked>,
}

impl Revocations {
    /// Opens or creates the file in the ledgers' directory, which must be locked for this process.
    ///
    /// # Errors
    /// [`OpenFault`], also if a revocation cannot be read: without it an office could read on.
    pub(super) fn open(directory: &Path, keys: Arc<HouseKeys>) -> Result<Self, OpenFault> {
        let path = directory.join(FILE);
        let connection = FORMAT.open(directory, &path)?;
        let revoked = read(&connection, &keys)
            .map_err(|source| store_error(&path, source))?
            .ok_or_else(|| OpenFault::Damaged {
                path,
                what: "a revocation does not open for its person".to_owned(),
            })?;
        Ok(Self { keys, connection: Mutex::new(connection), revoked: RwLock::new(revoked) })
    }

    /// When a person revoked a mandate; `None` if they did not.
    pub(super) fn of(&self, person: Subject, reference: &str) -> Option<Timestamp> {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        if revoked.is_empty() {
            return None;
        }
        revoked.get(&self.keys.mandate(person, reference)).copied()
    }

    /// A mandate with its revocation.
    pub(super) fn apply(&self, mandate: Mandate) -> Mandate {
        let by_grantor = self.of(mandate.grantor, &mandate.reference);
        revocation::applied(mandate, by_grantor)
    }

    /// Stores a revocation; it is durable when this returns. An earlier one of the same mandate stays.
    pub(super) fn add(
        &self,
        person: Subject,
        reference: &str,
        at: Timestamp,
    ) -> Result<(), StorageFault> {
        let connection = self.connection();
        if self.of(person, reference).is_some() {
            return Ok(());
        }
        let Revocation { key, person, sealed } = Revocation::new(&self.keys, person, reference, at);
        connection
            .prepare_cached("INSERT INTO revocations VALUES (?1, ?2, ?3)")?
            .execute(params![key.0, person.0, sealed])?;
        // The time as it is read again after a restart.
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        self.revoked.write().unwrap_or_else(PoisonError::into_inner).insert(key, at);
        Ok(())
    }

    /// Held for a whole change, so that changes follow one another.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks every revocation: it opens for its person and is of the mandate that its key names. Returns their number and
/// what is wrong; no file is no revocation.
///
/// # Errors
/// [`OpenFault`].
pub(in crate::ledger) fn inspect(
    directory: &Path,
    keys: &HouseKeys,
) -> Result<(usize, Vec<String>), OpenFault> {
    let path = directory.join(FILE);
    let Some(connection) = FORMAT.look(&path)? else { return Ok((0, Vec::new())) };
    let rows = rows(&connection).map_err(|source| store_error(&path, source))?;
    let broken = rows.iter().filter(|row| row.opened(keys).is_none()).count();
    let findings = match broken {
        0 => Vec::new(),
        _ => vec![format!("{FILE}: {broken} revocations of mandates do not open")],
    };
    Ok((rows.len(), findings))
}

/// Adds what is missing of the attached schema `source`; see [`backup`](crate::ledger::backup). A copy with other
/// revocations is none of this file.
pub(in crate::ledger) fn copy(
    connection: &Connection,
    progress: &mut dyn FnMut(u64),
) -> rusqlite::Result<Option<u64>> {
    let transaction = connection.unchecked_transaction()?;
    let others: bool = transaction.query_row(
        "SELECT EXISTS (SELECT key FROM main.revocations EXCEPT SELECT key FROM source.revocations)",
        [],
        |row| row.get(0),
    )?;
    if others {
        return Ok(None);
    }
    let added = "INSERT INTO main.revocations SELECT * FROM source.revocations
        WHERE key NOT IN (SELECT key FROM main.revocations)";
    let rows = transaction.execute(added, [])? as u64;
    transaction.commit()?;
    progress(rows);
    Ok(Some(rows))
}

fn rows(connection: &Connection) -> rusqlite::Result<Vec<Revocation>> {
    let mut select = connection.prepare("SELECT key, person, sealed FROM revocations")?;
    let rows = select.query_map([], |row| {
        Ok(Revocation {
            key: row.get(0).map(MandateKey)?,
            person: row.get(1).map(Subject)?,
            sealed: row.get(2)?,
        })
    })?;
    rows.collect()
}

fn read(connection: &Connection, keys: &HouseKeys) -> rusqlite::Result<Option<Revoked>> {
    Ok(rows(connection)?.iter().map(|row| row.opened(keys)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::civic::FiscalCode;

    fn keys() -> Arc<HouseKeys> {
        Arc::new(HouseKeys::from_master(&[7; 32]))
    }

    fn person(n: u64) -> Subject {
        keys().subject(&FiscalCode::made_up(n))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_revocation_is_of_one_person_and_mandate_and_outlasts_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Revocations::open(directory.path(), keys()).unwrap();
        let revocations = open();
        assert_eq!(revocations.of(person(1), "M-1"), None);
        revocations.add(person(1), "M-1", at(100)).unwrap();
        revocations.add(person(1), "M-1", at(200)).unwrap();
        revocations.add(person(2), "M-2", at(300)).unwrap();
        let known = |revocations: &Revocations| {
            [(1, "M-1"), (1, "M-2"), (2, "M-1"), (2, "M-2")]
                .map(|(n, reference)| revocations.of(person(n), reference))
        };
        let expected = [Some(at(100)), None, None, Some(at(300))];
        assert_eq!(known(&revocations), expected, "the first one counts");
        drop(revocations);
        assert_eq!(known(&open()), expected);
        assert_eq!(inspect(directory.path(), &keys()).unwrap(), (2, Vec::new()));
    }

    #[test]
    fn a_revocation_that_was_changed_keeps_the_house_closed() {
        for change in [
            "UPDATE revocations SET sealed = zeroblob(60)",
            "UPDATE revocations SET key = zeroblob(16)",
            "UPDATE revocations SET person = zeroblob(16)",
        ] {
            let directory = tempfile::tempdir().unwrap();
            let revocations = Revocations::open(directory.path(), keys()).unwrap();
            revocations.add(person(1), "M-1", at(100)).unwrap();
            assert_eq!(revocations.connection().execute(change, []).unwrap(), 1);
            drop(revocations);
            let (count, findings) = inspect(directory.path(), &keys()).unwrap();
            assert_eq!((count, findings.len()), (1, 1), "{change}");
            let opened = Revocations::open(directory.path(), keys());
            assert!(matches!(opened, Err(OpenFault::Damaged { .. })), "{change}");
        }
    }
}
