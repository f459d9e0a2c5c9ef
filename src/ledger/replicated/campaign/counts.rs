//! The counts of what a node has written. Those of all nodes add up to the tally of the campaign.

use tokio_postgres::Row;

use super::super::fault::Setback;
use crate::{
    ledger::book::{
        change::{Change, State, Tally},
        record::Channel,
    },
    schemes::Outcome,
};

/// The columns of `nodes` that [`Counts::read`] expects.
pub(in super::super) const COLUMNS: &str =
    "accepted, decided, revised, pending, withdrawn_undecided, withdrawn_decided";

/// Counts by channel and by outcome. One of a single node may be negative: it may withdraw what another left pending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Counts {
    pub(in super::super) accepted: Vec<i64>,
    pub(in super::super) decided: Vec<i64>,
    pub(in super::super) revised: Vec<i64>,
    pub(in super::super) pending: i64,
    pub(in super::super) withdrawn_undecided: i64,
    pub(in super::super) withdrawn_decided: i64,
}

impl Counts {
    /// Reads the [`COLUMNS`] of a row, the first of them at `at`. A node of an earlier release knows fewer outcomes.
    pub(in super::super) fn read(row: &Row, at: usize) -> Result<Self, Setback> {
        let list = |column, length| -> Result<Vec<i64>, tokio_postgres::Error> {
            let mut list: Vec<i64> = row.try_get(column)?;
            list.resize(list.len().max(length), 0);
            Ok(list)
        };
        Ok(Self {
            accepted: list(at, Channel::OF_PEOPLE.len())?,
            decided: list(at + 1, Outcome::ALL.len())?,
            revised: list(at + 2, Outcome::ALL.len())?,
            pending: row.try_get(at + 3)?,
            withdrawn_undecided: row.try_get(at + 4)?,
            withdrawn_decided: row.try_get(at + 5)?,
        })
    }

    /// Counts an application that is accepted.
    pub(in super::super) fn accept(&mut self, channel: Channel) {
        // The canary's are in no count.
        if let Some(accepted) = self.accepted.get_mut(channel as usize) {
            *accepted += 1;
        }
    }

    /// Counts a change of an application in the state `before`.
    pub(in super::super) fn change(&mut self, before: State, change: Change) {
        const PENDING: State = State::Decided(Outcome::Pending);
        match change {
            Change::Decided(outcome) => self.decided[outcome as usize] += 1,
            Change::Revised(outcome) => self.revised[outcome as usize] += 1,
            Change::Withdrawn(Some(_)) => self.withdrawn_decided += 1,
            Change::Withdrawn(None) => self.withdrawn_undecided += 1,
            Change::Erased => {}
        }
        self.pending += i64::from(before.after(change) == PENDING) - i64::from(before == PENDING);
    }

    /// Adds the counts of another node.
    pub(in super::super) fn add(&mut self, other: &Self) {
        let add = |list: &mut Vec<i64>, others: &[i64]| {
            list.resize(list.len().max(others.len()), 0);
            list.iter_mut().zip(others).for_each(|(one, other)| *one += other);
        };
        add(&mut self.accepted, &other.accepted);
        add(&mut self.decided, &other.decided);
        add(&mut self.revised, &other.revised);
        self.pending += other.pending;
        self.withdrawn_undecided += other.withdrawn_undecided;
        self.withdrawn_decided += other.withdrawn_decided;
    }

    /// The tally, if these are the counts of all nodes.
    pub(in super::super) fn tally(&self) -> Tally {
        Tally {
            accepted: whole(&self.accepted),
            decided: whole(&self.decided),
            revised: whole(&self.revised),
            pending: count(self.pending),
            withdrawn_undecided: count(self.withdrawn_undecided),
            withdrawn_decided: count(self.withdrawn_decided),
            canary: 0,
        }
    }
}

fn whole<const N: usize>(list: &[i64]) -> [u64; N] {
    let mut counts = [0; N];
    counts.iter_mut().zip(list).for_each(|(place, &value)| *place = count(value));
    counts
}

/// Counts of nodes are read one after the other, so a sum may be below zero for a moment.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_node_left_pending_another_may_withdraw() {
        let none = || Counts {
            accepted: vec![0; Channel::OF_PEOPLE.len()],
            decided: vec![0; Outcome::ALL.len()],
            revised: vec![0; Outcome::ALL.len()],
            ..Counts::default()
        };
        let (mut one, mut other) = (none(), none());
        one.accept(Channel::Citizen);
        one.change(State::Waiting, Change::Decided(Outcome::Pending));
        assert_eq!(one.tally().pending, 1);
        other.change(State::Decided(Outcome::Pending), Change::Withdrawn(Some(Outcome::Pending)));
        assert_eq!(other.pending, -1);
        one.add(&other);
        let Tally { accepted, pending, withdrawn_decided, .. } = one.tally();
        assert_eq!((accepted, pending, withdrawn_decided), ([1, 0, 0], 0, 1));
    }
}
