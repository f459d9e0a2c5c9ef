//! Submitting many applications at once, a line each.

use super::{
    counter::Counter,
    opening::Intake,
    submitting::{Key, SubmitFault},
};
use crate::{
    identity::Audience,
    ledger::{fault::CommitFault, receipt::Receipt},
    session::scope::{Personal, Scope},
};

/// Why a batch is not accepted at all. None of its lines was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchFault {
    /// Only intermediaries submit batches.
    IntermediariesOnly,
    /// The ledger takes nothing now.
    Commit(CommitFault),
}

impl Intake {
    /// Whether this session may submit a batch now.
    ///
    /// # Errors
    /// [`BatchFault`].
    pub fn admits_batch(&self, scope: Scope<'_>) -> Result<(), BatchFault> {
        if scope.audience() != Audience::Intermediaries {
            return Err(BatchFault::IntermediariesOnly);
        }
        self.admits().map_err(BatchFault::Commit)
    }
}

impl Counter {
    /// Accepts the application of one line. A line with the same content returns the same receipt, so that a batch can
    /// be sent again.
    ///
    /// # Errors
    /// [`SubmitFault`]; nothing of the line was kept.
    pub async fn submit_line<'s>(
        &self,
        scope: Scope<'s>,
        line: &[u8],
    ) -> Result<Personal<'s, Receipt>, SubmitFault> {
        self.submit_with(scope, Key::OfContent, line).await
    }
}
