//! How fast people may go in.

use std::sync::atomic::{AtomicU32, Ordering};

/// How fast the pace follows what was measured last.
const FOLLOWS: f64 = 0.5;
/// By how much it rises each time it is measured while places stay free: what was too slow is found out, not known.
const RISES: f64 = 2.0;
/// A pace at which nobody is expected to be away for long when their turn comes, people a second.
const BRISK: f64 = 25.0;
/// How far ahead the pace of now says anything, seconds.
const FORESEES_SECONDS: u32 = 10;
/// From where it rises, and no further than what no machine does, people a second.
const LEAST: f64 = 1.0;
const MOST: f64 = 100_000.0;

/// How many may go in a second, as far as is known.
pub(super) struct Pace {
    per_second: f64,
    since: u32,
    /// Whether a place was free, whenever it was looked, since it was measured.
    idle: bool,
}

impl Pace {
    pub(super) fn from(now: u32) -> Self {
        Self { per_second: 0.0, since: now, idle: true }
    }

    /// So many places are free.
    pub(super) fn saw(&mut self, free: usize) {
        self.idle &= free > 0;
    }

    /// Takes in how many entered since the last time, unless that was in this same second. Places that stayed free although
    /// somebody `waits` mean that more may be called; while a round only gathers, and nobody is `called`, they mean nothing.
    pub(super) fn measure(&mut self, now: u32, entered: &AtomicU32, waits: bool, called: bool) {
        let elapsed = now.saturating_sub(self.since);
        if elapsed == 0 || (waits && self.idle && !called) {
            return;
        }
        let latest = f64::from(entered.swap(0, Ordering::Relaxed)) / f64::from(elapsed);
        if waits && self.idle {
            self.per_second = latest.max(self.per_second * RISES).clamp(LEAST, MOST);
        } else {
            self.per_second += FOLLOWS * (latest - self.per_second);
        }
        (self.since, self.idle) = (now, true);
    }

    /// How many may go in within so many seconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "people")]
    pub(super) fn people_in(&self, seconds: u32) -> usize {
        (self.per_second * f64::from(seconds.min(FORESEES_SECONDS))) as usize
    }

    /// How long so many people take if people go in briskly: whoever is near their turn asks often even if hardly anybody has
    /// gone in yet.
    pub(super) fn seconds_at_most(&self, people: usize) -> u32 {
        let brisk = Self { per_second: self.per_second.max(BRISK), ..*self };
        brisk.seconds_for(people).unwrap_or(u32::MAX)
    }

    /// How long so many people take; none while hardly anybody goes in.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of seconds"
    )]
    pub(super) fn seconds_for(&self, people: usize) -> Option<u32> {
        let seconds = (people as f64 / self.per_second).ceil();
        (seconds <= f64::from(u32::MAX)).then_some(seconds as u32)
    }
}
