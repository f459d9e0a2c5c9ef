//! A history, by code and by claim.

use std::collections::{BTreeMap, BTreeSet};

use super::{Call, Operation, Outcome, Submission};

/// The moments between which something happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from_us: u64,
    pub(super) to_us: u64,
}

impl Span {
    /// Whether this was over before the other one began.
    pub(super) fn is_before(self, other: Self) -> bool {
        self.to_us < other.from_us
    }
}

/// What a look for a code showed.
pub(super) struct Look<'h> {
    pub(super) span: Span,
    /// The application, its decisions, and whether it is withdrawn; `None` if it was not there.
    pub(super) found: Option<(&'h Submission, &'h [String], bool)>,
}

/// All that is known of one code.
#[derive(Default)]
pub(super) struct About<'h> {
    /// The claims and keys to which it was given as a receipt.
    pub(super) given: BTreeSet<(&'h str, &'h str)>,
    /// The answers that say that it is stored.
    pub(super) acknowledged: Vec<Span>,
    /// Answers that accepted it, more than one only by a fault.
    pub(super) accepted: Vec<Span>,
    pub(super) looks: Vec<Look<'h>>,
    /// Withdrawals that may have happened.
    pub(super) withdrawals: Vec<Span>,
    /// Withdrawals that happened.
    pub(super) withdrawn: Vec<Span>,
    /// Decisions that happened.
    pub(super) decided: Vec<(Span, &'h str)>,
    /// Decisions that may have happened.
    pub(super) perhaps_decided: BTreeSet<&'h str>,
}

/// A submission with its answer.
pub(super) struct Sent<'h> {
    pub(super) submission: &'h Submission,
    pub(super) span: Span,
    pub(super) outcome: &'h Outcome,
}

/// The history in the order in which the checks need it.
#[derive(Default)]
pub(super) struct Index<'h> {
    pub(super) codes: BTreeMap<&'h str, About<'h>>,
    pub(super) claims: BTreeMap<&'h str, Vec<Sent<'h>>>,
    /// The codes below which applications of a claim were seen.
    pub(super) seen: BTreeMap<&'h str, BTreeSet<&'h str>>,
}

impl<'h> Index<'h> {
    pub(super) fn of(history: &'h [Operation]) -> Self {
        let mut index = Self::default();
        for operation in history {
            index.add(operation);
        }
        index
    }

    fn add(&mut self, operation: &'h Operation) {
        let span = Span { from_us: operation.invoked_us, to_us: operation.returned_us };
        let outcome = &operation.outcome;
        match &operation.call {
            Call::Submit(submission) => self.add_submission(submission, span, outcome),
            Call::Read { code } => {
                let found = match outcome {
                    Outcome::Found { submission, decisions, withdrawn } => {
                        self.seen.entry(&submission.claim).or_default().insert(code);
                        Some((submission, decisions.as_slice(), *withdrawn))
                    }
                    Outcome::Absent => None,
                    _ => return,
                };
                self.about(code).looks.push(Look { span, found });
            }
            Call::Withdraw { code } => {
                let about = self.about(code);
                match outcome {
                    Outcome::Withdrawn => {
                        about.withdrawals.push(span);
                        about.withdrawn.push(span);
                    }
                    Outcome::Unknown => about.withdrawals.push(span),
                    _ => {}
                }
            }
            Call::Decide { code, verdict } => {
                let about = self.about(code);
                match outcome {
                    Outcome::Decided => about.decided.push((span, verdict)),
                    Outcome::Unknown => drop(about.perhaps_decided.insert(verdict)),
                    _ => {}
                }
            }
            // The module `personal` checks these.
            Call::Show { .. }
            | Call::SaveDraft { .. }
            | Call::ReadDraft { .. }
            | Call::EndToken { .. }
            | Call::UseToken { .. } => {}
        }
    }

    fn add_submission(&mut self, submission: &'h Submission, span: Span, outcome: &'h Outcome) {
        let receipt = (submission.claim.as_str(), submission.key.as_str());
        match outcome {
            Outcome::Accepted { code } => {
                let about = self.about(code);
                about.given.insert(receipt);
                about.acknowledged.push(span);
                about.accepted.push(span);
            }
            Outcome::Replayed { code } => {
                let about = self.about(code);
                about.given.insert(receipt);
                about.acknowledged.push(span);
            }
            Outcome::AlreadyApplied { code: Some(code) } => {
                self.about(code).acknowledged.push(span);
            }
            _ => {}
        }
        self.claims.entry(&submission.claim).or_default().push(Sent { submission, span, outcome });
    }

    fn about(&mut self, code: &'h str) -> &mut About<'h> {
        self.codes.entry(code).or_default()
    }
}
