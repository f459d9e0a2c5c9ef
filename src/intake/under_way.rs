//! The batches under way: one a person.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use crate::vault::Subject;

/// The people whose batch is under way.
#[derive(Clone, Default)]
pub(super) struct Batches(Arc<Mutex<HashSet<Subject>>>);

/// A batch under way; the same person can submit another one when it is dropped.
pub struct BatchUnderWay {
    batches: Batches,
    person: Subject,
}

impl Batches {
    /// Begins a batch of a person; `None` while another one is under way.
    pub(super) fn begin(&self, person: Subject) -> Option<BatchUnderWay> {
        let is_first = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(person);
        is_first.then(|| BatchUnderWay { batches: self.clone(), person })
    }
}

impl Drop for BatchUnderWay {
    fn drop(&mut self) {
        self.batches.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.person);
    }
}
