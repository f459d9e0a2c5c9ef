//! The use cases of the counter: enter, estimate, submit, read, withdraw.
//!
//! What is read from the outside comes in as bytes and words, what goes out is typed and, where it belongs to a person,
//! branded. Nothing here knows HTTP.

mod entering;

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use bytes::Bytes;
use jiff::civil::Date;
use tokio::task::spawn_blocking;

pub use self::entering::{EnterFault, Entered};
use crate::{
    application::{self, Application, ParseError},
    civic::local_time,
    clock::Clock,
    gate::{
        leases::Leases,
        limits::Limits,
        schedule::{Schedule, Window},
        waiting::Room,
    },
    identity::{Audience, token::Verifier},
    ledger::{
        Channel, Ledger, Position, ReadFault, Receipt, State,
        audit::{Action, Object, Trail},
        committer::CommitFault,
        drafts::Drafts,
        engine::{StorageFault, Submission, Verdict},
        handover::Handover,
        keys::HouseKeys,
        proof::{Digest, sha256},
        receipt::ReceiptCode,
        record::{Header, RecordFault},
        seal::Subject,
        shelf::Shelf,
        space::Space,
    },
    registry,
    schemes::{Answers, Campaign, CampaignWindow, Decision, Rules},
    session::{
        registry::Registry,
        scope::{Personal, Scope},
    },
};

/// Everything the use cases work with, shared by all runtimes.
pub struct Intake {
    /// What time it is.
    pub clock: Clock,
    /// Keys of subjects, claims and seals.
    pub keys: Arc<HouseKeys>,
    /// The law.
    pub rules: &'static Rules,
    /// Who may enter when.
    pub schedule: Schedule,
    /// Whose identity tokens are trusted.
    pub verifier: Verifier,
    /// Reserved finishes.
    pub leases: Leases,
    /// Where people wait for one.
    pub waiting: Room,
    /// How often somebody may ask.
    pub limits: Limits,
    /// Open sessions.
    pub sessions: Registry,
    /// Open ledgers.
    pub shelf: Arc<Shelf>,
    /// Room on the ledgers' disk.
    pub space: Arc<Space>,
    /// What people have begun and not handed in.
    pub drafts: Arc<Drafts>,
    /// Who was shown or changed whose data.
    pub trail: Arc<Trail>,
    /// What the institute knows itself.
    pub registry: Arc<dyn registry::Registry>,
}

/// One runtime's desk: the shared intake and this runtime's own counters to the ledgers.
pub struct Desk {
    /// Shared by all desks.
    pub intake: Arc<Intake>,
    handovers: RefCell<HashMap<Campaign, Handover>>,
}

/// What makes a repeated submission the same one.
#[derive(Clone, Copy, Debug)]
pub enum Key<'k> {
    /// A key that the client chose.
    Chosen(&'k str),
    /// The content itself: a line of a batch is the same when it reads the same.
    OfContent,
}

/// Why an application was not accepted.
#[derive(Debug)]
pub enum SubmitFault {
    /// It is not a valid application; every fault is named.
    Invalid(ParseError),
    /// Its campaign is not open.
    CampaignClosed(CampaignWindow),
    /// It is for somebody else, without a mandate.
    NotYours,
    /// The same idempotency key came with another body.
    KeyReused,
    /// The person has an application in this campaign; its receipt if they may see it.
    AlreadyApplied(Option<Box<Receipt>>),
    /// No place to finish is free: enter again.
    NoLease,
    /// The ledger did not take it.
    Commit(CommitFault),
    /// The ledger could not be read.
    Read(ReadFault),
}

/// Why an application is not shown or withdrawn.
#[derive(Debug)]
pub enum LookupFault {
    /// There is none under this receipt, or it is somebody else's: the two are told apart by nobody.
    NotFound,
    /// The ledger did not take the withdrawal.
    Commit(CommitFault),
    /// The ledger could not be read.
    Read(ReadFault),
}

/// An application as its person sees it.
pub struct Standing {
    /// Its receipt code.
    pub receipt: ReceiptCode,
    /// Where it stands.
    pub state: State,
    /// The day it counts from.
    pub received_on: Date,
    /// Its bytes as they were sent.
    pub application: Vec<u8>,
    /// The decision as JSON, once there is one.
    pub decision: Option<Vec<u8>>,
}

impl Intake {
    /// When each audience may enter, as of now.
    #[must_use]
    pub fn window(&self, audience: Audience) -> Window {
        self.schedule.window(audience, self.clock.now())
    }

