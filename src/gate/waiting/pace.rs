//! The rate at which people can enter: that of the admission controller, or the measured one while leases are short.

use std::sync::atomic::{AtomicU32, Ordering};

use super::supply::Supply;

/// Weight of the latest measurement in the moving average.
const LATEST_WEIGHT: f64 = 0.5;
/// Growth factor at each measurement while leases stay free: probes for the real rate.
const GROWTH: f64 = 2.0;
/// Rate assumed for the time until a person asks again, if the real one is lower, people a second: a person near their
/// turn should not be away for long when they are called.
const POLL_RATE_MIN: f64 = 25.0;
/// How far ahead a measured rate and the controller's are used to predict, seconds.
const HORIZON_SECONDS: u32 = 10;
const CONTROLLED_HORIZON_SECONDS: u32 = 60;
/// Bounds of a rate that grows, people a second; the upper one is beyond any machine.
const RATE_MIN: f64 = 1.0;
const RATE_MAX: f64 = 100_000.0;

/// How many people a second can enter, estimated.
pub(super) struct Pace {
    /// As measured.
    measured: f64,
    since: u32,
    /// A lease was free at every look since the last measurement, and before it.
    leases_free: bool,
    leases_were_free: bool,
    /// The controller's rate.
    controlled: f64,
}

impl Pace {
    pub(super) fn from(now: u32) -> Self {
        Self {
            measured: 0.0,
            since: now,
            leases_free: true,
            leases_were_free: true,
            controlled: RATE_MAX,
        }
    }

    /// Notes how many leases are free, and the controller's rate.
    pub(super) fn saw(&mut self, supply: &Supply) {
        self.leases_free &= supply.places > 0;
        self.controlled = supply.per_second.min(RATE_MAX);
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
            self.measured = latest.max(self.measured * GROWTH).clamp(RATE_MIN, RATE_MAX);
        } else {
            self.measured += LATEST_WEIGHT * (latest - self.measured);
        }
        self.leases_were_free = self.leases_free;
        (self.since, self.leases_free) = (now, true);
    }

    /// How many people can enter within this many seconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "people")]
    pub(super) fn people_in(&self, seconds: u32) -> usize {
        let horizon =
            if self.is_controlled() { CONTROLLED_HORIZON_SECONDS } else { HORIZON_SECONDS };
        (self.per_second() * f64::from(seconds.min(horizon))) as usize
    }

    /// Seconds until this many people have entered, at [`POLL_RATE_MIN`] or the rate, whichever is higher.
    pub(super) fn seconds_at_most(&self, people: usize) -> u32 {
        seconds_at(self.per_second().max(POLL_RATE_MIN), people).unwrap_or(u32::MAX)
    }

    /// Seconds until this many people have entered; `None` while nearly nobody enters.
    pub(super) fn seconds_for(&self, people: usize) -> Option<u32> {
        seconds_at(self.per_second(), people)
    }

    /// Whether the controller is the bound, and not the number of leases.
    fn is_controlled(&self) -> bool {
        self.controlled < RATE_MAX && self.leases_free && self.leases_were_free
    }

    fn per_second(&self) -> f64 {
        if self.is_controlled() { self.controlled } else { self.measured.min(self.controlled) }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate of seconds"
)]
fn seconds_at(per_second: f64, people: usize) -> Option<u32> {
    let seconds = (people as f64 / per_second).ceil();
    (seconds <= f64::from(u32::MAX)).then_some(seconds as u32)
}
