//! A bound on the lines of each kind, so that a crowd does not flood the log: what is left out is counted and told.

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tracing::{
    Event, Level,
    callsite::Identifier,
    field::{Field, Visit},
};

use crate::clock::Stopwatch;

/// Lines of one kind, which is one place of the program, in a second.
const LINES_PER_SECOND_MAX: u32 = 20;
/// The span of that bound.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// The target of lines that are the only record of something: none of them is left out.
pub const EVIDENCE: &str = "evidence";

/// The kinds of lines, and how many of each were written.
pub(super) struct Limits {
    running: Stopwatch,
    /// As many as the program has places that log. Held for a look-up; nothing is formatted or written meanwhile, except
    /// for the message of a kind that begins to be left out.
    kinds: Mutex<HashMap<Identifier, Kind>>,
}

/// The lines of one kind in the current second.
#[derive(Default)]
struct Kind {
    /// When the second began.
    since: Duration,
    lines: u32,
    left_out: u64,
    /// What they say; that of the first one left out.
    message: String,
}

/// What becomes of an event.
pub(super) struct Admitted {
    pub(super) is_logged: bool,
    /// The first of its kind that is left out since the last report.
    pub(super) begins_to_leave_out: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { running: Stopwatch::start(), kinds: Mutex::default() }
    }
}

impl Limits {
    /// Whether an event may be logged. Who sets the level to `debug` gets every line of that level.
    pub(super) fn admits(&self, event: &Event<'_>) -> Admitted {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == EVIDENCE {
            return Admitted { is_logged: true, begins_to_leave_out: false };
        }
        let now = self.running.elapsed();
        let mut kinds = self.kinds();
        let kind = kinds.entry(metadata.callsite()).or_default();
        if kind.admits(now) {
            return Admitted { is_logged: true, begins_to_leave_out: false };
        }
        let begins_to_leave_out = kind.left_out == 0;
        kind.left_out += 1;
        if begins_to_leave_out {
            event.record(&mut Message(&mut kind.message));
        }
        Admitted { is_logged: false, begins_to_leave_out }
    }

    /// Logs how many lines of each kind were left out since the last report.
    pub(super) fn report(&self) {
        let take = |kind: &mut Kind| (mem::take(&mut kind.message), mem::take(&mut kind.left_out));
        let told: Vec<_> = self.kinds().values_mut().map(take).collect();
        for (what, lines) in told.into_iter().filter(|(_, lines)| *lines > 0) {
            tracing::warn!(target: EVIDENCE, lines, what, "log lines of one kind were left out");
        }
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<Identifier, Kind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind {
    fn admits(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.since) >= SECOND {
            (self.since, self.lines) = (now, 0);
        }
        let is_admitted = self.lines < LINES_PER_SECOND_MAX;
        self.lines += u32::from(is_admitted);
        is_admitted
    }
}

/// Takes the message of an event, without its fields.
struct Message<'m>(&'m mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _infallible = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_a_number_of_lines_in_each_second() {
        let mut kind = Kind::default();
        let mut admitted = |milliseconds| {
            (0..100).filter(|_| kind.admits(Duration::from_millis(milliseconds))).count()
        };
        assert_eq!(admitted(1), 20);
        assert_eq!(admitted(999), 0);
        assert_eq!(admitted(1500), 20);
        assert_eq!(admitted(2400), 0);
        assert_eq!(admitted(2500), 20);
    }
}
