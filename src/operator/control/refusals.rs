//! Requests that control refuses before it reads them: counted, and recorded within a bound, so that nobody fills the
//! audit trail.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::{intake::Intake, metrics::CONTROL_ACTIONS};

/// Lines about refusals in the audit trail: enough to notice an attempt, too few to fill it.
const LINES: Quota = Quota::per_minute(NonZeroU32::new(6).unwrap());

/// The refusals, and those since the latest line that have none of their own.
pub(super) struct Refusals {
    lines: DefaultDirectRateLimiter,
    untold: AtomicU64,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self { lines: RateLimiter::direct(LINES), untold: AtomicU64::new(0) }
    }

    /// Counts a refusal for this reason, and records it.
    pub(super) fn note(&self, intake: &Intake, reason: &'static str) {
        CONTROL_ACTIONS.counter(&["none", reason]).increment(1);
        if let Some(line) = self.line(reason) {
            intake.note_control(&line);
            tracing::warn!("{line}");
        }
    }

    /// The line about it; `None` if there were too many.
    fn line(&self, reason: &str) -> Option<String> {
        if self.lines.check().is_err() {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(match self.untold.swap(0, Ordering::Relaxed) {
            0 => format!("control: a request was refused: {reason}"),
            more => format!("control: a request was refused: {reason}; and {more} before it"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_writes_a_few_lines() {
        let refusals = Refusals::new();
        let lines: Vec<_> = (0..1000).filter_map(|_| refusals.line("unauthenticated")).collect();
        assert!((6..=7).contains(&lines.len()), "{lines:?}");
        assert!(refusals.untold.load(Ordering::Relaxed) >= 993);
    }
}
