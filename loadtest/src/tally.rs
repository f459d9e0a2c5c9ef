//! What a run counts: latencies, statuses, endings, and what happened when.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use hyper::StatusCode;

use crate::{figures, owner::Crossover};

/// The longest latency told apart; longer ones count as this.
const LATENCY_MAX: Duration = Duration::from_hours(1);
/// Three significant digits: an error of at most 0.1 %.
const DIGITS: u8 = 3;
/// Different reasons told apart; a server that invents more gets them counted as one.
const REASONS_MAX: usize = 64;
/// Crossovers kept in full; all are counted.
const CROSSOVERS_KEPT_MAX: usize = 20;
/// Stretches of the timeline; a plot shows no more.
const STRETCHES_MAX: u32 = 600;

/// What a citizen does at the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Opens a session.
    Enter,
    /// Hands in the application.
    Submit,
    /// Reads it until it is decided.
    Read,
    /// Ends the session.
    Leave,
}

impl Step {
    /// The step's name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Leave => "leave",
        }
    }
}

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
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(figures::micros(latency));
    }

    /// Adds another thread's.
    ///
    /// # Panics
    ///
    /// Never: all histograms here have the same bounds.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency in milliseconds that a `share` of all does not exceed.
    #[must_use]
    pub fn quantile_ms(&self, share: f64) -> f64 {
        figures::millis(self.0.value_at_quantile(share))
    }

    /// The longest in milliseconds.
    #[must_use]
    pub fn longest_ms(&self) -> f64 {
        figures::millis(self.0.max())
    }
}

/// Counts by reason, of which there are only so many.
#[derive(Clone, Debug, Default)]
pub struct Reasons(BTreeMap<String, u64>);

impl Reasons {
    /// Counts one more for `reason`.
    pub fn count(&mut self, reason: &str) {
        self.add(reason, 1);
    }

    fn add(&mut self, reason: &str, count: u64) {
        if let Some(known) = self.0.get_mut(reason) {
            *known += count;
        } else {
            let reason = if self.0.len() < REASONS_MAX { reason } else { "another reason" };
            *self.0.entry(reason.to_owned()).or_default() += count;
        }
    }

    /// All reasons together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The counts by reason.
    #[must_use]
    pub fn by_reason(&self) -> &BTreeMap<String, u64> {
        &self.0
    }

    fn merge(&mut self, other: &Self) {
        for (reason, count) in &other.0 {
            self.add(reason, *count);
        }
    }
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With all that was wanted.
    Served,
    /// Turned away with a word why, to come back later.
    Refused(String),
    /// Broken: no answer, or one that the contract does not know.
    Failed(String),
    /// With a reply that was not its own.
    Crossed,
}

/// What happened in one stretch of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stretch {
    /// Sessions meant to start.
    pub offered: u64,
    /// Receipts that came.
    pub receipts: u64,
    /// Sessions that ended refused, failed or crossed.
    pub unserved: u64,
}

/// The run in stretches of equal length.
#[derive(Clone, Debug)]
pub struct Timeline {
    begin: Instant,
    /// The length of a stretch: a second, or more in a long run.
    pub stretch: Duration,
    /// The stretches from the beginning on.
    pub stretches: Vec<Stretch>,
}

impl Timeline {
    fn new(begin: Instant, length: Duration) -> Self {
        let stretch = (length / STRETCHES_MAX).max(Duration::from_secs(1));
        Self { begin, stretch, stretches: Vec::new() }
    }

    /// When the first stretch begins.
    #[must_use]
    pub fn begin(&self) -> Instant {
        self.begin
    }

    fn at(&mut self, when: Instant) -> &mut Stretch {
        let elapsed = when.saturating_duration_since(self.begin).as_micros();
        let number = usize::try_from(elapsed / self.stretch.as_micros()).unwrap_or(usize::MAX);
        // Twice the plan: room for the drain at the end. What comes even later joins the last.
        let number = number.min(2 * STRETCHES_MAX as usize);
        if number >= self.stretches.len() {
            self.stretches.resize(number + 1, Stretch::default());
        }
        &mut self.stretches[number]
    }

