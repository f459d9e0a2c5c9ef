//! What the committer counts.

use metrics::{Counter, Histogram};

use super::index::Index;
use crate::{
    ledger::book::{
        batch::{Batch, Written},
        change::Change,
        record::Channel,
        submission::Disposition,
    },
    metrics as list,
    schemes::{Campaign, Outcome},
};

/// The committer's counters, looked up once.
pub(super) struct Meters {
    accepted: [Counter; Channel::ALL.len()],
    decided: [Counter; Outcome::ALL.len()],
    revised: [Counter; Outcome::ALL.len()],
    withdrawn_undecided: Counter,
    withdrawn_decided: Counter,
    pub(super) duration: Histogram,
    batch: Histogram,
}

impl Meters {
    /// The counters of a campaign's scheme, increased by what its ledger holds: they count from the beginning of the
    /// ledger.
    pub(super) fn resumed(campaign: Campaign, index: &Index) -> Self {
        let scheme = campaign.scheme.as_str();
        let tally = index.tally();
        let meters = Self {
            accepted: Channel::ALL
                .map(|channel| list::ACCEPTED.counter(&[scheme, channel.as_str()])),
            decided: Outcome::ALL.map(|outcome| list::DECIDED.counter(&[scheme, outcome.as_str()])),
            revised: Outcome::ALL.map(|outcome| list::REVISED.counter(&[scheme, outcome.as_str()])),
            withdrawn_undecided: list::WITHDRAWN.counter(&["decision"]),
            withdrawn_decided: list::WITHDRAWN.counter(&["payment"]),
            duration: list::COMMIT_DURATION.histogram(&[]),
            batch: list::COMMIT_BATCH.histogram(&[]),
        };
        meters
            .accepted
            .iter()
            .zip(tally.accepted)
            .for_each(|(counter, count)| counter.increment(count));
        meters
            .decided
            .iter()
            .zip(tally.decided)
            .for_each(|(counter, count)| counter.increment(count));
        meters
            .revised
            .iter()
            .zip(tally.revised)
            .for_each(|(counter, count)| counter.increment(count));
        meters.withdrawn_undecided.increment(tally.withdrawn_undecided);
        meters.withdrawn_decided.increment(tally.withdrawn_decided);
        meters
    }

    pub(super) fn count(&self, batch: &Batch, written: &Written) {
        let mut accepted = 0_u32;
        for (submission, disposition) in batch.submissions.iter().zip(&written.dispositions) {
            if matches!(disposition, Disposition::Accepted(..)) {
                self.accepted[submission.channel as usize].increment(1);
                accepted += 1;
            }
        }
        if accepted > 0 {
            self.batch.record(f64::from(accepted));
        }
        for change in written.rulings.iter().chain(&written.withdrawals).flatten() {
            match change {
                Change::Decided(outcome) => self.decided[*outcome as usize].increment(1),
                Change::Revised(outcome) => self.revised[*outcome as usize].increment(1),
                Change::Withdrawn(None) => self.withdrawn_undecided.increment(1),
                Change::Withdrawn(Some(_)) => self.withdrawn_decided.increment(1),
                Change::Erased => {}
            }
        }
    }
}
