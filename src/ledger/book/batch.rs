//! A batch: what is committed together, with one sync.

use jiff::Timestamp;

use super::{
    super::position::Position,
    change::{Change, Ruling},
    submission::{Disposition, Submission},
};

/// What is committed together.
#[derive(Default)]
pub struct Batch {
    /// New applications.
    pub submissions: Vec<Submission>,
    /// Decisions.
    pub rulings: Vec<Ruling>,
    /// Withdrawals.
    pub withdrawals: Vec<Position>,
    /// Erasures; they come in a batch of their own.
    pub erasures: Vec<Position>,
    /// When it is written.
    pub at: Timestamp,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { submissions, rulings, withdrawals, erasures, at: _ } = self;
        submissions.is_empty()
            && rulings.is_empty()
            && withdrawals.is_empty()
            && erasures.is_empty()
    }
}

/// What became of a batch. Each list has one item per item of the batch, in the same order.
#[derive(Default)]
pub struct Written {
    /// What became of each submission.
    pub dispositions: Vec<Disposition>,
    /// The change of each ruling; `None` if the application was decided or withdrawn before.
    pub rulings: Vec<Option<Change>>,
    /// The change of each withdrawal; `None` if the application was withdrawn or erased before.
    pub withdrawals: Vec<Option<Change>>,
    /// The change of each erasure; `None` if the application is undecided or was erased before.
    pub erasures: Vec<Option<Change>>,
}
