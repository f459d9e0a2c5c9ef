//! Distributions of latencies, accurate to 0.1 %.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::figures;

/// Longest latency recorded; longer ones count as this.
pub(super) const LATENCY_MAX: Duration = Duration::from_hours(1);
/// Significant digits: an error of at most 0.1 %.
const DIGITS: u8 = 3;

/// A histogram of latencies in microseconds.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

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
