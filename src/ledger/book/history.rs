//! What happened to every application of a campaign, two bytes each.
//!
//! Batches of several nodes say it in no common order. They need not: an application is decided, decided again, withdrawn
//! and erased once each and in this order, so the set of its changes is their order.

use super::{super::position::Position, change::Change};
#[cfg(any(test, feature = "postgres"))]
use super::{change::State, record::Channel};
use crate::schemes::Outcome;

/// Bits of an outcome, and of "none" below them.
const OUTCOME: u16 = 0b111;
const DECIDED: u32 = 0;
const REVISED: u32 = 3;
const WITHDRAWN: u32 = 6;
const ERASED: u16 = 1 << 9;
#[cfg(any(test, feature = "postgres"))]
const WRITTEN: u16 = 1 << 10;
#[cfg(any(test, feature = "postgres"))]
const OF_CANARY: u16 = 1 << 11;
/// "Withdrawn before a decision" takes one more value than the outcomes.
const _: () = assert!(Outcome::ALL.len() + 1 < OUTCOME as usize);

/// The applications of a campaign by position, and their changes as the batches record them.
#[derive(Default)]
pub(in crate::ledger) struct History(Vec<u16>);

impl History {
    /// Notes that a batch records a change; `false` if one of this kind was recorded before.
    pub(in crate::ledger) fn change(&mut self, position: Position, change: Change) -> bool {
        let (bits, mask) = bits_of(change);
        let marks = self.marks(position);
        let is_new = *marks & mask == 0;
        *marks |= bits;
        is_new
    }

    /// One position more than the last that a batch mentions.
    pub(in crate::ledger) fn end(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The recorded changes of an application, in the order in which they happened.
    pub(in crate::ledger) fn changes(&self, position: Position) -> impl Iterator<Item = Change> {
        let marks = self.at(position);
        let outcome = move |shift: u32| {
            let value = usize::from(marks >> shift & OUTCOME);
            value.checked_sub(1).and_then(|place| Outcome::ALL.get(place)).copied()
        };
        let withdrawn = match marks >> WITHDRAWN & OUTCOME {
            0 => None,
            1 => Some(Change::Withdrawn(None)),
            more => Some(Change::Withdrawn(Outcome::ALL.get(usize::from(more) - 2).copied())),
        };
        [
            outcome(DECIDED).map(Change::Decided),
            outcome(REVISED).map(Change::Revised),
            withdrawn,
            (marks & ERASED != 0).then_some(Change::Erased),
        ]
        .into_iter()
        .flatten()
    }

    fn at(&self, Position(position): Position) -> u16 {
        self.0.get(position as usize).copied().unwrap_or_default()
    }

    fn marks(&mut self, Position(position): Position) -> &mut u16 {
        let place = position as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, 0);
        }
        &mut self.0[place]
    }
}

/// What only the tools on a replicated ledger ask.
#[cfg(any(test, feature = "postgres"))]
impl History {
    /// Notes that a batch has an application at a position; `false` if another one had.
    pub(in crate::ledger) fn write(&mut self, position: Position, channel: Channel) -> bool {
        let of_canary = if channel == Channel::Canary { OF_CANARY } else { 0 };
        let marks = self.marks(position);
        let is_new = *marks & WRITTEN == 0;
        *marks |= WRITTEN | of_canary;
        is_new
    }

    /// Whether an application is the canary's.
    pub(in crate::ledger) fn is_of_canary(&self, position: Position) -> bool {
        self.at(position) & OF_CANARY != 0
    }

    /// Whether a batch has an application at a position.
    pub(in crate::ledger) fn is_written(&self, position: Position) -> bool {
        self.at(position) & WRITTEN != 0
    }

    /// The state of an application; `None` if no batch has it, or if its changes contradict each other.
    pub(in crate::ledger) fn state(&self, position: Position) -> Option<State> {
        self.is_written(position).then_some(())?;
        self.changes(position).try_fold(State::Waiting, |state, change| {
            (state.permits(change) == Some(change)).then(|| state.after(change))
        })
    }

    /// How many changes of an application came before a recorded one, and the state that they led to.
    pub(in crate::ledger) fn before(&self, position: Position, change: Change) -> (i16, State) {
        let earlier = self.changes(position).take_while(|earlier| *earlier != change);
        earlier.fold((0, State::Waiting), |(step, state), change| (step + 1, state.after(change)))
    }
}

/// The bits of a change, and all those of its kind.
fn bits_of(change: Change) -> (u16, u16) {
    let of = |value: u16, shift: u32| (value << shift, OUTCOME << shift);
    match change {
        Change::Decided(outcome) => of(1 + outcome as u16, DECIDED),
        Change::Revised(outcome) => of(1 + outcome as u16, REVISED),
        Change::Withdrawn(None) => of(1, WITHDRAWN),
        Change::Withdrawn(Some(outcome)) => of(2 + outcome as u16, WITHDRAWN),
        Change::Erased => (ERASED, ERASED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_back_in_their_order_whatever_the_order_of_batches() {
        let at = Position(3);
        for outcome in Outcome::ALL {
            let all = [
                Change::Decided(Outcome::Pending),
                Change::Revised(outcome),
                Change::Withdrawn(Some(outcome)),
                Change::Erased,
            ];
            let mut history = History::default();
            for change in all.into_iter().rev() {
                assert!(history.change(at, change));
                assert!(!history.change(at, change), "{change:?} is recorded twice");
            }
            assert!(history.changes(at).eq(all));
            assert_eq!(history.state(at), None, "no batch has it");
            let channel = Channel::Citizen;
            assert!(history.write(at, channel) && !history.write(at, channel));
            let pending_again = outcome == Outcome::Pending;
            let erased = Some(State::Erased { withdrawn: true });
            assert_eq!(history.state(at), if pending_again { None } else { erased });
            assert_eq!(history.before(at, all[2]), (2, State::Decided(outcome)));
        }
        let mut history = History::default();
        history.write(at, Channel::Canary);
        assert!(history.is_of_canary(at));
        history.change(at, Change::Withdrawn(None));
        assert_eq!(history.state(at), Some(State::Withdrawn(None)));
        assert_eq!(history.end(), 4);
        assert!(!history.is_written(Position(2)) && !history.is_written(Position(9)));
        history.change(at, Change::Decided(Outcome::Granted));
        assert_eq!(history.state(at), None, "decided and withdrawn undecided");
    }
}
