//! Estimating and submitting an application.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};

use super::{counter::Counter, drafting::DraftOf, opening::Intake, reading::owner};
use crate::{
    application::{self, Application, ParseError},
    civic::local_time,
    gate::quotas::{Reserved, UsedUp},
    identity::Audience,
    ledger::{
        Ledger,
        audit::{Action, Object},
        book::{
            record::{Channel, Header, RecordFault},
            submission::{Disposition, Submission},
        },
        fault::{CommitFault, ReadFault, Untraced},
        journal::Event,
        position::Position,
        proof::{Digest, sha256},
        receipt::Receipt,
    },
    schemes::{Answers, Campaign, CampaignWindow, Decision},
    session::scope::{Personal, Scope},
    trace::{Part, time},
    vault::Subject,
};

/// What makes a repeated submission the same one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'k> {
    /// A key that the client chose.
    Chosen(&'k str),
    /// The content itself.
    OfContent,
}

/// An application that was accepted, now or before.
pub struct Accepted {
    /// Its receipt.
    pub receipt: Receipt,
    /// False if the same was submitted before, so that nothing has changed.
    pub is_new: bool,
}

/// Why an application was not accepted.
#[derive(Debug)]
pub enum SubmitFault {
    /// It is not a valid application; every fault is named.
    Invalid(ParseError),
    /// Its campaign is not open.
    CampaignClosed(CampaignWindow),
    /// A citizen applies for another person, or names a mandate.
    NotYours,
    /// The office has no mandate that covers the person and campaign today.
    NoMandate,
    /// The same idempotency key came with another body.
    KeyReused,
    /// The person has an application in this campaign; its receipt if they may see it.
    AlreadyApplied(Option<Box<Receipt>>),
    /// The person has withdrawn as many applications in this campaign as are allowed.
    Exhausted,
    /// The office or its clerk has submitted as many applications today as are allowed.
    UsedUp {
        /// When the next day begins.
        until: Timestamp,
        /// When they asked.
        now: Timestamp,
    },
    /// No lease is free: enter again.
    NoLease,
    /// The ledger did not take it.
    Commit(CommitFault),
    /// The ledger could not be read.
    Read(ReadFault),
    /// The audit trail takes nothing at present.
    Untraced(Untraced),
}

impl SubmitFault {
    /// Whether the server is at fault, and not what was submitted or who did it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self {
            Self::NoLease | Self::Commit(_) | Self::Read(_) | Self::Untraced(_) => true,
            Self::Invalid(_)
            | Self::CampaignClosed(_)
            | Self::NotYours
            | Self::NoMandate
            | Self::KeyReused
            | Self::AlreadyApplied(_)
            | Self::Exhausted
            | Self::UsedUp { .. } => false,
        }
    }
}

impl Intake {
    /// Whether submissions are accepted as far as disk space is concerned. Ask before a body is read.
    ///
    /// # Errors
    /// [`CommitFault::NoRoom`].
    pub fn admits(&self) -> Result<(), CommitFault> {
        self.space.admits()
    }

