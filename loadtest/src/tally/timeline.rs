//! The timeline of a run: counts by intervals of equal length.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::latencies::LATENCY_MAX;
use crate::figures;

/// Most intervals during the schedule; a plot shows no more.
const STRETCHES_MAX: u32 = 600;
/// Significant digits: accurate to 1/16, enough for a plot, and 2 KiB an interval.
const PLOT_DIGITS: u8 = 1;

/// Counts of one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stretch {
    /// Sessions scheduled to start.
    pub offered: u64,
    /// Receipts received.
    pub receipts: u64,
    /// Sessions that ended refused, failed or crossed.
    pub unserved: u64,
    /// Requests refused with 429 or 503.
    #[serde(default)]
    pub refusals: u64,
    /// Median latency of submissions in microseconds; 0 without receipts.
    #[serde(default)]
    pub submit_p50_us: u64,
    /// 99th percentile, likewise.
    #[serde(default)]
    pub submit_p99_us: u64,
}

#[derive(Clone, Debug, Default)]
struct Counted {
    figures: Stretch,
    // `None` until the first receipt: most intervals of a long drain have none.
    submit: Option<Histogram<u32>>,
}

/// Counts of a run by intervals of equal length.
#[derive(Clone, Debug)]
pub struct Timeline {
    begin: Instant,
    /// Length of an interval: a second, or more in a long run.
    pub stretch: Duration,
    counted: Vec<Counted>,
}

impl Timeline {
    pub(super) fn new(begin: Instant, length: Duration) -> Self {
        let stretch = (length / STRETCHES_MAX).max(Duration::from_secs(1));
        Self { begin, stretch, counted: Vec::new() }
    }

    /// Begin of the first interval.
    #[must_use]
    pub fn begin(&self) -> Instant {
        self.begin
    }

    /// The intervals in order.
    #[must_use]
    pub fn stretches(&self) -> Vec<Stretch> {
        self.counted.iter().map(Counted::figures).collect()
    }

    pub(super) fn at(&mut self, when: Instant) -> &mut Stretch {
        &mut self.counted_at(when).figures
    }

    pub(super) fn receipt(&mut self, when: Instant, latency: Duration) {
        let counted = self.counted_at(when);
        counted.figures.receipts += 1;
        let highest = figures::micros(LATENCY_MAX);
        let empty = || Histogram::new_with_bounds(1, highest, PLOT_DIGITS);
        let empty = || empty().expect("the bounds are constants that hdrhistogram takes");
        let micros = figures::micros(latency);
        counted.submit.get_or_insert_with(empty).saturating_record(micros);
    }

    fn counted_at(&mut self, when: Instant) -> &mut Counted {
        let elapsed = when.saturating_duration_since(self.begin).as_micros();
        let number = usize::try_from(elapsed / self.stretch.as_micros()).unwrap_or(usize::MAX);
        // Twice the schedule leaves room for the drain; anything later is counted in the last interval.
        let number = number.min(2 * STRETCHES_MAX as usize);
        if number >= self.counted.len() {
            self.counted.resize_with(number + 1, Counted::default);
        }
        &mut self.counted[number]
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let length = self.counted.len().max(other.counted.len());
        self.counted.resize_with(length, Counted::default);
        for (mine, theirs) in self.counted.iter_mut().zip(&other.counted) {
            mine.figures.offered += theirs.figures.offered;
            mine.figures.receipts += theirs.figures.receipts;
            mine.figures.unserved += theirs.figures.unserved;
            mine.figures.refusals += theirs.figures.refusals;
            match (&mut mine.submit, &theirs.submit) {
                (Some(submit), Some(other)) => {
                    submit.add(other).expect("both have the same bounds");
                }
                (empty @ None, Some(other)) => *empty = Some(other.clone()),
                (_, None) => {}
            }
        }
    }
}

impl Counted {
    fn figures(&self) -> Stretch {
        let at = |share| self.submit.as_ref().map_or(0, |submit| submit.value_at_quantile(share));
        Stretch { submit_p50_us: at(0.5), submit_p99_us: at(0.99), ..self.figures }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Timeline;
    use crate::clock;

    #[test]
    fn latencies_over_time_are_accurate_to_a_sixteenth_and_merge() {
        let begin = clock::now();
        let second = Duration::from_secs(1);
        let mut mine = Timeline::new(begin, second * 3);
        let mut theirs = mine.clone();
        (1..=100).for_each(|ms| mine.receipt(begin, Duration::from_millis(ms)));
        theirs.receipt(begin + second, Duration::from_millis(7));
        mine.merge(&theirs);
        let told = mine.stretches();
        assert_eq!((told[0].receipts, told[1].receipts), (100, 1));
        assert!(told[0].submit_p50_us.abs_diff(50_000) < 50_000 / 15, "{}", told[0].submit_p50_us);
        assert!(told[0].submit_p99_us.abs_diff(99_000) < 99_000 / 15, "{}", told[0].submit_p99_us);
        assert!(told[1].submit_p99_us.abs_diff(7000) < 7000 / 15);
    }
}
