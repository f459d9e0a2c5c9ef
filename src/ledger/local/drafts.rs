//! Drafts in a file of their own, next to the ledgers.

use std::{
    collections::{HashMap, hash_map::Entry},
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
        drafts::{DRAFTS_MAX, Draft, DraftFault, Drafts, Expected, Slot},
        fault::{OpenFault, ReadFault, StorageFault},
    },
    vault::{DraftKey, HouseKeys, Place, SealBroken, Subject},
};

const FILE: &str = "drafts.sqlite";
pub(in crate::ledger) const FORMAT: FileFormat = FileFormat {
    application_id: 0x5370_7464,
    version: 2,
    schema: "CREATE TABLE drafts (key BLOB PRIMARY KEY, person BLOB NOT NULL, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID",
};
/// The first byte of a sealed draft's header.
const HEADER_VERSION: u8 = 3;
/// The version, the key and the principal.
const HEADER_BYTES: usize = 1 + 16 + 16;

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
    fn save(
        &self,
        slot: Slot,
        content: Bytes,
        expected: Expected,
    ) -> BoxFuture<'_, Result<(), DraftFault>> {
        self.blocking(move |file| file.save(slot, &content, &expected))
    }

    fn load(&self, slot: Slot) -> BoxFuture<'_, Result<Option<Draft>, ReadFault>> {
        self.blocking(move |file| file.load(&file.connection(), slot))
    }

    fn remove(&self, slot: Slot, expected: Expected) -> BoxFuture<'_, Result<bool, DraftFault>> {
        self.blocking(move |file| file.remove(slot, &expected))
    }

    fn has_some(&self, person: Subject, principal: Subject) -> bool {
        self.0.index().contains_key(&(person, principal))
    }

    fn forget(&self, slot: Slot) {
        if !self.0.has(slot) {
            return;
        }
        let file = Arc::clone(&self.0);
        spawn_blocking(move || {
            if let Err(fault) = file.remove(slot, &Expected::Anything) {
                tracing::warn!(%fault, "a draft was not removed after its submission");
            }
        });
    }
}

/// Each person's drafts for each principal.
type Index = HashMap<(Subject, Subject), Vec<DraftKey>>;

/// The file of the drafts, for callers that may wait for the disk.
pub struct DraftsFile {
    keys: Arc<HouseKeys>,
    connection: Mutex<Connection>,
    /// Which drafts there are, so that the removal after a submission needs no disk access for people without one.
    index: Mutex<Index>,
}

