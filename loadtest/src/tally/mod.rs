//! What a run counts: latencies, statuses, endings, and what happened when.

mod latencies;
mod reasons;
mod timeline;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hyper::StatusCode;

pub use self::{
    latencies::Latencies,
    reasons::Reasons,
    timeline::{Stretch, Timeline},
};
use crate::owner::Crossover;

/// Crossovers kept in full; all are counted.
const CROSSOVERS_KEPT_MAX: usize = 20;

/// What a citizen does at the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Opens a session.
    Enter,
    /// Saves a draft.
    Draft,
    /// Asks what would be decided.
    Estimate,
    /// Hands in the application.
    Submit,
    /// Hands in many, one a line, for an intermediary's clients.
    Batch,
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
            Self::Draft => "draft",
            Self::Estimate => "estimate",
            Self::Submit => "submit",
            Self::Batch => "batch",
            Self::Read => "read",
            Self::Leave => "leave",
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
    /// By the citizen's own will, before a receipt.
    Abandoned,
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
    /// The other steps, each from asking to its answer, waits and retries included.
    pub steps: BTreeMap<Step, Latencies>,
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
    /// Sessions that their citizens gave up, as the profile wants of some.
    pub abandoned: u64,
    /// Connections that were closed in the middle of a body, as the profile wants of some.
    pub cut_short: u64,
    /// Times a citizen came back before its `Retry-After` was over, as the profile wants of some.
    pub impatient: u64,
    /// Times a session was gone and its citizen entered again.
    pub entered_again: u64,
    /// Sessions still under way when the run was over.
    pub unfinished: u64,
    /// Requests that had to wait for a free connection.
    pub connection_waits: u64,
    /// Receipts wanted by the sessions offered: one each, a batch's lines, none of those who give up.
    pub wanted: u64,
    /// Receipts that came.
    pub receipts: u64,
    /// Lines of batches that got a problem instead of a receipt, by reason.
    pub lines_refused: Reasons,
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
            steps: BTreeMap::new(),
            lag: Latencies::default(),
            statuses: BTreeMap::new(),
            retried: Reasons::default(),
            refused: Reasons::default(),
            failed: Reasons::default(),
            offered: 0,
            served: 0,
            crossed: 0,
            overflowed: 0,
            abandoned: 0,
            cut_short: 0,
            impatient: 0,
            entered_again: 0,
            unfinished: 0,
            connection_waits: 0,
            wanted: 0,
            receipts: 0,
            lines_refused: Reasons::default(),
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

    /// A session meant to start at `due`, which wants so many receipts.
    pub fn offer(&mut self, due: Instant, wanted: u64) {
        self.offered += 1;
        self.wanted += wanted;
        self.timeline.at(due).offered += 1;
    }

    /// A reply at `step`.
    pub fn reply(&mut self, step: Step, status: StatusCode) {
        *self.statuses.entry((step, status.as_u16())).or_default() += 1;
    }

    /// How often people were told to wait in the waiting room.
    #[must_use]
    pub fn told_to_wait(&self) -> u64 {
        let told = (Step::Enter, StatusCode::ACCEPTED.as_u16());
        self.statuses.get(&told).copied().unwrap_or_default()
    }

    /// A receipt that came at `now` after `latency`.
    pub fn receipt(&mut self, now: Instant, latency: Duration, timely: Duration) {
        self.receipts += 1;
        self.timely += u64::from(latency <= timely);
        self.submit.record(latency);
        self.timeline.receipt(now, latency);
    }

    /// A request that was turned away at `now` after `latency`.
    pub fn refused_request(&mut self, now: Instant, latency: Duration) {
        self.refusal.record(latency);
        self.timeline.at(now).refusals += 1;
    }

    /// A step other than entering, submitting and reading that took `latency`.
    pub fn step(&mut self, step: Step, latency: Duration) {
        self.steps.entry(step).or_default().record(latency);
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
            Ending::Abandoned => {
                self.abandoned += 1;
                return;
            }
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
        for (step, latencies) in &other.steps {
            self.steps.entry(*step).or_default().merge(latencies);
        }
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
        self.abandoned += other.abandoned;
        self.cut_short += other.cut_short;
        self.impatient += other.impatient;
        self.entered_again += other.entered_again;
        self.unfinished += other.unfinished;
        self.connection_waits += other.connection_waits;
        self.wanted += other.wanted;
        self.receipts += other.receipts;
        self.lines_refused.merge(&other.lines_refused);
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

    use hyper::StatusCode;

    use super::{Ending, Latencies, Reasons, Step, Tally, reasons::REASONS_MAX};
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
    fn who_waits_is_told_apart_from_who_is_refused() {
        let mut tally = Tally::new(clock::now(), Duration::from_secs(1));
        tally.reply(Step::Enter, StatusCode::ACCEPTED);
        tally.reply(Step::Enter, StatusCode::SERVICE_UNAVAILABLE);
        tally.reply(Step::Enter, StatusCode::ACCEPTED);
        assert_eq!((tally.told_to_wait(), tally.refusal.count()), (2, 0));
    }

    #[test]
    fn two_threads_tallies_are_one() {
        let begin = clock::now();
        let second = Duration::from_secs(1);
        let mut mine = Tally::new(begin, second * 10);
        let mut theirs = mine.clone();
        mine.offer(begin, 1);
        mine.end(&Ending::Served, begin, begin + second);
        theirs.offer(begin + second * 3, 5);
        theirs.end(&Ending::Refused("503 busy".to_owned()), begin, begin + second * 4);
        mine.merge(theirs);
        assert_eq!((mine.offered, mine.served, mine.refused.total()), (2, 1, 1));
        assert_eq!(mine.wanted, 6);
        let stretches = mine.timeline.stretches();
        assert_eq!((stretches.len(), stretches[3].offered), (5, 1));
        assert_eq!(mine.last_ending, begin + second * 4);
    }
}
