//! The timeline of a run: counts by intervals of equal length.

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::{
    latencies::{LATENCY_MAX, Recorded, recorded},
    reasons::Reasons,
};
use crate::figures;

/// Most intervals during the schedule; a plot shows no more.
const STRETCHES_MAX: u32 = 600;
/// Significant digits: accurate to 1/128, enough to compare phases, and 16 KiB an interval.
const DIGITS: u8 = 2;

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
    /// Receipts within the profile's `timely_ms`.
    #[serde(default)]
    pub timely: u64,
    /// Sessions opened.
    #[serde(default)]
    pub let_in: u64,
    /// Opened sessions that ended.
    #[serde(default)]
    pub left: u64,
    /// Those of them that ended refused, failed or crossed.
    #[serde(default)]
    pub lost: u64,
    /// The generator's own lag at the 99th percentile, in microseconds.
    #[serde(default)]
    pub lag_p99_us: u64,
}

/// Counts of consecutive intervals together.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// Sums, and quantiles over all of them.
    pub figures: Stretch,
    /// Requests to be tried again, by place and reason.
    pub again: BTreeMap<String, u64>,
}

/// One interval on its way from one generator process to another.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct ShippedStretch {
    pub(super) figures: Stretch,
    pub(super) submit: Recorded,
    pub(super) lag: Recorded,
    pub(super) again: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default)]
struct Counted {
    figures: Stretch,
    // `None` until the first receipt: most intervals of a long drain have none.
    submit: Option<Histogram<u32>>,
    lag: Option<Histogram<u32>>,
    again: Reasons,
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

    /// The intervals of `numbers` together.
    #[must_use]
    pub fn span(&self, numbers: Range<usize>) -> Span {
        let mut whole = Counted::default();
        for counted in self.counted.iter().take(numbers.end).skip(numbers.start) {
            whole.add(counted);
        }
        Span { figures: whole.figures(), again: whole.again.by_reason().clone() }
    }

    pub(super) fn start(&mut self, due: Instant, lag: Duration) {
        record(&mut self.counted_at(due).lag, lag);
    }

    pub(super) fn again(&mut self, when: Instant, reason: &str) {
        self.counted_at(when).again.count(reason);
    }

    pub(super) fn receipt(&mut self, when: Instant, latency: Duration, timely: bool) {
        let counted = self.counted_at(when);
        counted.figures.receipts += 1;
        counted.figures.timely += u64::from(timely);
        record(&mut counted.submit, latency);
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

    pub(super) fn ship(&self) -> Vec<ShippedStretch> {
        self.counted.iter().map(Counted::ship).collect()
    }

    pub(super) fn receive(&mut self, shipped: &[ShippedStretch]) {
        let stretch = self.stretch;
        let counted = shipped.iter().map(Counted::of).collect();
        self.merge(&Self { begin: self.begin, stretch, counted });
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let length = self.counted.len().max(other.counted.len());
        self.counted.resize_with(length, Counted::default);
        for (mine, theirs) in self.counted.iter_mut().zip(&other.counted) {
            mine.add(theirs);
        }
    }
}

impl Counted {
    fn figures(&self) -> Stretch {
        let at = |histogram: &Option<Histogram<u32>>, share| {
            histogram.as_ref().map_or(0, |histogram| histogram.value_at_quantile(share))
        };
        Stretch {
            submit_p50_us: at(&self.submit, 0.5),
            submit_p99_us: at(&self.submit, 0.99),
            lag_p99_us: at(&self.lag, 0.99),
            ..self.figures
        }
    }

    fn ship(&self) -> ShippedStretch {
        ShippedStretch {
            figures: self.figures,
            submit: self.submit.as_ref().map(recorded).unwrap_or_default(),
            lag: self.lag.as_ref().map(recorded).unwrap_or_default(),
            again: self.again.by_reason().clone(),
        }
    }

    fn of(shipped: &ShippedStretch) -> Self {
        let mut again = Reasons::default();
        shipped.again.iter().for_each(|(reason, count)| again.add(reason, *count));
        let (submit, lag) = (of_recorded(&shipped.submit), of_recorded(&shipped.lag));
        Self { figures: shipped.figures, submit, lag, again }
    }

    fn add(&mut self, other: &Self) {
        let (mine, theirs) = (&mut self.figures, &other.figures);
        mine.offered += theirs.offered;
        mine.receipts += theirs.receipts;
        mine.timely += theirs.timely;
        mine.unserved += theirs.unserved;
        mine.refusals += theirs.refusals;
        mine.let_in += theirs.let_in;
        mine.left += theirs.left;
        mine.lost += theirs.lost;
        add(&mut self.submit, other.submit.as_ref());
        add(&mut self.lag, other.lag.as_ref());
        self.again.merge(&other.again);
    }
}

fn record(place: &mut Option<Histogram<u32>>, latency: Duration) {
    place.get_or_insert_with(empty).saturating_record(figures::micros(latency));
}

fn empty() -> Histogram<u32> {
    let histogram = Histogram::new_with_bounds(1, figures::micros(LATENCY_MAX), DIGITS);
    histogram.expect("the bounds are constants that hdrhistogram takes")
}

fn of_recorded(values: &[(u64, u64)]) -> Option<Histogram<u32>> {
    let mut histogram = (!values.is_empty()).then(empty)?;
    for &(value, count) in values {
        histogram.saturating_record_n(value, u32::try_from(count).unwrap_or(u32::MAX));
    }
    Some(histogram)
}

fn add(mine: &mut Option<Histogram<u32>>, theirs: Option<&Histogram<u32>>) {
    match (mine, theirs) {
        (Some(mine), Some(theirs)) => mine.add(theirs).expect("both have the same bounds"),
        (empty @ None, Some(theirs)) => *empty = Some(theirs.clone()),
        (_, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Timeline;
    use crate::clock;

    #[test]
    fn latencies_over_time_are_accurate_to_a_hundredth_and_merge() {
        let begin = clock::now();
        let second = Duration::from_secs(1);
        let mut mine = Timeline::new(begin, second * 3);
        let mut theirs = mine.clone();
        (1..=100).for_each(|ms| mine.receipt(begin, Duration::from_millis(ms), true));
        theirs.receipt(begin + second, Duration::from_millis(7), true);
        mine.merge(&theirs);
        let told = mine.stretches();
        assert_eq!((told[0].receipts, told[1].receipts), (100, 1));
        assert!(told[0].submit_p50_us.abs_diff(50_000) < 50_000 / 100, "{}", told[0].submit_p50_us);
        assert!(told[0].submit_p99_us.abs_diff(99_000) < 99_000 / 100, "{}", told[0].submit_p99_us);
        assert!(told[1].submit_p99_us.abs_diff(7000) < 7000 / 100);
    }
}
