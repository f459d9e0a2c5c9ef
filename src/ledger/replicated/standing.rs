//! What the handle, the committer and the readers of one ledger know together: whether the database answers, and the counts.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::{
    super::{Health, book::change::Tally, fault::StorageFault},
    counts::Counts,
    fault::Setback,
};
use crate::schemes::Campaign;

/// Shared by all parts of one ledger. Each lock guards only its value.
#[derive(Default)]
pub(super) struct Standing {
    /// Set once, never cleared.
    is_poisoned: AtomicBool,
    /// Why the database takes no commits, if it takes none.
    away: Mutex<Option<String>>,
    counts: Mutex<AllCounts>,
}

#[derive(Default)]
struct AllCounts {
    /// Of this node; exact.
    own: Counts,
    /// Of the other nodes, as they were a moment ago.
    others: Counts,
}

impl Standing {
    pub(super) fn health(&self) -> Health {
        if self.is_poisoned.load(Ordering::Acquire) {
            Health::Poisoned
        } else if self.reason().is_some() {
            Health::Away
        } else {
            Health::Sound
        }
    }

    /// Stops intake until a restart: what is stored contradicts itself.
    pub(super) fn poison(&self, campaign: Campaign, fault: &StorageFault) {
        self.is_poisoned.store(true, Ordering::Release);
        tracing::error!(%campaign, %fault, "the ledger is poisoned: intake has stopped; repair the database and restart");
    }

    /// Notes that the database takes no commits; logged when it begins, and when the reason is another one.
    pub(super) fn away(&self, campaign: Campaign, setback: &Setback) {
        let reason = setback.to_string();
        if self.reason().replace(reason.clone()) != Some(reason) {
            tracing::error!(%campaign, %setback, "the database takes no commits: intake waits for it and tries again");
        }
    }

    /// Notes that it took one.
    pub(super) fn back(&self, campaign: Campaign) {
        if self.reason().take().is_some() {
            tracing::warn!(%campaign, "the database takes commits again");
        }
    }

    pub(super) fn tally(&self) -> Tally {
        let counts = self.counts();
        let mut all = counts.own.clone();
        all.add(&counts.others);
        all.tally()
    }

    pub(super) fn set_own(&self, own: Counts) {
        self.counts().own = own;
    }

    pub(super) fn set_others(&self, others: Counts) {
        self.counts().others = others;
    }

    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> MutexGuard<'_, AllCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
