//! The rate at which people can enter, as measured.

use std::sync::atomic::{AtomicU32, Ordering};

/// Weight of the latest measurement in the moving average.
const LATEST_WEIGHT: f64 = 0.5;
/// Growth factor at each measurement while leases stay free: probes for the real rate.
const GROWTH: f64 = 2.0;
/// Rate assumed for the time until a person asks again, if the measured one is lower, people a second: a person near
/// their turn should not be away for long when they are called.
const POLL_RATE_MIN: f64 = 25.0;
/// How far ahead the current rate is used to predict, seconds.
const HORIZON_SECONDS: u32 = 10;
/// Bounds of a rate that grows, people a second; the upper one is beyond any machine.
const RATE_MIN: f64 = 1.0;
const RATE_MAX: f64 = 100_000.0;

/// How many people a second can enter, estimated.
pub(super) struct Pace {
    per_second: f64,
    since: u32,
    /// A lease was free at every look since the last measurement.
    leases_free: bool,
}

impl Pace {
    pub(super) fn from(now: u32) -> Self {
        Self { per_second: 0.0, since: now, leases_free: true }
    }

    /// Notes how many leases are free.
    pub(super) fn saw(&mut self, free: usize) {
        self.leases_free &= free > 0;
    }

    /// Measures the rate from how many people `entered` since the last call; does nothing within the same second. If
    /// leases stayed free although somebody `waits`, more people can be called; while nobody is `called`, because a
    /// round only gathers, that says nothing.
    pub(super) fn measure(&mut self, now: u32, entered: &AtomicU32, waits: bool, called: bool) {
        let elapsed = now.saturating_sub(self.since);
        if elapsed == 0 || (waits && self.leases_free && !called) {
            return;
        }
        let latest = f64::from(entered.swap(0, Ordering::Relaxed)) / f64::from(elapsed);
        if waits && self.leases_free {
            self.per_second = latest.max(self.per_second * GROWTH).clamp(RATE_MIN, RATE_MAX);
        } else {
            self.per_second += LATEST_WEIGHT * (latest - self.per_second);
        }
        (self.since, self.leases_free) = (now, true);
    }

    /// How many people can enter within this many seconds; predicts for [`HORIZON_SECONDS`] at most.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "people")]
    pub(super) fn people_in(&self, seconds: u32) -> usize {
        (self.per_second * f64::from(seconds.min(HORIZON_SECONDS))) as usize
    }

    /// Seconds until this many people have entered, at [`POLL_RATE_MIN`] or the measured rate, whichever is higher.
    pub(super) fn seconds_at_most(&self, people: usize) -> u32 {
        let fast = Self { per_second: self.per_second.max(POLL_RATE_MIN), ..*self };
        fast.seconds_for(people).unwrap_or(u32::MAX)
    }

    /// Seconds until this many people have entered; `None` while nearly nobody enters.
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
