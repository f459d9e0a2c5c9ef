//! An application on its way into the ledger, and what the ledger answers.

use std::sync::Arc;

use jiff::civil::Date;

use super::{
    super::{position::Position, proof::Digest},
    entry::Entry,
    record::{Channel, Header},
    sign::SignedBatch,
};
use crate::{
    application::Application,
    trace::Recording,
    vault::{Claim, HouseKeys, KeyHash, Subject},
};

/// An application on its way into the ledger.
pub struct Submission {
    /// What may exist once.
    pub claim: Claim,
    /// The client's idempotency key, hashed in its scope.
    pub key: KeyHash,
    /// SHA-256 of the application's bytes as they were sent.
    pub digest: Digest,
    /// The channel through which it was submitted.
    pub channel: Channel,
    /// The filing date, Europe/Rome.
    pub received_on: Date,
    /// Whose data it is.
    pub subject: Subject,
    /// Who submitted it; the receipt is for them.
    pub principal: Subject,
    /// The sealed record.
    pub record: Vec<u8>,
    /// The parsed application, for the judges, once it is durable.
    pub application: Box<Application>,
    /// Whether it may be accepted; otherwise it is only answered if it repeats an accepted one.
    pub may_be_new: bool,
    /// The request that it came with, if that is sampled.
    pub recording: Option<Arc<Recording>>,
}

impl Submission {
    /// Seals `body` for the subject of `header`. `digest` and `application` must belong to `body`; this is not checked.
    #[must_use]
    pub fn sealed(
        keys: &HouseKeys,
        header: &Header,
        key: KeyHash,
        digest: Digest,
        body: &[u8],
        application: Application,
    ) -> Self {
        let Header { channel, received_on, subject, principal, .. } = *header;
        let campaign = application.campaign();
        Self {
            claim: keys.claim(subject, campaign),
            key,
            digest,
            channel,
            received_on,
            subject,
            principal,
            record: keys.seal_record(campaign, header, body),
            application: Box::new(application),
            may_be_new: true,
            recording: None,
        }
    }
}

impl From<&Submission> for Entry {
    fn from(submission: &Submission) -> Self {
        Self {
            claim: submission.claim,
            key: submission.key,
            digest: submission.digest,
            channel: submission.channel,
            received_on: submission.received_on,
        }
    }
}

/// What became of a submission.
#[derive(Clone)]
pub enum Disposition {
    /// It is durable. Its position, its signed batch, and the principal whom its receipt is for.
    Accepted(Position, Arc<SignedBatch>, Subject),
    /// The same key with the same body was accepted before: its receipt holds.
    Replayed(Position),
    /// The same key was used with another body.
    KeyReused,
    /// The person has an application in this campaign.
    AlreadyApplied(Position),
    /// The person has withdrawn as many applications in this campaign as are allowed.
    Exhausted,
    /// It would be new, and may not be: see [`Submission::may_be_new`].
    NotNew,
}
