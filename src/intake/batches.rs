//! Submitting many applications at once, a line each.

use std::time::Duration;

use super::{
    counter::Counter,
    opening::Intake,
    submitting::{Key, SubmitFault},
    under_way::BatchUnderWay,
};
use crate::{
    identity::Audience,
    ledger::{fault::CommitFault, receipt::Receipt},
    session::{
        Session,
        scope::{Personal, Scope},
    },
};

/// Why a batch is not accepted at all. None of its lines was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchFault {
    /// Only intermediaries submit batches.
    IntermediariesOnly,
    /// Another batch of the same person has not ended yet.
    OneAtATime,
    /// The ledger takes nothing now.
    Commit(CommitFault),
}

impl Intake {
    /// Begins a batch of this session.
    ///
    /// # Errors
    /// [`BatchFault`].
    pub fn begin_batch(&self, scope: Scope<'_>) -> Result<BatchUnderWay, BatchFault> {
        if scope.audience() != Audience::Intermediaries {
            return Err(BatchFault::IntermediariesOnly);
        }
        self.admits().map_err(BatchFault::Commit)?;
        self.batches.begin(scope.session().person).ok_or(BatchFault::OneAtATime)
    }

    /// Counts a line against its person's rate limit; the time to wait before it is read, if that is exceeded.
    #[must_use]
    pub fn pause_before_line(&self, session: &Session) -> Option<Duration> {
        self.limits.load().line_of(session.person).err().map(|too_often| too_often.wait)
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
