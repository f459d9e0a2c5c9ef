//! Deciding a batch: which submissions are new, and which changes still apply.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    super::position::Position,
    batch::{Batch, Written},
    change::{Change, State},
    sign::SignedBatch,
    submission::{Disposition, Submission},
};

/// What the claims of a campaign say about a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Uniqueness {
    /// Neither the claim nor the key was used; the position that it gets.
    New(Position),
    /// The same key came before with the same body.
    Replayed(Position),
    /// The same key came before with another body.
    KeyReused,
    /// This person has an application in this campaign that was not withdrawn.
    AlreadyApplied(Position),
    /// This person has withdrawn [`APPLICATIONS_MAX`] applications in this campaign.
    Exhausted,
    /// It repeats nothing, and [may not be new](Submission::may_be_new).
    NotNew,
}

/// Applications of one person in one campaign, withdrawn ones included. Each takes disk space for good; a person who
/// needs more goes to an officer.
pub(in crate::ledger) const APPLICATIONS_MAX: u8 = 5;

/// The claims and states of one campaign, as far as they are durable or belong to the batch being decided.
pub(in crate::ledger) trait Claims {
    /// Records a submission's claim and key unless either is taken.
    fn admit(&mut self, submission: &Submission) -> Uniqueness;
    /// The state of a durable application; `None` if there is none at that position.
    fn state(&self, position: Position) -> Option<State>;
    /// The position that the next new application gets.
    fn next(&self) -> Position;
}

/// A batch whose every part was decided.
pub(in crate::ledger) struct Plan<'b> {
    /// The position of the first new application.
    pub(in crate::ledger) first: Position,
    /// The new applications, in the order of their positions.
    pub(in crate::ledger) fresh: Vec<&'b Submission>,
    uniqueness: Vec<Uniqueness>,
    /// As in [`Written`].
    pub(in crate::ledger) rulings: Vec<Option<Change>>,
    withdrawals: Vec<Option<Change>>,
    /// As in [`Written`].
    pub(in crate::ledger) erasures: Vec<Option<Change>>,
}

impl<'b> Plan<'b> {
    /// Decides every part of `batch` by `claims`.
    pub(in crate::ledger) fn decide(batch: &'b Batch, claims: &mut impl Claims) -> Self {
        let first = claims.next();
        let mut fresh = Vec::with_capacity(batch.submissions.len());
        let mut uniqueness = Vec::with_capacity(batch.submissions.len());
        for submission in &batch.submissions {
            let answer = claims.admit(submission);
            if matches!(answer, Uniqueness::New(_)) {
                fresh.push(submission);
            }
            uniqueness.push(answer);
        }
        let permitted =
            |position, change| claims.state(position).and_then(|state| state.permits(change));
        // One batch may decide and withdraw the same application: the ruling counts first.
        let mut decided_here = HashMap::new();
        let mut rulings = Vec::with_capacity(batch.rulings.len());
        for ruling in &batch.rulings {
            let change = permitted(ruling.position, ruling.change())
                .filter(|_| !decided_here.contains_key(&ruling.position));
            if change.is_some() {
                decided_here.insert(ruling.position, ruling.outcome);
            }
            rulings.push(change);
        }
        let mut withdrawn_here = HashSet::new();
        let mut withdrawals = Vec::with_capacity(batch.withdrawals.len());
        for &position in &batch.withdrawals {
            let change = permitted(position, Change::Withdrawn(None))
                .filter(|_| withdrawn_here.insert(position))
                .map(|change| match decided_here.get(&position) {
                    Some(&outcome) => Change::Withdrawn(Some(outcome)),
                    None => change,
                });
            withdrawals.push(change);
        }
        let mut erased_here = HashSet::new();
        let mut erasures = Vec::with_capacity(batch.erasures.len());
        for &position in &batch.erasures {
            let change = permitted(position, Change::Erased)
                .filter(|_| erased_here.insert(position))
                .filter(|_| !withdrawn_here.contains(&position));
            erasures.push(change);
        }
        Self { first, fresh, uniqueness, rulings, withdrawals, erasures }
    }

    /// The changes that take place, in the order in which they apply.
    pub(in crate::ledger) fn changes(&self, batch: &Batch) -> Vec<(Position, Change)> {
        let rulings = batch.rulings.iter().map(|ruling| ruling.position).zip(&self.rulings);
        let withdrawals = batch.withdrawals.iter().copied().zip(&self.withdrawals);
        let erasures = batch.erasures.iter().copied().zip(&self.erasures);
        rulings
            .chain(withdrawals)
            .chain(erasures)
            .filter_map(|(position, change)| change.map(|change| (position, change)))
            .collect()
    }

    /// What became of `batch`, now that it is durable under `signed`; `None` if there was nothing to write.
    ///
    /// # Panics
    /// If new applications are not signed, which would be a bug of ours.
    pub(in crate::ledger) fn settle(
        self,
        batch: &Batch,
        signed: Option<&Arc<SignedBatch>>,
    ) -> Written {
        let disposition = |(answer, submission): (Uniqueness, &Submission)| match answer {
            Uniqueness::New(position) => {
                let signed = signed.expect("a batch with new applications is signed");
                Disposition::Accepted(position, Arc::clone(signed), submission.principal)
            }
            Uniqueness::Replayed(position) => Disposition::Replayed(position),
            Uniqueness::KeyReused => Disposition::KeyReused,
            Uniqueness::AlreadyApplied(position) => Disposition::AlreadyApplied(position),
            Uniqueness::Exhausted => Disposition::Exhausted,
            Uniqueness::NotNew => Disposition::NotNew,
        };
        let dispositions =
            self.uniqueness.into_iter().zip(&batch.submissions).map(disposition).collect();
        let Self { rulings, withdrawals, erasures, .. } = self;
        Written { dispositions, rulings, withdrawals, erasures }
    }
}
