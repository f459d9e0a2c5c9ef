//! The latest readings, and what follows from them: rates, times of the last seconds, whether the balance holds.

use std::{collections::VecDeque, time::Duration};

use super::reading::{Distribution, Quantity, Reading};

/// Readings that are kept: half a minute of them while somebody looks.
const READINGS_MAX: usize = 16;
/// Time over which rates and percentiles are taken: short enough to see a surge begin, long enough to be readable.
const SPAN: Duration = Duration::from_secs(10);
/// How long a difference stands at rest until the balance counts as broken: readings of one moment are not of one instant.
const BALANCE_SPAN: Duration = Duration::from_secs(10);
/// Whole numbers that differ by less are the same.
const HALF: f64 = 0.5;

/// Whether every accepted application is accounted for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Balance {
    /// Accepted = decided + undecided + withdrawn.
    Even,
    /// The sum differs by this many, as it may while applications arrive.
    Moving(f64),
    /// It differs by this many although nothing has moved for a while.
    Broken(f64),
}

/// The latest readings. There is at least one.
pub(super) struct Recent {
    newest: Reading,
    /// Those before it, the oldest first.
    earlier: VecDeque<Reading>,
}

impl Recent {
    pub(super) fn new(first: Reading) -> Self {
        Self { newest: first, earlier: VecDeque::with_capacity(READINGS_MAX) }
    }

    pub(super) fn push(&mut self, newer: Reading) {
        if self.earlier.len() + 1 == READINGS_MAX {
            self.earlier.pop_front();
        }
        self.earlier.push_back(std::mem::replace(&mut self.newest, newer));
    }

    pub(super) fn newest(&self) -> &Reading {
        &self.newest
    }

    /// The reading with which the newest is compared: the latest that is old enough, or else the oldest.
    fn base(&self) -> Option<&Reading> {
        let is_old = |reading: &&Reading| self.newest.at.saturating_sub(reading.at) >= SPAN;
        self.earlier.iter().rev().find(is_old).or(self.earlier.front())
    }

    /// Increase a second of something that only rises. `None` until there is something to compare with.
    pub(super) fn per_second(&self, of: impl Fn(&Reading) -> f64) -> Option<f64> {
        let base = self.base()?;
        let seconds = self.newest.at.saturating_sub(base.at).as_secs_f64();
        (seconds > 0.0).then(|| (of(&self.newest) - of(base)).max(0.0) / seconds)
    }

    /// The same of a quantity.
    pub(super) fn rate(&self, quantity: Quantity) -> Option<f64> {
        self.per_second(|reading| reading.of(quantity))
    }

    /// The value below which this part of the latest samples is. `None` without samples.
    pub(super) fn quantile(
        &self,
        of: impl Fn(&Reading) -> &Distribution,
        part: f64,
    ) -> Option<f64> {
        let all = of(&self.newest);
        self.base().map_or_else(|| all.clone(), |base| all.since(of(base))).quantile(part)
    }

    pub(super) fn balance(&self) -> Balance {
        let difference = self.newest.unaccounted();
        if difference == 0.0 {
            return Balance::Even;
        }
        let counts = |reading: &Reading| {
            [reading.of(Quantity::Accepted), reading.of(Quantity::Decided), reading.unaccounted()]
        };
        let now = counts(&self.newest);
        let is_same = |reading: &&Reading| {
            counts(reading).iter().zip(now).all(|(then, now)| (then - now).abs() < HALF)
        };
        let at_rest = self.earlier.iter().rev().take_while(is_same).last();
        let rested =
            at_rest.map_or(Duration::ZERO, |since| self.newest.at.saturating_sub(since.at));
        if rested >= BALANCE_SPAN {
            Balance::Broken(difference)
        } else {
            Balance::Moving(difference)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(second: u64, accepted: u32, decided: u32) -> Reading {
        let page = format!(
            "sportello_applications_accepted_total {accepted}\n\
             sportello_applications_decided_total {decided}\n\
             sportello_request_duration_seconds_bucket{{route=\"/v1/status\",le=\"0.001\"}} {decided}\n\
             sportello_request_duration_seconds_bucket{{route=\"/v1/status\",le=\"+Inf\"}} {accepted}\n"
        );
        Reading::of_page(Duration::from_secs(second), &page)
    }

    fn recent(readings: impl IntoIterator<Item = (u64, u32, u32)>) -> Recent {
        let mut readings =
            readings.into_iter().map(|(at, accepted, decided)| reading(at, accepted, decided));
        let mut recent = Recent::new(readings.next().unwrap());
        readings.for_each(|reading| recent.push(reading));
        recent
    }

    #[test]
    fn rates_are_those_of_the_last_ten_seconds() {
        let rate = |recent: &Recent| recent.rate(Quantity::Accepted);
        assert_eq!(rate(&recent([(0, 5, 5)])), None);
        assert_eq!(rate(&recent([(0, 5, 5), (2, 9, 9)])), Some(2.0), "of what there is");
        let surge = (0..60).map(|n| (2 * n, 0, 0)).chain([(120, 100, 100), (130, 200, 200)]);
        assert_eq!(rate(&recent(surge)), Some(10.0));
        // A counter that begins again, as after a mistake of ours, is no negative rate.
        assert_eq!(rate(&recent([(0, 5, 5), (10, 3, 3)])), Some(0.0));
    }

    #[test]
    fn percentiles_are_those_of_the_last_ten_seconds() {
        let slow_then_fast = recent([(0, 0, 0), (10, 100, 0), (20, 200, 100)]);
        assert_eq!(slow_then_fast.quantile(|reading| &reading.others, 0.5), Some(0.0005));
        let at_first = recent([(0, 10, 10)]);
        assert_eq!(at_first.quantile(|reading| &reading.others, 0.5), Some(0.0005));
    }

    #[test]
    fn the_readings_are_bounded() {
        let recent = recent((0..10_000).map(|n| (n, 0, 0)));
        assert_eq!(recent.earlier.len() + 1, READINGS_MAX);
        assert_eq!(recent.earlier.capacity(), READINGS_MAX);
    }

    #[test]
    fn a_balance_is_broken_only_if_a_difference_stands_at_rest() {
        let balance = |readings: &[(u64, u32, u32)]| recent(readings.iter().copied()).balance();
        assert_eq!(balance(&[(0, 7, 7)]), Balance::Even);
        assert_eq!(balance(&[(0, 7, 6)]), Balance::Moving(1.0));
        assert_eq!(balance(&[(0, 7, 6), (8, 7, 6)]), Balance::Moving(1.0), "not long enough");
        assert_eq!(balance(&[(0, 7, 6), (8, 7, 6), (10, 7, 6)]), Balance::Broken(1.0));
        assert_eq!(balance(&[(0, 7, 6), (8, 8, 7), (16, 8, 7)]), Balance::Moving(1.0), "it moved");
        assert_eq!(balance(&[(0, 7, 6), (8, 7, 7), (16, 7, 6)]), Balance::Moving(1.0));
        assert_eq!(balance(&[(0, 6, 7), (10, 6, 7)]), Balance::Broken(-1.0), "one too many");
        assert_eq!(balance(&[(0, 7, 6), (10, 7, 6), (12, 7, 7)]), Balance::Even);
    }
}
