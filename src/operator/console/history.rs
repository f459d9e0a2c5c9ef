//! The last hour: samples in a ring, and their plots.

use std::{collections::VecDeque, fmt::Write as _, time::Duration};

/// Time between two samples.
pub(super) const SAMPLE_EVERY: Duration = Duration::from_secs(10);
/// Samples that are kept: one hour of them.
pub(super) const SAMPLES_MAX: usize = 360;
/// Height of a plot, in the units of its picture; a sample is one unit wide.
const HEIGHT: f64 = 100.0;
/// Margin above and below the line, so that its whole width is seen.
const MARGIN: f64 = 3.0;

/// Samples of several series, the oldest first.
pub(super) struct History<const SERIES: usize> {
    samples: VecDeque<(u64, [Option<f32>; SERIES])>,
}

/// The line of one series.
#[derive(Debug, PartialEq)]
pub(super) struct Plot {
    /// The path of an SVG; empty without samples.
    pub(super) path: String,
    /// The highest value, at the top.
    pub(super) highest: f64,
    /// The latest value, if the latest sample has one.
    pub(super) latest: Option<f64>,
}

/// The picture of a plot: a place for each sample, the latest at the right edge.
pub(super) fn view_box() -> String {
    format!("0 0 {} {HEIGHT}", SAMPLES_MAX - 1)
}

impl<const SERIES: usize> History<SERIES> {
    pub(super) fn new() -> Self {
        Self { samples: VecDeque::with_capacity(SAMPLES_MAX) }
    }

    /// Whether the time of the next sample has come.
    pub(super) fn is_due(&self, at: Duration) -> bool {
        self.due_in(at).is_zero()
    }

    /// Time until the next sample.
    pub(super) fn due_in(&self, at: Duration) -> Duration {
        match self.samples.back() {
            Some((place, _)) if *place == place_of(at) => {
                Duration::from_secs((place + 1) * SAMPLE_EVERY.as_secs()).saturating_sub(at)
            }
            _ => Duration::ZERO,
        }
    }

    /// Adds a sample, which takes the place of the oldest if there are as many as are kept.
    #[expect(clippy::cast_possible_truncation, reason = "a picture needs no more digits")]
    pub(super) fn push(&mut self, at: Duration, values: [Option<f64>; SERIES]) {
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back((place_of(at), values.map(|value| value.map(|value| value as f32))));
    }

    /// The line of a series. A time without samples or without a value is a gap.
    pub(super) fn plot(&self, series: usize) -> Plot {
        let values = || self.samples.iter().map(|(place, values)| (*place, values[series]));
        let highest = values().filter_map(|(_, value)| value).fold(0.0, f32::max);
        let last = self.samples.back().map_or(0, |(place, _)| *place);
        let mut path = String::new();
        let mut before = None;
        for (place, value) in values() {
            let age = last - place;
            let (Some(value), true) = (value, age < SAMPLES_MAX as u64) else {
                before = None;
                continue;
            };
            let x = SAMPLES_MAX as u64 - 1 - age;
            let part = if highest > 0.0 { f64::from(value / highest) } else { 0.0 };
            let y = HEIGHT - MARGIN - part * (HEIGHT - 2.0 * MARGIN);
            // The end of a line is round: a sample alone is a dot.
            let is_alone = before.is_none_or(|before: u64| before + 1 != place);
            let (command, end) = if is_alone { ('M', "h0") } else { ('L', "") };
            // Writing to a string cannot fail.
            let _written = write!(path, "{command}{x} {y:.1}{end}");
            before = Some(place);
        }
        let latest = self.samples.back().and_then(|(_, values)| values[series]).map(f64::from);
        Plot { path, highest: f64::from(highest), latest }
    }
}

fn place_of(at: Duration) -> u64 {
    at.as_secs() / SAMPLE_EVERY.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(samples: impl IntoIterator<Item = (u64, Option<f64>)>) -> History<1> {
        let mut history = History::new();
        for (second, value) in samples {
            history.push(Duration::from_secs(second), [value]);
        }
        history
    }

    #[test]
    fn an_hour_is_kept_and_never_more() {
        let history = history((0..10_000).map(|n| (10 * n, Some(1.0))));
        assert_eq!(history.samples.len(), 360);
        assert_eq!(history.samples.capacity(), 360);
        let path = history.plot(0).path;
        assert!(path.starts_with("M0 3.0h0L1 3.0L2 3.0"), "{path}");
        assert!(path.ends_with("L359 3.0"), "{path}");
    }

    #[test]
    fn a_sample_is_due_every_ten_seconds_however_unevenly_it_is_looked_at() {
        let mut history = History::<1>::new();
        let mut taken = 0;
        for millis in (0..60_000).step_by(1_999) {
            let at = Duration::from_millis(millis);
            if history.is_due(at) {
                history.push(at, [None]);
                taken += 1;
            }
        }
        assert_eq!(taken, 6);
    }

    #[test]
    fn a_line_has_gaps_where_there_is_no_value() {
        let plot = history([(0, Some(0.0)), (10, Some(4.0)), (20, None), (30, Some(2.0))]).plot(0);
        assert_eq!(plot.path, "M356 97.0h0L357 3.0M359 50.0h0");
        assert_eq!((plot.highest, plot.latest), (4.0, Some(2.0)));
        let stopped = history([(0, Some(4.0)), (100, Some(4.0))]).plot(0);
        assert_eq!(stopped.path, "M349 3.0h0M359 3.0h0", "a process that stood still");
        let old = history([(0, Some(4.0)), (5_000, Some(2.0))]).plot(0);
        assert_eq!(old.path, "M359 50.0h0", "older than an hour");
        let none = History::<1>::new().plot(0);
        assert_eq!(none, Plot { path: String::new(), highest: 0.0, latest: None });
    }
}
