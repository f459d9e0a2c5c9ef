//! Instants on pages.

use jiff::{SignedDuration, Timestamp};

use crate::civic::{Language, local_time, written_time};

/// An instant as text, and for the `datetime` attribute.
pub(super) struct Instant {
    pub(super) text: String,
    pub(super) machine: String,
}

impl Instant {
    pub(super) fn new(at: Timestamp, language: Language) -> Self {
        Self { text: written_time::instant(at, language), machine: local_time::rfc3339(at) }
    }
}

/// A coming instant, with the time that is left until then.
pub(super) struct Coming {
    pub(super) text: String,
    pub(super) machine: String,
    pub(super) left: String,
}

impl Coming {
    pub(super) fn new(at: Timestamp, now: Timestamp, language: Language) -> Self {
        let Instant { text, machine } = Instant::new(at, language);
        // The last second counts as one: nobody is told that 0 seconds are left.
        let left = at.duration_since(now).max(SignedDuration::from_secs(1));
        Self { text, machine, left: written_time::duration(left, language) }
    }
}
