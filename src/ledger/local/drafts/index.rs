//! Which drafts there are, in memory.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    ledger::drafts::Slot,
    vault::{DraftKey, Subject},
};

/// Each person's drafts and their principals. Clones share it.
///
/// It follows the writer's decisions before they are durable, and a forgotten draft leaves it at once. So it never lacks
/// a draft that somebody was told is stored, and what it lacks is not shown, although it may be in the file still.
#[derive(Clone, Default)]
pub(super) struct Index(Arc<Mutex<Table>>);

/// By person; each draft with its principal.
type Table = HashMap<Subject, Vec<(DraftKey, Subject)>>;

impl Index {
    pub(super) fn put(&self, slot: Slot) {
        let mut index = self.lock();
        let theirs = index.entry(slot.person).or_default();
        if !theirs.iter().any(|(key, _)| *key == slot.key) {
            theirs.push((slot.key, slot.principal));
        }
    }

    pub(super) fn remove(&self, slot: Slot) {
        self.remove_if(slot, || true);
    }

    /// Removes a draft if `agreed` says so; `None` if there is none. `agreed` runs under the index's lock, so that the
    /// writer's later changes of the draft come after it.
    pub(super) fn remove_if(&self, slot: Slot, agreed: impl FnOnce() -> bool) -> Option<bool> {
        let mut index = self.lock();
        let Entry::Occupied(mut theirs) = index.entry(slot.person) else { return None };
        let at = theirs.get().iter().position(|(key, _)| *key == slot.key)?;
        let agreed = agreed();
        if agreed {
            theirs.get_mut().swap_remove(at);
            if theirs.get().is_empty() {
                theirs.remove();
            }
        }
        Some(agreed)
    }

    pub(super) fn has(&self, slot: Slot) -> bool {
        let index = self.lock();
        index.get(&slot.person).is_some_and(|keys| keys.iter().any(|(key, _)| *key == slot.key))
    }

    /// How many drafts a person has for a principal.
    pub(super) fn count(&self, person: Subject, principal: Subject) -> usize {
        let index = self.lock();
        let theirs = index.get(&person).into_iter().flatten();
        theirs.filter(|(_, whose)| *whose == principal).count()
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