    /// The decision that the engine would take today; stores nothing.
    ///
    /// A citizen's estimate uses what the institute knows of them. An intermediary's uses the statements alone;
    /// otherwise an estimate would reveal anybody's income without leaving an application behind.
    ///
    /// # Errors
    /// [`SubmitFault::Invalid`], [`SubmitFault::NotYours`], [`SubmitFault::NoMandate`], [`SubmitFault::Read`] or
    /// [`SubmitFault::Untraced`].
    pub async fn estimate<'s>(
        &self,
        scope: Scope<'s>,
        body: &[u8],
    ) -> Result<Personal<'s, Decision>, SubmitFault> {
        let application = self.parse(scope, body).await?;
        let today = local_time::date_at(self.clock.now());
        let answers = match scope.audience() {
            Audience::Citizens => self.registry.answers(&application.applicant.fiscal_code),
            Audience::Intermediaries => Answers::NONE,
        };
        let deciding = time(Part::Decision);
        let decision = self.rules.decide_with(&application.facts, today, &answers);
        drop(deciding);
        if answers != Answers::NONE {
            self.note(scope, Action::EstimateShown, scope.session().person, None)
                .await
                .map_err(SubmitFault::Untraced)?;
        }
        Ok(scope.personal(scope.subject(), decision))
    }

    /// Records in the audit trail what this session does; what it is shown may leave once this returns. Somebody else's
    /// data leave only when the event is durable. What people do with their own does not wait for the disk. The canary
    /// leaves no trace: it is nobody.
    ///
    /// # Errors
    /// [`Untraced`]: refuse it.
    pub(super) async fn note(
        &self,
        scope: Scope<'_>,
        action: Action,
        subject: Subject,
        object: Object,
    ) -> Result<(), Untraced> {
        let (session, now) = (scope.session(), self.clock.now());
        if !session.is_canary() && session.is_news(action, subject, object, now) {
            self.space.admits_events()?;
            let who = self.who(session);
            let is_own = scope.subject() == subject;
            if !is_own || self.trail.note_soon(action, subject, who, object).is_err() {
                self.trail.note(action, subject, who, object).await?;
            }
            // Not before: the same request meanwhile must not overtake its event.
            session.noted(action, subject, object, now);
        }
        Ok(())
    }

    /// Parses an application that this session may submit today.
    pub(super) async fn parse(
        &self,
        scope: Scope<'_>,
        body: &[u8],
    ) -> Result<Application, SubmitFault> {
        let application =
            application::parse_bounded(body, self.rules).map_err(SubmitFault::Invalid)?;
        let person = &application.applicant.fiscal_code;
        if person.is_canary() && !scope.session().is_canary() {
            return Err(match scope.audience() {
                Audience::Citizens => SubmitFault::NotYours,
                Audience::Intermediaries => SubmitFault::NoMandate,
            });
        }
        match scope.audience() {
            Audience::Citizens => {
                let is_own = *person == scope.fiscal_code() && application.mandate.is_none();
                if is_own { Ok(application) } else { Err(SubmitFault::NotYours) }
            }
            Audience::Intermediaries => {
                let named = application.mandate.as_deref().ok_or(SubmitFault::NoMandate)?;
                let (person, campaign) = (self.keys.subject(person), application.campaign());
                let covered = self.is_covered(scope, person, campaign, Some(named)).await;
                let covered = covered.map_err(|fault| SubmitFault::Read(fault.into()))?;
                if covered { Ok(application) } else { Err(SubmitFault::NoMandate) }
            }
        }
    }

    /// The ledger that takes applications of the campaign on `today`.
    pub(super) fn open_ledger(
        &self,
        campaign: Campaign,
        today: Date,
    ) -> Result<Arc<dyn Ledger>, SubmitFault> {
        if let Some(window) = self.rules.window(campaign)
            && !window.contains(today)
        {
            return Err(SubmitFault::CampaignClosed(window));
        }
        // A ledger is opened the day before its campaign; if that failed, an operator was alerted.
        self.shelf.get(campaign).ok_or(SubmitFault::Commit(CommitFault::Away))
    }

    /// Reserves an application of the daily quotas; `None` for a citizen, whose applications the ledger counts.
    fn reserve(&self, scope: Scope<'_>, today: Date) -> Option<Result<Reserved<'_>, UsedUp>> {
        let (office, clerk) = (scope.subject(), scope.session().person);
        (scope.audience() == Audience::Intermediaries)
            .then(|| self.quotas.reserve(office, clerk, today))
    }

    fn seal(
        &self,
        scope: Scope<'_>,
        key: Key<'_>,
        body: &[u8],
        digest: Digest,
        received_on: Date,
        application: Application,
    ) -> Submission {
        let principal = scope.subject();
        let channel = self.channel(scope);
        let subject = match channel {
            Channel::Citizen | Channel::Canary => principal,
            Channel::Intermediary | Channel::ContactCenter => {
                self.keys.subject(&application.applicant.fiscal_code)
            }
        };
        let actor = scope.session().person;
        let header = Header { channel, received_on, subject, principal, actor };
        let key = match key {
            Key::Chosen(key) => self.keys.key_hash(principal, b"chosen", key.as_bytes()),
            Key::OfContent => self.keys.key_hash(principal, b"content", &digest),
        };
        Submission::sealed(&self.keys, &header, key, digest, body, application)
    }
}

