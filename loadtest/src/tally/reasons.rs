//! Counts by reason, bounded, so that a server cannot fill the generator's memory with words.

use std::collections::BTreeMap;

/// Different reasons told apart; a server that invents more gets them counted as one.
pub(super) const REASONS_MAX: usize = 64;

/// Counts by reason, of which there are only so many.
#[derive(Clone, Debug, Default)]
pub struct Reasons(BTreeMap<String, u64>);

impl Reasons {
    /// Counts one more for `reason`.
    pub fn count(&mut self, reason: &str) {
        self.add(reason, 1);
    }

    /// Counts `count` more for `reason`.
    pub fn add(&mut self, reason: &str, count: u64) {
        if let Some(known) = self.0.get_mut(reason) {
            *known += count;
        } else {
            let reason = if self.0.len() < REASONS_MAX { reason } else { "another reason" };
            *self.0.entry(reason.to_owned()).or_default() += count;
        }
    }

    /// All reasons together.
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
