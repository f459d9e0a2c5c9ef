//! Submitting many applications at once, a line each.

use std::time::Duration;

use super::{
    counter::Counter,
    opening::Intake,
    submitting::{Accepted, Key, SubmitFault},
    under_way::{BatchUnderWay, UploadUnderWay},
};
use crate::{
    civic::local_time,
    identity::Audience,
    ledger::fault::CommitFault,
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
    /// As many files of browsers are in memory as may be.
    Full,
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

    /// Begins to read a file that a browser sends.
    ///
    /// # Errors
    /// [`BatchFault`].
    pub fn begin_upload(&self, scope: Scope<'_>) -> Result<UploadUnderWay, BatchFault> {
        let batch = self.begin_batch(scope)?;
        self.batches.begin_upload(batch).ok_or(BatchFault::Full)
    }

    /// Whether the application of a line may be submitted today, as far as its content, campaign and mandate go. Stores
    /// nothing.
    ///
    /// # Errors
    /// [`SubmitFault::Invalid`], [`SubmitFault::CampaignClosed`], [`SubmitFault::NoMandate`], [`SubmitFault::Commit`] or
    /// [`SubmitFault::Read`].
    pub async fn check_line(&self, scope: Scope<'_>, line: &[u8]) -> Result<(), SubmitFault> {
        let application = self.parse(scope, line).await?;
        let today = local_time::date_at(self.clock.now());
        self.open_ledger(application.campaign(), today).map(drop)
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
    ) -> Result<Personal<'s, Accepted>, SubmitFault> {
        self.submit_with(scope, Key::OfContent, line).await
    }
}