    fn merge(&mut self, other: &Self) {
        let length = self.stretches.len().max(other.stretches.len());
        self.stretches.resize(length, Stretch::default());
        for (mine, theirs) in self.stretches.iter_mut().zip(&other.stretches) {
            mine.offered += theirs.offered;
            mine.receipts += theirs.receipts;
            mine.unserved += theirs.unserved;
        }
    }
}

/// All that one generator thread counts; threads are merged at the end.
#[derive(Clone, Debug)]
pub struct Tally {
    /// From the intended start to an open session, waits included.
    pub enter: Latencies,
    /// From an open session to the receipt, retries included.
    pub submit: Latencies,
    /// One read.
    pub read: Latencies,
    /// From the intended start to the end of a served session.
    pub session: Latencies,
    /// One refused request.
    pub refusal: Latencies,
    /// The generator's own: from the intended to the actual start.
    pub lag: Latencies,
    /// Replies by step and status.
    pub statuses: BTreeMap<(Step, u16), u64>,
    /// Requests tried again, by reason.
    pub retried: Reasons,
    /// Sessions that ended refused, by reason.
    pub refused: Reasons,
    /// Sessions that ended broken, by reason.
    pub failed: Reasons,
    /// Sessions meant to start.
    pub offered: u64,
    /// Sessions that ended well.
    pub served: u64,
    /// Sessions that ended with a crossover.
    pub crossed: u64,
    /// Sessions not started because too many were under way.
    pub overflowed: u64,
    /// Sessions still under way when the run was over.
    pub unfinished: u64,
    /// Requests that had to wait for a free connection.
    pub connection_waits: u64,
    /// Receipts that came.
    pub receipts: u64,
    /// Receipts within the profile's `timely_ms`.
    pub timely: u64,
    /// Sessions that read their decision.
    pub decided: u64,
    /// Replies whose owner was checked.
    pub owners_checked: u64,
    /// The first crossovers in full.
    pub crossovers: Vec<Crossover>,
    /// What happened when.
    pub timeline: Timeline,
    /// When the last session ended.
    pub last_ending: Instant,
}

impl Tally {
    /// Nothing counted yet, for a run of `length` from `begin`.
    #[must_use]
    pub fn new(begin: Instant, length: Duration) -> Self {
        Self {
            enter: Latencies::default(),
            submit: Latencies::default(),
            read: Latencies::default(),
            session: Latencies::default(),
            refusal: Latencies::default(),
            lag: Latencies::default(),
            statuses: BTreeMap::new(),
            retried: Reasons::default(),
            refused: Reasons::default(),
            failed: Reasons::default(),
            offered: 0,
            served: 0,
            crossed: 0,
            overflowed: 0,
            unfinished: 0,
            connection_waits: 0,
            receipts: 0,
            timely: 0,
            decided: 0,
            owners_checked: 0,
            crossovers: Vec::new(),
            timeline: Timeline::new(begin, length),
            last_ending: begin,
        }
    }

    /// Starts the timeline anew at `begin`, keeping all counts: a closed loop enters before it times.
    pub fn begin_at(&mut self, begin: Instant, length: Duration) {
        self.timeline = Timeline::new(begin, length);
        self.last_ending = begin;
    }

    /// A session meant to start at `due`.
    pub fn offer(&mut self, due: Instant) {
        self.offered += 1;
        self.timeline.at(due).offered += 1;
    }

    /// A reply at `step`.
    pub fn reply(&mut self, step: Step, status: StatusCode) {
        *self.statuses.entry((step, status.as_u16())).or_default() += 1;
    }