    /// The decision that the engine would take today; stores nothing.
    ///
    /// Citizens are told by what the institute knows of them. An intermediary is told by its client's statements alone:
    /// otherwise asking for an estimate would be a way to learn anybody's income without leaving an application behind.
    ///
    /// # Errors
    /// [`SubmitFault::Invalid`] or [`SubmitFault::NotYours`].
    pub async fn estimate<'s>(
        &self,
        scope: Scope<'s>,
        body: &[u8],
    ) -> Result<Personal<'s, Decision>, SubmitFault> {
        let application = self.read_application(scope, body)?;
        let today = local_time::date_at(self.clock.now());
        let answers = match scope.audience() {
            Audience::Citizens => self.registry.answers(&application.applicant.fiscal_code),
            Audience::Intermediaries => Answers::NONE,
        };
        let decision = self.rules.decide_with(&application.facts, today, &answers);
        if answers != Answers::NONE {
            self.note(scope, Action::EstimateShown, scope.session().person, None).await;
        }
        Ok(scope.personal(scope.subject(), decision))
    }

    /// Tells the audit trail; what is shown or asked for goes on once it is on disk.
    async fn note(&self, scope: Scope<'_>, action: Action, subject: Subject, object: Object) {
        let session = scope.session();
        if session.is_news(action, object, self.clock.now()) {
            self.trail.note(action, subject, session.who(), object).await;
        }
    }

    fn read_application(&self, scope: Scope<'_>, body: &[u8]) -> Result<Application, SubmitFault> {
        let application = application::parse(body, self.rules).map_err(SubmitFault::Invalid)?;
        let own = application.applicant.fiscal_code == scope.fiscal_code();
        let allowed = match scope.audience() {
            Audience::Citizens => own && application.mandate.is_none(),
            Audience::Intermediaries => application.mandate.is_some(),
        };
        if allowed { Ok(application) } else { Err(SubmitFault::NotYours) }
    }

    /// Whether applications of the campaign are taken on `today`.
    fn open_campaign(&self, campaign: Campaign, today: Date) -> Result<(), SubmitFault> {
        match self.rules.window(campaign) {
            Some(window) if !window.contains(today) => Err(SubmitFault::CampaignClosed(window)),
            // A year without parameters is a fault of the application that the parser names.
            _ => Ok(()),
        }
    }

    fn find(&self, code: ReceiptCode) -> Option<(Arc<Ledger>, Position, State)> {
        let ledger = self.shelf.get(code.campaign())?;
        let (position, state) = ledger.find(code)?;
        Some((ledger, position, state))
    }
}

/// Who may see the record: its person, or the intermediary that handed it in, according to as whom the session came.
fn owner(scope: Scope<'_>, header: &Header) -> Subject {
    match scope.audience() {
        Audience::Citizens => header.subject,
        Audience::Intermediaries => header.principal,
    }
}

impl Desk {
    /// A desk for the runtime it is made in.
    #[must_use]
    pub fn new(intake: Arc<Intake>) -> Rc<Self> {
        Rc::new(Self { intake, handovers: RefCell::default() })
    }

    /// Takes an application: it is durable when this returns a receipt.
    ///
    /// # Errors
    /// [`SubmitFault`]; nothing was kept.
    pub async fn submit<'s>(
        &self,
        scope: Scope<'s>,
        key: Key<'_>,
        body: &[u8],
    ) -> Result<Personal<'s, Receipt>, SubmitFault> {
        let intake = &self.intake;
        intake.space.admits().map_err(SubmitFault::Commit)?;
        let application = intake.read_application(scope, body)?;
        let campaign = application.campaign();
        let today = local_time::date_at(intake.clock.now());
        intake.open_campaign(campaign, today)?;
        // A ledger is opened the day before its campaign; should that have failed, an operator is being told.
        let ledger = intake.shelf.get(campaign).ok_or(SubmitFault::Commit(CommitFault::Busy))?;
        let finishing = scope.session().finishing(&intake.leases).ok_or(SubmitFault::NoLease)?;

        let digest = sha256(body);
        let submission = intake.submission(scope, key, body, digest, today, application);
        let verdict =
            self.handover(&ledger).submit(submission).await.map_err(SubmitFault::Commit)?;
        let (owner, receipt) = match verdict {
            Verdict::Accepted(position, batch, principal) => {
                let receipt = ledger.receipt(position, today, &digest, &batch);
                (principal, receipt.ok_or_else(missing)?)
            }
            Verdict::Replayed(position) => stored_receipt(scope, &ledger, position).await?,
            Verdict::KeyReused => return Err(SubmitFault::KeyReused),
            Verdict::AlreadyApplied(position) => {
                return Err(already_applied(scope, &ledger, position).await);
            }
        };
        finishing.done();
        intake.forget_draft(scope).await;
        Ok(scope.personal(owner, receipt))
    }

    /// Keeps what a person has begun, in place of what they had begun before; it is on disk when this returns.
    ///
    /// # Errors
    /// [`StorageFault`].
    pub async fn save_draft(&self, scope: Scope<'_>, draft: Bytes) -> Result<(), StorageFault> {
        let (drafts, person) = (Arc::clone(&self.intake.drafts), scope.session().person);
        self.intake.note(scope, Action::DraftSaved, person, None).await;
        blocking(move || drafts.save(person, &draft)).await
    }

    /// What a person has begun, if anything.
    ///
    /// # Errors
    /// [`ReadFault`].
    pub async fn draft<'s>(
        &self,
        scope: Scope<'s>,
    ) -> Result<Option<Personal<'s, Vec<u8>>>, ReadFault> {
        self.intake.note(scope, Action::DraftShown, scope.session().person, None).await;
        let (drafts, person) = (Arc::clone(&self.intake.drafts), scope.session().person);
        let draft = blocking(move || drafts.load(person)).await?;
        Ok(draft.map(|draft| scope.personal(scope.subject(), draft)))
    }

    fn handover(&self, ledger: &Arc<Ledger>) -> Handover {
        let mut handovers = self.handovers.borrow_mut();
        handovers.entry(ledger.campaign()).or_insert_with(|| Handover::to(ledger)).clone()
    }

    /// The application under a receipt, as its person sees it.
    ///
    /// # Errors
    /// [`LookupFault`].
    pub async fn read<'s>(
        &self,
        scope: Scope<'s>,
        code: ReceiptCode,
    ) -> Result<Personal<'s, Standing>, LookupFault> {
        let (ledger, position, state) = self.intake.find(code).ok_or(LookupFault::NotFound)?;
        let header = header_of(&ledger, position).await.map_err(LookupFault::Read)?;
        if owner(scope, &header) != scope.subject() {
            return Err(LookupFault::NotFound);
        }
        let object = Some((ledger.campaign(), position));
        self.intake.note(scope, Action::ApplicationShown, header.subject, object).await;
        // A citizen's own key opens; an intermediary was entrusted with the record, as its header has just shown.
        let subject = match scope.audience() {
            Audience::Citizens => scope.subject(),
            Audience::Intermediaries => header.subject,
        };
        let (application, decision) = blocking(move || {
            Ok((ledger.application(position, subject)?, ledger.decision(position, subject)?))
        })
        .await
        .map_err(LookupFault::Read)?;
        let standing = Standing {
            receipt: code,
            state,
            received_on: header.received_on,
            application,
            decision,
        };
        Ok(scope.personal(owner(scope, &header), standing))
    }

    /// Withdraws the application under a receipt; doing it twice changes nothing.
    ///
    /// # Errors
    /// [`LookupFault`].
    pub async fn withdraw(&self, scope: Scope<'_>, code: ReceiptCode) -> Result<(), LookupFault> {
        let (ledger, position, _) = self.intake.find(code).ok_or(LookupFault::NotFound)?;
        let header = header_of(&ledger, position).await.map_err(LookupFault::Read)?;
        if owner(scope, &header) != scope.subject() {
            return Err(LookupFault::NotFound);
        }
        let object = Some((ledger.campaign(), position));
        self.intake.note(scope, Action::WithdrawalAsked, header.subject, object).await;
        ledger.withdraw(position).await.map_err(LookupFault::Commit)?;
        Ok(())
    }
}

