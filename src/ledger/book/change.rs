//! What may happen to a durable application: its states, the changes between them, and their counts.

use super::{
    super::position::Position,
    record::{Channel, Turn},
};
use crate::schemes::Outcome;

/// The state of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Durable and undecided; it waits in the ledger for a judge.
    Waiting,
    /// Durable and undecided; it is in the urn, or a judge has it.
    Drawn,
    /// Decided.
    Decided(Outcome),
    /// Withdrawn by its person, before or after a decision.
    Withdrawn(Option<Outcome>),
    /// Its contents were erased, by law or order.
    Erased {
        /// Whether it had been withdrawn before, so that the person may apply again.
        withdrawn: bool,
    },
}

impl State {
    /// Its name in answers and exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting | Self::Drawn => "received",
            Self::Decided(_) => "decided",
            Self::Withdrawn(_) | Self::Erased { .. } => "withdrawn",
        }
    }

    /// Whether it keeps its person from applying again.
    #[must_use]
    pub fn stands(self) -> bool {
        !matches!(self, Self::Withdrawn(_) | Self::Erased { withdrawn: true })
    }

    /// The state after a change.
    #[must_use]
    pub(in crate::ledger) fn after(self, change: Change) -> Self {
        match change {
            Change::Decided(outcome) | Change::Revised(outcome) => Self::Decided(outcome),
            Change::Withdrawn(decided) => Self::Withdrawn(decided),
            Change::Erased => Self::Erased { withdrawn: !self.stands() },
        }
    }

    /// The change that `wanted` amounts to in this state; `None` if it comes too late. An application is decided once,
    /// once more if that left it pending, withdrawn once, and erased once it is settled.
    #[must_use]
    pub fn permits(self, wanted: Change) -> Option<Change> {
        match (self, wanted) {
            (Self::Waiting | Self::Drawn, Change::Decided(_))
            | (Self::Decided(_) | Self::Withdrawn(_), Change::Erased) => Some(wanted),
            (Self::Decided(Outcome::Pending), Change::Revised(outcome)) => {
                (outcome != Outcome::Pending).then_some(wanted)
            }
            (Self::Waiting | Self::Drawn, Change::Withdrawn(_)) => Some(Change::Withdrawn(None)),
            (Self::Decided(outcome), Change::Withdrawn(_)) => {
                Some(Change::Withdrawn(Some(outcome)))
            }
            _ => None,
        }
    }
}

/// A change of a durable application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A judge decided it.
    Decided(Outcome),
    /// It was pending; a judge decided it again when the missing answer came.
    Revised(Outcome),
    /// Its person withdrew it; the outcome if it had been decided.
    Withdrawn(Option<Outcome>),
    /// Its contents were erased. Its claim and the digest on its receipt remain.
    Erased,
}

impl Change {
    /// Which decision it is, if it is one.
    pub(in crate::ledger) fn turn(self) -> Option<Turn> {
        match self {
            Self::Decided(_) => Some(Turn::First),
            Self::Revised(_) => Some(Turn::Again),
            Self::Withdrawn(_) | Self::Erased => None,
        }
    }
}

/// A decision on its way into the ledger.
pub struct Ruling {
    /// Which application.
    pub position: Position,
    /// Which of its decisions.
    pub turn: Turn,
    /// What was decided.
    pub outcome: Outcome,
    /// The decision, sealed for its subject.
    pub decision: Vec<u8>,
}

impl Ruling {
    /// The change that it asks for.
    #[must_use]
    pub fn change(&self) -> Change {
        match self.turn {
            Turn::First => Change::Decided(self.outcome),
            Turn::Again => Change::Revised(self.outcome),
        }
    }
}

/// The counts of people's applications, behind the balance `accepted = decided + undecided + withdrawn before a decision`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accepted of people, by [`Channel`].
    pub accepted: [u64; Channel::OF_PEOPLE.len()],
    /// Decided for the first time, by [`Outcome`], whether withdrawn later or not.
    pub decided: [u64; Outcome::ALL.len()],
    /// Pending first and decided again, by the later [`Outcome`].
    pub revised: [u64; Outcome::ALL.len()],
    /// Pending now: decided so, not decided again, not withdrawn.
    pub pending: u64,
    /// Withdrawn before a decision.
    pub withdrawn_undecided: u64,
    /// Withdrawn after a decision.
    pub withdrawn_decided: u64,
    /// Accepted of the canary, and in no other count.
    pub canary: u64,
}

impl Tally {
    /// Counts an application that became durable.
    pub fn accept(&mut self, channel: Channel) {
        match self.accepted.get_mut(channel as usize) {
            Some(accepted) => *accepted += 1,
            None => self.canary += 1,
        }
    }

    /// Counts a change of a person's application that became durable, from the state `before`.
    pub(in crate::ledger) fn count(&mut self, before: State, change: Change) {
        if before == State::Decided(Outcome::Pending) {
            self.pending -= 1;
        }
        match change {
            Change::Decided(outcome) => self.decided[outcome as usize] += 1,
            Change::Revised(outcome) => self.revised[outcome as usize] += 1,
            Change::Withdrawn(Some(_)) => self.withdrawn_decided += 1,
            Change::Withdrawn(None) => self.withdrawn_undecided += 1,
            Change::Erased => {}
        }
        if before.after(change) == State::Decided(Outcome::Pending) {
            self.pending += 1;
        }
    }

    /// Accepted, neither decided nor withdrawn.
    #[must_use]
    pub fn undecided(&self) -> u64 {
        let accepted: u64 = self.accepted.iter().sum();
        let decided: u64 = self.decided.iter().sum();
        accepted.saturating_sub(decided + self.withdrawn_undecided)
    }
}