impl DraftsFile {
    /// Opens or creates the file in the ledgers' directory, which must be locked for this process.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(directory: &Path, keys: Arc<HouseKeys>) -> Result<Self, OpenFault> {
        let path = directory.join(FILE);
        let connection = FORMAT.open(directory, &path).map_err(|fault| match fault {
            OpenFault::Foreign { path, what } => OpenFault::Foreign {
                path,
                what: format!("{what}; it holds drafts only, no application: move it away"),
            },
            fault => fault,
        })?;
        let index = index_of(&connection).map_err(|source| store_error(&path, source))?;
        Ok(Self { keys, connection: Mutex::new(connection), index: Mutex::new(index) })
    }

    fn save(&self, slot: Slot, content: &[u8], expected: &Expected) -> Result<(), DraftFault> {
        let connection = self.connection();
        self.expect(&connection, slot, expected)?;
        if !self.has(slot) && self.count(slot) >= DRAFTS_MAX {
            return Err(DraftFault::TooMany);
        }
        let Slot { key, person, .. } = slot;
        let sealed = self.keys.seal(Place::Drafts, person, &header_of(slot), content);
        connection
            .prepare_cached("INSERT OR REPLACE INTO drafts VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![key.0, person.0, sealed]))
            .map_err(failed)?;
        if !self.has(slot) {
            self.index().entry((person, slot.principal)).or_default().push(key);
        }
        Ok(())
    }

    fn load(&self, connection: &Connection, slot: Slot) -> Result<Option<Draft>, ReadFault> {
        let sealed: Option<Vec<u8>> = connection
            .prepare_cached("SELECT sealed FROM drafts WHERE key = ?1")
            .and_then(|mut select| select.query_row([slot.key.0], |row| row.get(0)).optional())?;
        let Some(sealed) = sealed else { return Ok(None) };
        let opened = self.keys.open(Place::Drafts, slot.person, HEADER_BYTES, &sealed);
        let content = opened.map_err(RecordFault::from)?;
        // The seal has shown that the header is whole.
        let (key, principal) = parts_of(&sealed).ok_or(RecordFault::Seal(SealBroken))?;
        if key != slot.key {
            return Err(RecordFault::Seal(SealBroken).into());
        }
        Ok(Some(Draft { principal, content }))
    }

    fn remove(&self, slot: Slot, expected: &Expected) -> Result<bool, DraftFault> {
        let connection = self.connection();
        self.expect(&connection, slot, expected)?;
        let removed = connection
            .prepare_cached("DELETE FROM drafts WHERE key = ?1")
            .and_then(|mut delete| delete.execute([slot.key.0]))
            .map_err(failed)?;
        let mut index = self.index();
        if let Entry::Occupied(mut theirs) = index.entry((slot.person, slot.principal)) {
            theirs.get_mut().retain(|known| *known != slot.key);
            if theirs.get().is_empty() {
                theirs.remove();
            }
        }
        Ok(removed > 0)
    }

    /// Checks what is stored; the connection's lock keeps it so.
    fn expect(
        &self,
        connection: &Connection,
        slot: Slot,
        expected: &Expected,
    ) -> Result<(), DraftFault> {
        if *expected == Expected::Anything {
            return Ok(());
        }
        let stored = self.load(connection, slot)?;
        let is_met = expected.is_met_by(stored.as_ref().map(|draft| draft.content.as_slice()));
        if is_met { Ok(()) } else { Err(DraftFault::Changed) }
    }

    fn has(&self, slot: Slot) -> bool {
        let index = self.index();
        index.get(&(slot.person, slot.principal)).is_some_and(|keys| keys.contains(&slot.key))
    }

    fn count(&self, slot: Slot) -> usize {
        self.index().get(&(slot.person, slot.principal)).map_or(0, Vec::len)
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
        self.index().clear();
        Ok(removed)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
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

fn index_of(connection: &Connection) -> rusqlite::Result<Index> {
    let mut select = connection.prepare("SELECT person, sealed FROM drafts")?;
    let rows = select.query_map([], |row| {
        Ok((row.get(0).map(Subject)?, parts_of(row.get_ref(1)?.as_blob()?)))
    })?;
    let mut index = Index::new();
    for row in rows {
        if let (person, Some((key, principal))) = row? {
            index.entry((person, principal)).or_default().push(key);
        }
    }
    Ok(index)
}

/// The header of a sealed draft. It is authenticated, so a draft opens in its own slot only.
fn header_of(slot: Slot) -> Vec<u8> {
    [&[HEADER_VERSION], slot.key.0.as_slice(), &slot.principal.0].concat()
}

/// Which draft it is and for which principal, from the header of a sealed one.
fn parts_of(sealed: &[u8]) -> Option<(DraftKey, Subject)> {
    let (key, rest) = sealed.get(1..)?.split_first_chunk()?;
    Some((DraftKey(*key), Subject(*rest.first_chunk()?)))
}

fn failed(fault: rusqlite::Error) -> DraftFault {
    DraftFault::Write(fault.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{civic::FiscalCode, ledger::drafts::version_of, schemes::Scheme};

    fn keys() -> Arc<HouseKeys> {
        Arc::new(HouseKeys::from_master(&[7; 32]))
    }

    /// The ISCRO draft of the n-th made-up person, as a citizen or as a clerk under a mandate.
    fn slot(n: u64, office_and_mandate: Option<(&str, &str)>) -> Slot {
        let person = keys().subject(&FiscalCode::made_up(n));
        let principal = office_and_mandate.map_or(person, |(office, _)| keys().office(office));
        let mandate = office_and_mandate.map(|(_, mandate)| mandate);
        Slot { key: keys().draft(person, principal, Scheme::Iscro, mandate), person, principal }
    }

    fn content(drafts: &DraftsFile, slot: Slot) -> Option<Vec<u8>> {
        let draft = drafts.load(&drafts.connection(), slot).unwrap()?;
        assert_eq!(draft.principal, slot.principal);
        Some(draft.content)
    }

    #[test]
    fn a_draft_is_kept_in_its_slot_across_restarts_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let open = || DraftsFile::open(directory.path(), keys()).unwrap();
        let slots = [
            slot(1, None),
            slot(2, None),
            slot(1, Some(("a", "m"))),
            slot(1, Some(("b", "m"))),
            slot(1, Some(("a", "n"))),
        ];
        let drafts = open();
        drafts.save(slots[0], b"first", &Expected::Anything).unwrap();
        for (slot, n) in slots.iter().zip(b"01234").rev() {
            assert_eq!(content(&drafts, *slot).is_some(), *n == b'0');
            drafts.save(*slot, &[*n], &Expected::Anything).unwrap();
        }
        drop(drafts);
        let drafts = open();
        for (slot, n) in slots.iter().zip(b"01234") {
            assert_eq!(content(&drafts, *slot).unwrap(), [*n]);
        }
        assert!(drafts.remove(slots[2], &Expected::Anything).unwrap());
        assert!(!drafts.remove(slots[2], &Expected::Anything).unwrap());
        let left: Vec<_> = slots.iter().map(|slot| drafts.has(*slot)).collect();
        assert_eq!(left, [true, true, false, true, true]);
        assert_eq!(content(&drafts, slots[2]), None);
        assert_eq!(drafts.remove_all().unwrap(), 4);
        assert!(drafts.index().is_empty());
    }

    #[test]
    fn a_change_that_expects_another_version_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let drafts = DraftsFile::open(directory.path(), keys()).unwrap();
        let mine = slot(1, None);
        let first = Expected::OneOf(vec![version_of(b"first")]);
        let changed = |result| matches!(result, Err(DraftFault::Changed));
        for expected in [&first, &Expected::Something] {
            assert!(changed(drafts.save(mine, b"first", expected)));
        }
        drafts.save(mine, b"first", &Expected::Anything).unwrap();
        drafts.save(mine, b"second", &first).unwrap();
        assert!(changed(drafts.save(mine, b"third", &first)));
        assert!(changed(drafts.remove(mine, &first).map(drop)));
        assert_eq!(content(&drafts, mine).unwrap(), b"second");
        assert!(drafts.remove(mine, &Expected::Something).unwrap());
    }

    #[test]
    fn a_person_has_a_bounded_number_of_drafts() {
        let directory = tempfile::tempdir().unwrap();
        let drafts = DraftsFile::open(directory.path(), keys()).unwrap();
        let save =
            |n: usize| drafts.save(slot(1, Some(("a", &n.to_string()))), b"x", &Expected::Anything);
        (0..DRAFTS_MAX).for_each(|n| save(n).unwrap());
        assert!(matches!(save(DRAFTS_MAX), Err(DraftFault::TooMany)));
        save(0).unwrap();
        drafts.save(slot(1, None), b"x", &Expected::Anything).unwrap();
    }

    #[test]
    fn a_draft_that_was_moved_to_another_slot_does_not_open() {
        let directory = tempfile::tempdir().unwrap();
        let drafts = DraftsFile::open(directory.path(), keys()).unwrap();
        let from = slot(1, Some(("a", "m")));
        drafts.save(from, b"mine", &Expected::Anything).unwrap();
        let mut at = from;
        for to in [slot(2, None), slot(1, None), slot(1, Some(("b", "m")))] {
            let moved = "UPDATE drafts SET key = ?1, person = ?2 WHERE key = ?3";
            let ids = [to.key.0, to.person.0, at.key.0];
            assert_eq!(drafts.connection().execute(moved, ids).unwrap(), 1);
            let loaded = drafts.load(&drafts.connection(), to);
            assert!(matches!(loaded, Err(ReadFault::Record(RecordFault::Seal(_)))));
            at = to;
        }
    }

    #[test]
    fn a_file_of_an_earlier_release_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let earlier = FileFormat { version: 1, ..FORMAT };
        drop(earlier.open(directory.path(), &directory.path().join(FILE)).unwrap());
        let Err(fault) = DraftsFile::open(directory.path(), keys()) else { panic!("refused") };
        let text = fault.to_string();
        assert!(text.contains("version is 1") && text.contains("move it away"), "{text}");
    }
}