impl Intake {
    fn submission(
        &self,
        scope: Scope<'_>,
        key: Key<'_>,
        body: &[u8],
        digest: Digest,
        received_on: Date,
        application: Application,
    ) -> Submission {
        let principal = scope.subject();
        let (subject, channel) = match scope.audience() {
            Audience::Citizens => (principal, Channel::Citizen),
            Audience::Intermediaries => {
                (self.keys.subject(&application.applicant.fiscal_code), Channel::Intermediary)
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

impl Intake {
    /// A draft is gone after its submission. Should its removal fail, it is replaced or removed another time.
    async fn forget_draft(&self, scope: Scope<'_>) {
        let (drafts, person) = (Arc::clone(&self.drafts), scope.session().person);
        if drafts.has(person)
            && let Err(fault) = blocking(move || drafts.remove(person)).await
        {
            tracing::warn!(%fault, "a draft outlives its submission");
        }
    }
}

async fn already_applied(
    scope: Scope<'_>,
    ledger: &Arc<Ledger>,
    position: Position,
) -> SubmitFault {
    match stored_receipt(scope, ledger, position).await {
        Ok((owner, receipt)) => {
            SubmitFault::AlreadyApplied((owner == scope.subject()).then(|| Box::new(receipt)))
        }
        Err(fault) => fault,
    }
}

/// A receipt that was given before, and whose it is by the record itself.
async fn stored_receipt(
    scope: Scope<'_>,
    ledger: &Arc<Ledger>,
    position: Position,
) -> Result<(Subject, Receipt), SubmitFault> {
    let header = header_of(ledger, position).await.map_err(|fault| match fault {
        ReadFault::Record(RecordFault::Erased) => SubmitFault::AlreadyApplied(None),
        fault => SubmitFault::Read(fault),
    })?;
    let ledger = Arc::clone(ledger);
    let receipt = blocking(move || Ok(ledger.stored_receipt(position)?)).await;
    let receipt = receipt.map_err(SubmitFault::Read)?.ok_or_else(missing)?;
    Ok((owner(scope, &header), receipt))
}

async fn header_of(ledger: &Arc<Ledger>, position: Position) -> Result<Header, ReadFault> {
    let ledger = Arc::clone(ledger);
    blocking(move || ledger.header(position)).await
}

/// A receipt that the ledger should hold and does not: the storage is not to be trusted.
fn missing() -> SubmitFault {
    SubmitFault::Commit(CommitFault::Storage)
}

/// Waits for the disk on a thread of its own, so that the event loop goes on.
async fn blocking<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(fault) => std::panic::resume_unwind(fault.into_panic()),
    }
}
