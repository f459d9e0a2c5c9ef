//! The use cases of the counter: enter, estimate, submit, read, withdraw.
//!
//! What is read from the outside comes in as bytes and words, what goes out is typed and, where it belongs to a person,
//! branded. Nothing here knows HTTP.

use std::{cell::RefCell, collections::HashMap, net::IpAddr, rc::Rc, sync::Arc};

use jiff::{Timestamp, civil::Date};
use tokio::task::spawn_blocking;

use crate::{
    application::{self, Application, ParseError},
    civic::local_time,
    clock::Clock,
    gate::{
        leases::Leases,
        limits::{Limits, TooOften},
        schedule::{self, Window},
    },
    identity::{
        Audience, Identity,
        token::{TokenFault, Verifier},
    },
    ledger::{
        Channel, Ledger, Position, ReadFault, Receipt, State,
        committer::CommitFault,
        engine::{Submission, Verdict},
        handover::Handover,
        keys::HouseKeys,
        proof::{Digest, sha256},
        receipt::ReceiptCode,
        record::Header,
        seal::Subject,
        shelf::Shelf,
    },
    registry,
    schemes::{Answers, Campaign, CampaignWindow, Decision, Rules},
    session::{
        Session,
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
    pub schedule: schedule::Config,
    /// Whose identity tokens are trusted.
    pub verifier: Verifier,
    /// Reserved finishes.
    pub leases: Leases,
    /// How often somebody may ask.
    pub limits: Limits,
    /// Open sessions.
    pub sessions: Registry,
    /// Open ledgers.
    pub shelf: Arc<Shelf>,
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

/// Why somebody may not enter now.
#[derive(Debug)]
pub enum EnterFault {
    /// The token does not prove who they are.
    Token(TokenFault),
    /// It is the other audience's turn.
    WindowClosed {
        /// Next time for this audience.
        opens_at: Timestamp,
    },
    /// They asked too often.
    TooOften(TooOften),
    /// Everybody who can finish is inside already, or no session is free.
    Full,
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

    /// Lets somebody in: their identity, their turn, how often they asked, and a lease, in this order.
    ///
    /// # Errors
    /// [`EnterFault`].
    pub fn enter(&self, token: &str, from: IpAddr) -> Result<(String, Arc<Session>), EnterFault> {
        self.limits.enter_from(from).map_err(EnterFault::TooOften)?;
        let identity = self.verifier.verify(token, self.clock.real()).map_err(EnterFault::Token)?;
        let now = self.clock.now();
        if let Window::Closed { opens_at } = self.schedule.window(identity.audience, now) {
            return Err(EnterFault::WindowClosed { opens_at });
        }
        self.seat(&identity, now)
    }

    fn seat(
        &self,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<(String, Arc<Session>), EnterFault> {
        let subject = self.keys.subject(&identity.fiscal_code);
        self.limits.enter_as(subject).map_err(EnterFault::TooOften)?;
        let lease = self.leases.take().ok_or(EnterFault::Full)?;
        self.sessions.open(identity, subject, lease, now).map_err(|_| EnterFault::Full)
    }

    /// The decision that the engine would take today; stores nothing.
    ///
    /// Citizens are told by what the institute knows of them. An intermediary is told by its client's statements alone:
    /// otherwise asking for an estimate would be a way to learn anybody's income without leaving an application behind.
    ///
    /// # Errors
    /// [`SubmitFault::Invalid`] or [`SubmitFault::NotYours`].
    pub fn estimate<'s>(
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
        let decision = self.rules.decide_with(&application, today, &answers);
        Ok(scope.personal(scope.subject(), decision))
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
        let application = intake.read_application(scope, body)?;
        let campaign = application.campaign();
        let today = local_time::date_at(intake.clock.now());
        intake.open_campaign(campaign, today)?;
        let ledger = intake.shelf.get(campaign).ok_or(SubmitFault::Commit(CommitFault::Storage))?;
        let finishing = scope.session().finishing(&intake.leases).ok_or(SubmitFault::NoLease)?;

        let digest = sha256(body);
        let submission = intake.submission(scope, key, body, digest, today, application);
        let verdict =
            self.handover(&ledger).submit(submission).await.map_err(SubmitFault::Commit)?;
        let receipt = match verdict {
            Verdict::Accepted(position, batch) => {
                ledger.receipt(position, today, &digest, &batch).ok_or_else(missing)?
            }
            Verdict::Replayed(position) => stored_receipt(&ledger, position).await?,
            Verdict::KeyReused => return Err(SubmitFault::KeyReused),
            Verdict::AlreadyApplied(position) => {
                return Err(self.already_applied(scope, ledger, position).await);
            }
        };
        finishing.done();
        Ok(scope.personal(scope.subject(), receipt))
    }

    async fn already_applied(
        &self,
        scope: Scope<'_>,
        ledger: Arc<Ledger>,
        position: Position,
    ) -> SubmitFault {
        let reader = Arc::clone(&ledger);
        match blocking(move || reader.header(position)).await {
            Ok(header) if owner(scope, &header) == scope.subject() => {
                match stored_receipt(&ledger, position).await {
                    Ok(receipt) => SubmitFault::AlreadyApplied(Some(Box::new(receipt))),
                    Err(fault) => fault,
                }
            }
            Ok(_) => SubmitFault::AlreadyApplied(None),
            Err(fault) => SubmitFault::Read(fault),
        }
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
        let (header, application, decision) = blocking(move || {
            let header = ledger.header(position)?;
            let application = ledger.application(position, header.subject)?;
            let decision = ledger.decision(position, header.subject)?;
            Ok((header, application, decision))
        })
        .await
        .map_err(LookupFault::Read)?;
        if owner(scope, &header) != scope.subject() {
            return Err(LookupFault::NotFound);
        }
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
        let reader = Arc::clone(&ledger);
        let header = blocking(move || reader.header(position)).await.map_err(LookupFault::Read)?;
        if owner(scope, &header) != scope.subject() {
            return Err(LookupFault::NotFound);
        }
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
        let header = Header { channel, received_on, subject, principal };
        Submission {
            claim: self.keys.claim(subject, application.campaign()),
            key: match key {
                Key::Chosen(key) => self.keys.key_hash(principal, b"chosen", key.as_bytes()),
                Key::OfContent => self.keys.key_hash(principal, b"content", &digest),
            },
            digest,
            channel,
            received_on,
            subject,
            record: self.keys.seal_record(&header, body),
            application: Box::new(application),
        }
    }
}

async fn stored_receipt(ledger: &Arc<Ledger>, position: Position) -> Result<Receipt, SubmitFault> {
    let ledger = Arc::clone(ledger);
    blocking(move || Ok(ledger.stored_receipt(position)?))
        .await
        .map_err(SubmitFault::Read)?
        .ok_or_else(missing)
}

/// A receipt that the ledger should hold and does not: the storage is not to be trusted.
fn missing() -> SubmitFault {
    SubmitFault::Commit(CommitFault::Storage)
}

/// Waits for the disk on a thread of its own, so that the event loop goes on.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadFault> + Send + 'static,
) -> Result<T, ReadFault> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(fault) => std::panic::resume_unwind(fault.into_panic()),
    }
}