impl Counter {
    /// Accepts an application: it is durable when this returns a receipt. The same `idempotency_key` with the same body
    /// returns the same receipt.
    ///
    /// # Errors
    /// [`SubmitFault`]; nothing was kept.
    pub async fn submit<'s>(
        &self,
        scope: Scope<'s>,
        idempotency_key: &str,
        body: &[u8],
    ) -> Result<Personal<'s, Receipt>, SubmitFault> {
        let accepted = self.submit_with(scope, Key::Chosen(idempotency_key), body).await?;
        Ok(accepted.map(|accepted| accepted.receipt))
    }

    pub(super) async fn submit_with<'s>(
        &self,
        scope: Scope<'s>,
        key: Key<'_>,
        body: &[u8],
    ) -> Result<Personal<'s, Accepted>, SubmitFault> {
        let taking = self.take(scope, key, body);
        if scope.session().is_canary() {
            return taking.await;
        }
        self.submissions.count(taking, SubmitFault::is_ours).await
    }

    async fn take<'s>(
        &self,
        scope: Scope<'s>,
        key: Key<'_>,
        body: &[u8],
    ) -> Result<Personal<'s, Accepted>, SubmitFault> {
        let intake = &self.intake;
        intake.admits().map_err(SubmitFault::Commit)?;
        let application = intake.parse(scope, body).await?;
        let now = intake.clock.now();
        let today = local_time::date_at(now);
        let ledger = intake.open_ledger(application.campaign(), today)?;
        let reserved = intake.reserve(scope, today);
        intake.sessions.take_back(scope.session());
        let finishing = scope.session().finishing(&intake.leases).ok_or(SubmitFault::NoLease)?;

        let digest = sha256(body);
        let (scheme, mandate) = (application.campaign().scheme, application.mandate.clone());
        let mut submission = intake.seal(scope, key, body, digest, today, application);
        submission.may_be_new = !matches!(reserved, Some(Err(UsedUp)));
        let disposition = {
            let committing = time(Part::Commit);
            submission.recording = committing.recording();
            let _waiting = intake.finishing.one_more();
            self.handover(&ledger).submit(submission).await
        };
        let disposition = disposition.map_err(SubmitFault::Commit)?;
        let is_new = matches!(disposition, Disposition::Accepted(..));
        let (owner, receipt) = match disposition {
            Disposition::Accepted(position, batch, principal) => {
                if let Some(Ok(reserved)) = reserved {
                    reserved.used();
                    let (office, clerk) = (scope.subject(), scope.session().person);
                    intake.journal.note(Event::Counted { office, clerk, day: today });
                }
                let receipt = batch.receipt(position, today, &digest);
                (principal, receipt.ok_or_else(missing)?)
            }
            Disposition::Replayed(position) => {
                stored_receipt(scope, ledger.as_ref(), position).await?
            }
            Disposition::KeyReused => return Err(SubmitFault::KeyReused),
            Disposition::Exhausted => return Err(SubmitFault::Exhausted),
            Disposition::NotNew => {
                let until = today.tomorrow().map_or(Timestamp::MAX, local_time::start_of);
                return Err(SubmitFault::UsedUp { until, now });
            }
            Disposition::AlreadyApplied(position) => {
                return Err(already_applied(scope, ledger.as_ref(), position).await);
            }
        };
        finishing.done();
        intake.sessions.has_finished(scope.session());
        intake.forget_draft(scope, DraftOf { scheme, mandate: mandate.as_deref() }).await;
        Ok(scope.personal(owner, Accepted { receipt, is_new }))
    }
}

async fn already_applied(scope: Scope<'_>, ledger: &dyn Ledger, position: Position) -> SubmitFault {
    match stored_receipt(scope, ledger, position).await {
        Ok((owner, receipt)) => {
            SubmitFault::AlreadyApplied((owner == scope.subject()).then(|| Box::new(receipt)))
        }
        Err(fault) => fault,
    }
}

/// A receipt that was given before, and whose it is according to the record itself.
async fn stored_receipt(
    scope: Scope<'_>,
    ledger: &dyn Ledger,
    position: Position,
) -> Result<(Subject, Receipt), SubmitFault> {
    let header = ledger.header(position).await.map_err(|fault| match fault {
        ReadFault::Record(RecordFault::Erased) => SubmitFault::AlreadyApplied(None),
        fault => SubmitFault::Read(fault),
    })?;
    let receipt = ledger.receipt(position).await.map_err(SubmitFault::Read)?;
    Ok((owner(scope, &header), receipt.ok_or_else(missing)?))
}

/// The ledger lacks a receipt that it should hold: the storage is not to be trusted.
fn missing() -> SubmitFault {
    SubmitFault::Commit(CommitFault::Storage)
}
