//! Distributions of latencies, accurate to 0.1 %.

use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

use crate::figures;

/// Longest latency recorded; longer ones count as this.
pub(super) const LATENCY_MAX: Duration = Duration::from_hours(1);
/// Significant digits: an error of at most 0.1 %.
const DIGITS: u8 = 3;

/// Values and how often each was recorded.
pub(super) type Recorded = Vec<(u64, u64)>;

/// A histogram of latencies in microseconds.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

/// The values of a histogram, and how often each was recorded.
pub(super) fn recorded<C: Counter>(histogram: &Histogram<C>) -> Recorded {
    let values = histogram.iter_recorded();
    values.map(|one| (one.value_iterated_to(), one.count_since_last_iteration())).collect()
}

impl Default for Latencies {
    fn default() -> Self {
        let highest = figures::micros(LATENCY_MAX);
        let histogram = Histogram::new_with_bounds(1, highest, DIGITS);
        Self(histogram.expect("the bounds are constants that hdrhistogram takes"))
    }
}

impl Latencies {
    /// Records one latency.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(figures::micros(latency));
    }

    /// Adds the latencies of another thread.
    ///
    /// # Panics
    ///
    /// Never: all histograms here have the same bounds.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// The recorded values in microseconds, and how often.
    pub(super) fn recorded(&self) -> Recorded {
        recorded(&self.0)
    }

    /// Adds values recorded elsewhere.
    pub(super) fn receive(&mut self, values: &[(u64, u64)]) {
        for &(value, count) in values {
            self.0.saturating_record_n(value, count);
        }
    }

    /// Number of latencies.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The quantile at `share`, from 0 to 1, in milliseconds.
    #[must_use]
    pub fn quantile_ms(&self, share: f64) -> f64 {
        figures::millis(self.0.value_at_quantile(share))
    }

    /// The longest latency in milliseconds.
    #[must_use]
    pub fn longest_ms(&self) -> f64 {
        figures::millis(self.0.max())
    }
}
