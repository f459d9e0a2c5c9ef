//! The counts of a run: latencies, statuses, endings, and a timeline.

mod latencies;
mod reasons;
mod shipped;
mod timeline;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hyper::StatusCode;

pub use self::{
    latencies::Latencies,
    reasons::Reasons,
    shipped::Shipped,
    timeline::{Span, Stretch, Timeline},
};
use crate::owner::Crossover;

/// Most crossovers kept in full; all are counted.
const CROSSOVERS_KEPT_MAX: usize = 20;

/// A step of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Opens a session.
    Enter,
    /// Opens a page of a visit.
    Page,
    /// Sends a form of a visit with answers.
    Form,
    /// Saves a draft.
    Draft,
    /// Asks for an estimate of the decision.
    Estimate,
    /// Submits the application.
    Submit,
    /// Submits a batch for an intermediary's clients.
    Batch,
    /// Reads the application.
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
            Self::Page => "page",
            Self::Form => "form",
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
    /// Completed.
    Served,
    /// Refused by the server, with the reason.
    Refused(String),
    /// Failed: no reply, or one that violates the contract.
    Failed(String),
    /// Ended by a reply that belonged to somebody else.
    Crossed,
    /// Given up by the citizen before the receipt, as the profile asks.
    Abandoned,
}

/// The counts of one generator thread; merged over all threads at the end.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Latency from the intended start to an open session, waits included.
    pub enter: Latencies,
    /// Latency from the request to the receipt, retries included.
    pub submit: Latencies,
    /// Latency of one read.
    pub read: Latencies,
    /// Latency from the intended start to the end of a completed session.
    pub session: Latencies,
    /// Latency of one refused request.
    pub refusal: Latencies,
    /// Latencies of the other steps, from request to answer, waits and retries included.
    pub steps: BTreeMap<Step, Latencies>,
    /// The generator's own lag, from intended to actual start.
    pub lag: Latencies,
    /// Replies by step and status.
    pub statuses: BTreeMap<(Step, u16), u64>,
    /// Requests tried again, by reason.
    pub retried: Reasons,
    /// Sessions that ended refused, by reason.
    pub refused: Reasons,
    /// Sessions that ended failed, by reason.
    pub failed: Reasons,
    /// Sessions scheduled to start.
    pub offered: u64,
    /// Sessions that completed.
    pub served: u64,
    /// Sessions that ended with a crossover.
    pub crossed: u64,
    /// Sessions not started, because too many were open.
    pub overflowed: u64,
    /// Sessions opened, each time.
    pub let_in: u64,
    /// Sessions that ended after they were opened.
    pub left: u64,
    /// Sessions given up by their citizens, as the profile asks of some.
    pub abandoned: u64,
    /// Connections closed in the middle of a body, as the profile asks of some.
    pub cut_short: u64,
    /// Retries before `Retry-After` was over, as the profile asks of some.
    pub impatient: u64,
    /// Sessions that were lost, after which the citizen entered again.
    pub entered_again: u64,
    /// Sessions still open at the end of the drain.
    pub unfinished: u64,
    /// Requests that had to wait for a free connection.
    pub connection_waits: u64,
    /// Receipts wanted by the sessions offered: one each, one a line of a batch, none for those who give up.
    pub wanted: u64,
    /// Receipts received.
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
    /// Counts by interval of time.
    pub timeline: Timeline,
    /// When the last session ended.
    pub last_ending: Instant,
}

impl Tally {
    /// An empty tally for a run of `length` from `begin`.
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
            let_in: 0,
            left: 0,
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

    /// Restarts the timeline at `begin` and keeps all counts: a closed loop enters before it is timed.
    pub fn begin_at(&mut self, begin: Instant, length: Duration) {
        self.timeline = Timeline::new(begin, length);
        self.last_ending = begin;
    }

    /// Counts a session scheduled for `due` that wants `wanted` receipts.
    pub fn offer(&mut self, due: Instant, wanted: u64) {
        self.offered += 1;
        self.wanted += wanted;
        self.timeline.at(due).offered += 1;
    }

    /// Counts a session that starts `lag` after `due`.
    pub fn start(&mut self, due: Instant, lag: Duration) {
        self.lag.record(lag);
        self.timeline.start(due, lag);
    }

    /// Counts somebody who was let in at `now`.
    pub fn let_in(&mut self, now: Instant) {
        self.let_in += 1;
        self.timeline.at(now).let_in += 1;
    }

    /// Counts a request at `now` that is to be tried again, of somebody inside or outside.
    pub fn again(&mut self, now: Instant, inside: bool, reason: &str) {
        self.retried.count(reason);
        let place = if inside { "inside" } else { "outside" };
        self.timeline.again(now, &format!("{place}: {reason}"));
    }

    /// Counts the end of a session in which somebody was inside.
    pub fn leave(&mut self, ending: &Ending, now: Instant) {
        self.left += 1;
        let stretch = self.timeline.at(now);
        stretch.left += 1;
        let lost = matches!(ending, Ending::Refused(_) | Ending::Failed(_) | Ending::Crossed);
        stretch.lost += u64::from(lost);
    }

    /// Counts a reply at `step`.
    pub fn reply(&mut self, step: Step, status: StatusCode) {
        *self.statuses.entry((step, status.as_u16())).or_default() += 1;
    }

    /// Replies that told somebody to wait in the waiting room.
    #[must_use]
    pub fn told_to_wait(&self) -> u64 {
        let told = (Step::Enter, StatusCode::ACCEPTED.as_u16());
        self.statuses.get(&told).copied().unwrap_or_default()
    }

    /// Counts a receipt that arrived at `now` after `latency`.
    pub fn receipt(&mut self, now: Instant, latency: Duration, timely: Duration) {
        self.receipts += 1;
        self.timely += u64::from(latency <= timely);
        self.submit.record(latency);
        self.timeline.receipt(now, latency, latency <= timely);
    }

    /// Counts a request that was refused at `now` after `latency`.
    pub fn refused_request(&mut self, now: Instant, latency: Duration) {
        self.refusal.record(latency);
        self.timeline.at(now).refusals += 1;
    }

    /// Records the latency of a step other than enter, submit and read.
    pub fn step(&mut self, step: Step, latency: Duration) {
        self.steps.entry(step).or_default().record(latency);
    }

    /// Records the latency of a read.
    pub fn read(&mut self, latency: Duration, decided: bool) {
        self.read.record(latency);
        self.decided += u64::from(decided);
    }

    /// Keeps a reply that belonged to somebody else.
    pub fn crossover(&mut self, crossover: Crossover) {
        if self.crossovers.len() < CROSSOVERS_KEPT_MAX {
            self.crossovers.push(crossover);
        }
    }

    /// Counts the end of a session that was scheduled for `due`.
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

    /// Adds the counts of another thread.
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
        self.let_in += other.let_in;
        self.left += other.left;
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
