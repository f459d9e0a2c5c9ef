//! Chains of signed rows: where one ends, and whether it is whole.

use std::collections::HashSet;

use super::super::proof::Digest;
use crate::vault::HouseKeys;

/// The last row of a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ledger) struct End {
    pub(in crate::ledger) number: i64,
    pub(in crate::ledger) root: Digest,
}

/// A row of a chain.
pub(in crate::ledger) trait Chained {
    /// Its number, from 0 in each month.
    fn number(&self) -> i64;

    /// Its root and the signature.
    fn signed(&self) -> (&Digest, &str);

    /// The root that chains this row to the one before.
    fn root_after(&self, previous: &Digest) -> Digest;
}

/// Walks along a chain, month by month, and notes what is wrong, in words for the operator.
pub(in crate::ledger) struct Walk<'k> {
    keys: &'k HouseKeys,
    findings: Vec<String>,
    /// What is walked along, such as `audit trail of 2024-09`.
    of: String,
    /// Whether it continues an earlier month.
    continues: bool,
    /// The roots of the month before.
    before: Option<HashSet<Digest>>,
    previous: Option<Digest>,
    next: i64,
    roots: HashSet<Digest>,
}

impl<'k> Walk<'k> {
    /// A walk along a whole chain.
    pub(in crate::ledger) fn new(keys: &'k HouseKeys) -> Self {
        Self {
            keys,
            findings: Vec::new(),
            of: String::new(),
            continues: false,
            before: None,
            previous: None,
            next: 0,
            roots: HashSet::new(),
        }
    }

    /// Begins a month; `of`: what the findings call it.
    pub(in crate::ledger) fn begin(&mut self, of: String, continues: bool) {
        let roots = std::mem::take(&mut self.roots);
        if !self.of.is_empty() {
            self.before = Some(roots);
        }
        (self.of, self.continues, self.previous, self.next) = (of, continues, None, 0);
    }

    /// Passes over a month without rows. If there were none before either, the chain begins after it.
    pub(in crate::ledger) fn pass_over(&mut self) {
        if self.of.is_empty() {
            self.before = Some(HashSet::from([Digest::default()]));
        }
    }

    /// Looks at the next row.
    pub(in crate::ledger) fn row(&mut self, row: &impl Chained) {
        let (of, number) = (&self.of, row.number());
        let (root, signature) = row.signed();
        if number != self.next {
            self.findings.push(format!("{of}: rows before {number} are missing"));
        }
        let is_chained = match &self.previous {
            None => {
                !self.continues || self.before.as_ref().is_none_or(|before| before.contains(root))
            }
            Some(previous) => row.root_after(previous) == *root,
        };
        if !is_chained || !self.keys.has_signed(root, signature) {
            self.findings.push(format!("{of}: row {number} was changed, or the one before it"));
        }
        self.previous = Some(*root);
        self.roots.insert(*root);
        self.next = number.saturating_add(1);
    }

    /// What was found.
    pub(in crate::ledger) fn findings(self) -> Vec<String> {
        self.findings
    }
}
