//! The batches under way: one a person, and the files of browsers among them.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::vault::Subject;

/// Files of browsers that are in memory at a time, each with its page about 8 MB: a browser reads no answer before it has
/// sent all, so that a file cannot pass through line by line.
const UPLOADS_MAX: usize = 32;

/// The people whose batch is under way.
#[derive(Clone)]
pub(super) struct Batches {
    people: Arc<Mutex<HashSet<Subject>>>,
    uploads: Arc<Semaphore>,
}

impl Default for Batches {
    fn default() -> Self {
        Self { people: Arc::default(), uploads: Arc::new(Semaphore::new(UPLOADS_MAX)) }
    }
}

/// A file of a browser that is being checked or submitted; the same person can send another one when it is dropped.
pub struct UploadUnderWay {
    _batch: BatchUnderWay,
    _place: OwnedSemaphorePermit,
}

/// A batch under way; the same person can submit another one when it is dropped.
pub struct BatchUnderWay {
    batches: Batches,
    person: Subject,
}

impl Batches {
    /// Begins a batch of a person; `None` while another one is under way.
    pub(super) fn begin(&self, person: Subject) -> Option<BatchUnderWay> {
        let is_first = self.people.lock().unwrap_or_else(PoisonError::into_inner).insert(person);
        is_first.then(|| BatchUnderWay { batches: self.clone(), person })
    }

    /// Lets a batch take the place of a file in memory; `None` if there is none.
    pub(super) fn begin_upload(&self, batch: BatchUnderWay) -> Option<UploadUnderWay> {
        let place = Arc::clone(&self.uploads).try_acquire_owned().ok()?;
        Some(UploadUnderWay { _batch: batch, _place: place })
    }
}

impl Drop for BatchUnderWay {
    fn drop(&mut self) {
        self.batches.people.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.person);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{civic::FiscalCode, vault::HouseKeys};

    #[test]
    fn no_more_files_than_the_bound_are_in_memory_and_each_is_of_another_person() {
        let keys = HouseKeys::from_master(&[7; 32]);
        let batches = Batches::default();
        let person = |n| keys.subject(&FiscalCode::made_up(n));
        let begin = |n| batches.begin_upload(batches.begin(person(n))?);
        let held: Vec<_> = (0..UPLOADS_MAX as u64).map(|n| begin(n).unwrap()).collect();
        assert!(begin(0).is_none(), "one a person");
        assert!(begin(99).is_none(), "none is free");
        assert!(batches.begin(person(99)).is_some(), "a refused one leaves no trace");
        drop(held);
        assert!(begin(0).is_some());
    }
}