    /// A receipt that came at `now` after `latency`.
    pub fn receipt(&mut self, now: Instant, latency: Duration, timely: Duration) {
        self.receipts += 1;
        self.timely += u64::from(latency <= timely);
        self.submit.record(latency);
        self.timeline.at(now).receipts += 1;
    }

    /// An application read after `latency`.
    pub fn read(&mut self, latency: Duration, decided: bool) {
        self.read.record(latency);
        self.decided += u64::from(decided);
    }

    /// A reply that was somebody else's.
    pub fn crossover(&mut self, crossover: Crossover) {
        if self.crossovers.len() < CROSSOVERS_KEPT_MAX {
            self.crossovers.push(crossover);
        }
    }

    /// The end of a session that was meant to start at `due`.
    pub fn end(&mut self, ending: &Ending, due: Instant, now: Instant) {
        self.last_ending = self.last_ending.max(now);
        match ending {
            Ending::Served => {
                self.served += 1;
                self.session.record(now.saturating_duration_since(due));
                return;
            }
            Ending::Refused(reason) => self.refused.count(reason),
            Ending::Failed(reason) => self.failed.count(reason),
            Ending::Crossed => self.crossed += 1,
        }
        self.timeline.at(now).unserved += 1;
    }

    /// Adds another thread's counts.
    pub fn merge(&mut self, other: Self) {
        self.enter.merge(&other.enter);
        self.submit.merge(&other.submit);
        self.read.merge(&other.read);
        self.session.merge(&other.session);
        self.refusal.merge(&other.refusal);
        self.lag.merge(&other.lag);
        for (key, count) in other.statuses {
            *self.statuses.entry(key).or_default() += count;
        }
        self.retried.merge(&other.retried);
        self.refused.merge(&other.refused);
        self.failed.merge(&other.failed);
        self.offered += other.offered;
        self.served += other.served;
        self.crossed += other.crossed;
        self.overflowed += other.overflowed;
        self.unfinished += other.unfinished;
        self.connection_waits += other.connection_waits;
        self.receipts += other.receipts;
        self.timely += other.timely;
        self.decided += other.decided;
        self.owners_checked += other.owners_checked;
        other.crossovers.into_iter().for_each(|crossover| self.crossover(crossover));
        self.timeline.merge(&other.timeline);
        self.last_ending = self.last_ending.max(other.last_ending);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Ending, Latencies, REASONS_MAX, Reasons, Tally};
    use crate::clock;

    #[test]
    fn quantiles_are_right_to_a_thousandth() {
        let mut latencies = Latencies::default();
        (1..=1000).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        assert!((latencies.quantile_ms(0.5) - 500.0).abs() <= 0.5);
        assert!((latencies.quantile_ms(0.99) - 990.0).abs() <= 1.0);
        assert!((latencies.longest_ms() - 1000.0).abs() <= 1.0);
    }

    #[test]
    fn reasons_are_bounded() {
        let mut reasons = Reasons::default();
        (0..1000).for_each(|number| reasons.count(&format!("reason {number}")));
        assert_eq!(reasons.total(), 1000);
        assert_eq!(reasons.by_reason().len(), REASONS_MAX + 1);
    }

    #[test]
    fn two_threads_tallies_are_one() {
        let begin = clock::now();
        let second = Duration::from_secs(1);
        let mut mine = Tally::new(begin, second * 10);
        let mut theirs = mine.clone();
        mine.offer(begin);
        mine.end(&Ending::Served, begin, begin + second);
        theirs.offer(begin + second * 3);
        theirs.end(&Ending::Refused("503 busy".to_owned()), begin, begin + second * 4);
        mine.merge(theirs);
        assert_eq!((mine.offered, mine.served, mine.refused.total()), (2, 1, 1));
        assert_eq!(mine.timeline.stretches.len(), 5);
        assert_eq!(mine.timeline.stretches[3].offered, 1);
        assert_eq!(mine.last_ending, begin + second * 4);
    }
}
