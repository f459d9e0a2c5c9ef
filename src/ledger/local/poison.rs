//! The mark of a ledger whose storage failed: intake has stopped until a restart.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{ledger::fault::StorageFault, schemes::Campaign};

/// What met the failing storage.
#[derive(Clone, Copy)]
pub(super) enum Cause {
    Commit,
    Checkpoint,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Commit => "commit",
            Self::Checkpoint => "checkpoint",
        })
    }
}

/// Set once by the committer or the checkpoint thread, read by everybody, never cleared.
#[derive(Clone, Default)]
pub(super) struct Poison(Arc<AtomicBool>);

impl Poison {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Stops intake, and logs why.
    pub(super) fn set(&self, campaign: Campaign, by: Cause, fault: &StorageFault) {
        self.0.store(true, Ordering::Release);
        tracing::error!(%campaign, %fault, "the ledger is poisoned by a {by}: intake has stopped; repair the storage and restart");
    }

    /// Stops intake if the current thread panics before the guard is dropped.
    pub(super) fn on_panic(&self) -> impl Drop + use<> {
        struct OnPanic(Poison);
        impl Drop for OnPanic {
            fn drop(&mut self) {
                if thread::panicking() {
                    self.0.0.store(true, Ordering::Release);
                }
            }
        }
        OnPanic(self.clone())
    }
}
