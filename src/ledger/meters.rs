//! What the committer counts.

use metrics::{Counter, Histogram};

use crate::{
    ledger::book::{change::Tally, record::Channel},
    metrics as list,
    schemes::{Campaign, Outcome},
};

/// The committer's counters, looked up once. They follow the tally, so that they agree with it by construction.
pub(super) struct Meters {
    accepted: [Counter; Channel::OF_PEOPLE.len()],
    decided: [Counter; Outcome::ALL.len()],
    revised: [Counter; Outcome::ALL.len()],
    withdrawn_undecided: Counter,
    withdrawn_decided: Counter,
    pub(super) duration: Histogram,
    batch: Histogram,
    /// What they count already.
    counted: Tally,
}

impl Meters {
    /// The counters of a campaign's scheme, increased by what its ledger holds: they count from the beginning of the
    /// ledger.
    pub(super) fn resumed(campaign: Campaign, tally: Tally) -> Self {
        let scheme = campaign.scheme.as_str();
        let mut meters = Self {
            accepted: Channel::OF_PEOPLE
                .map(|channel| list::ACCEPTED.counter(&[scheme, channel.as_str()])),
            decided: Outcome::ALL.map(|outcome| list::DECIDED.counter(&[scheme, outcome.as_str()])),
            revised: Outcome::ALL.map(|outcome| list::REVISED.counter(&[scheme, outcome.as_str()])),
            withdrawn_undecided: list::WITHDRAWN.counter(&["decision"]),
            withdrawn_decided: list::WITHDRAWN.counter(&["payment"]),
            duration: list::COMMIT_DURATION.histogram(&[]),
            batch: list::COMMIT_BATCH.histogram(&[]),
            counted: Tally::default(),
        };
        meters.follow(tally);
        meters
    }

    /// Counts a batch that led to this tally.
    pub(super) fn count(&mut self, tally: Tally) {
        let accepted = self.follow(tally);
        if accepted > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a batch")]
            self.batch.record(accepted as f64);
        }
    }

    /// Raises the counters to a tally, and returns how many applications were accepted meanwhile.
    fn follow(&mut self, tally: Tally) -> u64 {
        let before = std::mem::replace(&mut self.counted, tally);
        let raise = |counter: &Counter, from: u64, to: u64| {
            if to > from {
                counter.increment(to - from);
            }
            to - from
        };
        let raise_all = |counters: &[Counter], from: &[u64], to: &[u64]| -> u64 {
            let both = from.iter().zip(to);
            counters.iter().zip(both).map(|(counter, (from, to))| raise(counter, *from, *to)).sum()
        };
        raise_all(&self.decided, &before.decided, &tally.decided);
        raise_all(&self.revised, &before.revised, &tally.revised);
        raise(&self.withdrawn_undecided, before.withdrawn_undecided, tally.withdrawn_undecided);
        raise(&self.withdrawn_decided, before.withdrawn_decided, tally.withdrawn_decided);
        raise_all(&self.accepted, &before.accepted, &tally.accepted)
    }
}
