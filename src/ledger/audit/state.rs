//! What a store and the thread that writes it tell each other.

use std::sync::atomic::{AtomicBool, Ordering};

/// Flags between a store and its writer.
#[derive(Debug, Default)]
pub(in crate::ledger) struct WriterState {
    closing: AtomicBool,
    away: AtomicBool,
}

impl WriterState {
    /// The store closes: a writer that waits for its database gives up soon.
    pub(in crate::ledger) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    #[cfg(feature = "postgres")]
    pub(in crate::ledger) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Notes whether the database of the writer does not answer. Returns whether that is new.
    #[cfg(feature = "postgres")]
    pub(in crate::ledger) fn set_away(&self, is_away: bool) -> bool {
        self.away.swap(is_away, Ordering::AcqRel) != is_away
    }

    pub(in crate::ledger) fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }
}
