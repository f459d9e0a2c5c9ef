//! The rate at which people can enter: that of the admission controller, or the measured one while leases are short.

use std::sync::atomic::{AtomicU32, Ordering};

use super::supply::{Rate, Supply};

/// Weight of the latest measurement in the moving average.
const LATEST_WEIGHT: f64 = 0.5;
/// Growth factor at each measurement while leases stay free: probes for the real rate.
const GROWTH: f64 = 2.0;
/// Rate assumed for the time until a person asks again, if the measured one is lower: it is uncertain, and a person near
/// their turn should not be away for long when they are called.
const POLL_RATE_MIN: Rate = Rate::per_second(25.0);
/// How far ahead a measured rate and the controller's are used to predict, seconds. A person who was told to come back
/// later than that is called when the rest of the time is shorter.
const HORIZON_SECONDS: u32 = 10;
const CONTROLLED_HORIZON_SECONDS: u32 = 600;
/// Bounds of a rate that grows, people a second; the upper one is beyond any machine.
const RATE_MIN: f64 = 1.0;
const RATE_MAX: f64 = 100_000.0;

/// How many people a second can enter, estimated.
pub(super) struct Pace {
    /// As measured, people a second.
    measured: f64,
    since: u32,
    /// A lease was free at every look since the last measurement, and before it.
    leases_free: bool,
    leases_were_free: bool,
    /// The controller's rate.
    controlled: Rate,
    /// People who enter at other nodes.
    others: Rate,
}

impl Pace {
    pub(super) fn from(now: u32) -> Self {
        Self {
            measured: 0.0,
            since: now,
            leases_free: true,
            leases_were_free: true,
            controlled: Rate::UNBOUNDED,
            others: Rate::per_second(0.0),
        }
    }

    /// Sets how many people a second enter at other nodes.
    pub(super) fn set_others(&mut self, others: Rate) {
        self.others = others;
    }

    /// How many people enter here within a thousand seconds.
    pub(super) fn own_per_kilosecond(&self) -> u32 {
        u32::try_from(self.rate().within(1000)).unwrap_or(u32::MAX)
    }

    /// How many people can enter at all nodes within this many seconds.
    pub(super) fn all_in(&self, seconds: u32) -> usize {
        self.people_in(seconds) + self.others.within(seconds.min(HORIZON_SECONDS))
    }

    /// Notes how many leases are free, and the controller's rate.
    pub(super) fn saw(&mut self, supply: &Supply) {
        self.leases_free &= supply.places > 0;
        self.controlled = supply.admissions;
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
    pub(super) fn people_in(&self, seconds: u32) -> usize {
        let horizon =
            if self.is_controlled() { CONTROLLED_HORIZON_SECONDS } else { HORIZON_SECONDS };
        self.rate().within(seconds.min(horizon))
    }

    /// Seconds until this many people have entered at the [assumed](Self::assumed) rate.
    pub(super) fn seconds_at_most(&self, people: usize) -> u32 {
        self.assumed().and(self.others).seconds_for(people).unwrap_or(u32::MAX)
    }

    /// The rate that is assumed for the time until a person asks again: the controller's, or [`POLL_RATE_MIN`] at least.
    pub(super) fn assumed(&self) -> Rate {
        let rate = self.rate();
        if self.is_controlled() { rate } else { rate.max(POLL_RATE_MIN) }
    }

    /// Seconds until this many people have entered; `None` while nearly nobody enters.
    pub(super) fn seconds_for(&self, people: usize) -> Option<u32> {
        self.rate().and(self.others).seconds_for(people)
    }

    /// Whether the controller is the bound, and not the number of leases.
    pub(super) fn is_controlled(&self) -> bool {
        self.controlled < Rate::per_second(RATE_MAX) && self.leases_free && self.leases_were_free
    }

    fn rate(&self) -> Rate {
        if self.is_controlled() {
            self.controlled
        } else {
            Rate::per_second(self.measured).min(self.controlled)
        }
    }
}
