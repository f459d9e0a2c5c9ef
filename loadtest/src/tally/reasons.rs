//! Counts by reason, bounded, so that a server cannot fill the generator's memory with reasons.

use std::collections::BTreeMap;

/// Most distinct reasons; all others are counted as `another reason`.
pub(super) const REASONS_MAX: usize = 64;

/// Counts by reason, with a bounded number of reasons.
#[derive(Clone, Debug, Default)]
pub struct Reasons(BTreeMap<String, u64>);

impl Reasons {
    /// Adds one to `reason`.
    pub fn count(&mut self, reason: &str) {
        self.add(reason, 1);
    }

    /// Adds `count` to `reason`.
    pub fn add(&mut self, reason: &str, count: u64) {
        if let Some(known) = self.0.get_mut(reason) {
            *known += count;
        } else {
            let reason = if self.0.len() < REASONS_MAX { reason } else { "another reason" };
            *self.0.entry(reason.to_owned()).or_default() += count;
        }
    }

    /// Sum over all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The counts by reason.
    #[must_use]
    pub fn by_reason(&self) -> &BTreeMap<String, u64> {
        &self.0
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (reason, count) in &other.0 {
            self.add(reason, *count);
        }
    }
}
