//! Submissions at the committer, counted where they are handed over.

use std::sync::atomic::{AtomicU64, Ordering};

/// Submissions that wait for their receipt.
#[derive(Default)]
pub struct Submissions {
    begun: AtomicU64,
    answered: AtomicU64,
}

/// One of them, until this is dropped.
pub struct Unanswered<'s>(&'s Submissions);

/// How many there are.
#[derive(Clone, Copy, Debug)]
pub struct Submitted {
    /// Since the start.
    pub answered: u64,
    /// At this moment.
    pub unanswered: u64,
}

impl Submissions {
    /// Counts one more.
    #[must_use]
    pub fn one_more(&self) -> Unanswered<'_> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Unanswered(self)
    }

    /// How many there are.
    #[must_use]
    pub fn counted(&self) -> Submitted {
        let answered = self.answered.load(Ordering::Relaxed);
        let unanswered = self.begun.load(Ordering::Relaxed).saturating_sub(answered);
        Submitted { answered, unanswered }
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Ordering::Relaxed);
    }
}
