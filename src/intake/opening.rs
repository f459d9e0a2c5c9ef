//! Opening and closing the intake.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use tokio::sync::Semaphore;

use super::{found::Found, under_way::Batches};
use crate::{
    civic::local_time,
    clock::Clock,
    gate::{
        admission::{self, Admission, Submissions},
        beacon::Beacon,
        leases::Leases,
        limits::{self, Limits},
        quotas::{self, Quotas},
        schedule::{self, Schedule},
        spread::Spread,
        waiting::{self, Room},
    },
    identity::{Office, certificate::Certificates, openid::RelyingParty, token::Verifier},
    judges::Bench,
    ledger::{
        audit::{self, MessageStore, Trail},
        case::Case,
        drafts::Drafts,
        engines,
        fault::OpenFault,
        journal::Journal,
        mandates::Mandates,
        rounds::{Outlook, Round, Rounds},
        shelf::Shelf,
        space::{Space, Watch},
        stores::Stores,
    },
    live::Live,
    registry::{
        Registry,
        mandates::MandateFile,
        notice::{NoticeFile, NoticeSource},
    },
    schemes::{CampaignWindow, Rules},
    session::{
        asleep::Remembered,
        sessions::{self, Sessions},
    },
    urn::Urn,
    vault::{HouseKeys, fill_random},
};

/// Searches of the trail at a time: each reads all of it, for seconds in a large house.
const SEARCHES_MAX: usize = 1;

/// The bounds of the intake and of everything it opens.
#[derive(Clone, Debug)]
pub struct Config {
    /// Time slices.
    pub schedule: schedule::Config,
    /// Bounds of the admission controller.
    pub admission: admission::Config,
    /// Leases at most.
    pub leases_max: usize,
    /// Bounds of the waiting room.
    pub waiting: waiting::Config,
    /// Rate limits.
    pub limits: limits::Config,
    /// Daily quotas of offices and clerks.
    pub quotas: quotas::Config,
    /// Bounds of sessions.
    pub sessions: sessions::Config,
    /// Applications in the urn at most.
    pub urn_applications_max: usize,
    /// The engine of the ledgers, and the bounds of each.
    pub ledger: engines::Config,
    /// Bounds of the audit trail.
    pub audit: audit::Config,
    /// Offices that act under telephone PINs.
    pub contact_centers: Vec<Office>,
    /// Free disk space, bytes, below which nothing new is accepted.
    pub disk_reserve_bytes: u64,
}

/// What the intake is built from.
pub struct Parts {
    /// The time.
    pub clock: Clock,
    /// Keys of subjects, claims and seals.
    pub keys: Arc<HouseKeys>,
    /// The law.
    pub rules: &'static Rules,
    /// Verifies identity tokens.
    pub verifier: Verifier,
    /// Signs people in at identity providers.
    pub relying: RelyingParty,
    /// Verifies client certificates; without it, none lets anybody enter.
    pub certificates: Option<Arc<Certificates>>,
    /// What the institute knows itself.
    pub registry: Arc<dyn Registry>,
    /// Which offices may act for whom; without one, none may.
    pub mandates: Option<MandateFile>,
    /// What everybody is told.
    pub notice: Option<NoticeFile>,
    /// The public beacon that draws are mixed with.
    pub beacon: Option<Beacon>,
}

/// What the use cases work with, shared by all runtimes.
pub struct Intake {
    pub(super) clock: Clock,
    pub(super) keys: Arc<HouseKeys>,
    pub(super) rules: &'static Rules,
    pub(super) verifier: Verifier,
    pub(super) relying: RelyingParty,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) registry: Arc<dyn Registry>,
    pub(super) notice: Option<NoticeFile>,
    pub(super) notice_source: Live<NoticeSource>,
    /// An operator lets nobody new in.
    pub(super) paused: AtomicBool,
    pub(super) schedule: Schedule,
    pub(super) spread: Spread,
    pub(super) admission: Arc<Admission>,
    /// Submissions that wait for their receipt.
    pub(super) finishing: Submissions,
    pub(super) urn_applications_max: usize,
    pub(super) leases: Leases,
    pub(super) waiting: Room,
    pub(super) limits: Live<Limits>,
    pub(super) quotas: Quotas,
    pub(super) batches: Batches,
    pub(super) sessions: Sessions,
    pub(super) urn: Arc<Urn<Case>>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) space: Arc<Space>,
    pub(super) drafts: Box<dyn Drafts>,
    pub(super) mandates: Box<dyn Mandates>,
    pub(super) trail: Box<dyn Trail>,
    pub(super) messages: MessageStore,
    pub(super) journal: Arc<dyn Journal>,
    /// Permits for searches of the trail.
    pub(super) searches: Semaphore,
    /// What they have found lately.
    pub(super) found: Found,
}

impl Intake {
    /// Opens the ledgers, drafts, revocations and trail in `directory`, and everything that works on them.
    ///
    /// # Errors
    /// [`OpenFault`]; nothing was accepted.
    pub fn open(directory: &Path, parts: Parts, config: &Config) -> Result<Self, OpenFault> {
        let Parts { clock, keys, mandates, beacon, .. } = parts;
        let urn = Arc::new(fresh_urn(config.urn_applications_max));
        let own = (Arc::clone(&keys), Arc::clone(&urn));
        let stores = config.ledger.open(directory, own.0, own.1, clock.clone())?;
        let space = Arc::new(Space::of(
            directory,
            config.disk_reserve_bytes,
            config.ledger.kept_from_trail_bytes(config.audit),
        )?);
        let trail = stores.trail(config.audit)?;
        let messages = stores.messages()?;
        let drafts = stores.drafts()?;
        let mandates = stores.mandates(&config.contact_centers, mandates)?;
        let rounds = stores.rounds()?;
        note_rounds(&*trail, &*rounds);
        let recalled = Recalled::read(&*stores, config.quotas)?;
        let Recalled { journal, visits, seats, quotas } = recalled;
        let leases = Leases::new(config.leases_max);
        let sessions = Sessions::new(
            config.sessions,
            Arc::clone(&keys),
            Arc::clone(&journal),
            visits,
            &leases,
            clock.now(),
        );
        let intake = Self {
            waiting: Room::new(
                config.waiting,
                rounds,
                beacon,
                (Arc::clone(&journal), seats),
                clock.now(),
            ),
            schedule: Schedule::new(config.schedule.clone()),
            spread: Spread::default(),
            admission: Arc::new(Admission::new(config.admission)),
            finishing: Submissions::default(),
            urn_applications_max: config.urn_applications_max,
            leases,
            limits: Live::new(Limits::new(&config.limits)),
            quotas,
            batches: Batches::default(),
            sessions,
            shelf: Arc::new(Shelf::over(stores)),
            space,
            drafts,
            mandates,
            trail,
            messages,
            journal,
            searches: Semaphore::new(SEARCHES_MAX),
            found: Found::default(),
            clock,
            keys,
            rules: parts.rules,
            verifier: parts.verifier,
            relying: parts.relying,
            certificates: parts.certificates,
            registry: parts.registry,
            notice: parts.notice,
            notice_source: Live::new(NoticeSource::Configuration),
            paused: AtomicBool::new(false),
            urn,
        };
        intake.open_campaigns()?;
        Ok(intake)
    }

    /// Says that this process serves from now on, to whoever must not meddle with its store meanwhile.
    ///
    /// # Errors
    /// [`OpenFault`] if somebody does.
    pub fn serve(&self) -> Result<(), OpenFault> {
        self.shelf.serve()
    }

    /// Learns from now on what other nodes note.
    pub fn follow(self: &Arc<Self>) {
        let intake = Arc::downgrade(self);
        self.journal.follow(Box::new(move |node, event| {
            let Some(intake) = intake.upgrade() else { return };
            intake.waiting.learn(node, &event, intake.clock.now());
            intake.sessions.learn(&event);
            intake.quotas.learn(&event);
        }));
    }

    /// Opens the ledgers of campaigns that are open today or tomorrow, and of those that have one. May wait for the
    /// disk.
    ///
    /// # Errors
    /// [`OpenFault`]; the ledgers that are open stay open.
    pub fn open_campaigns(&self) -> Result<(), OpenFault> {
        let today = local_time::date_at(self.clock.now());
        let tomorrow = today.tomorrow().unwrap_or(today);
        let wanted = |window: &CampaignWindow| {
            window.contains(today) || window.contains(tomorrow) || self.shelf.holds(window.campaign)
        };
        let mut campaigns = self.rules.campaigns().filter(wanted);
        campaigns.try_for_each(|window| self.shelf.open(window.campaign))
    }

    /// Starts to watch the free disk space, until the watch is dropped.
    ///
    /// # Errors
    /// The I/O error if no thread can be started.
    pub fn watch_space(&self) -> std::io::Result<Watch> {
        self.space.watch()
    }

    /// Loads the registry's file again if it changed, and logs the result. May wait for the disk.
    pub fn refresh_registry(&self) {
        self.registry.refresh();
    }

    /// Takes over changes of the mandates' file, and logs the result. May wait for the disk.
    pub fn refresh_mandates(&self) {
        self.mandates.refresh();
    }

    /// Takes over changes of the notice's file, and logs the result. May wait for the disk.
    pub fn refresh_notice(&self) {
        self.notice.iter().for_each(NoticeFile::refresh);
    }

    /// Puts other time slices in force. Sessions that are open last as long as they were promised.
    pub fn replace_schedule(&self, config: schedule::Config) {
        self.schedule.replace(config);
    }

    /// Puts other rate limits in force. Everybody begins with a whole burst.
    pub fn replace_limits(&self, config: &limits::Config) {
        let _before = self.limits.replace(Limits::new(config));
    }

    /// What judges need.
    #[must_use]
    pub fn bench(&self) -> Bench {
        Bench {
            urn: Arc::clone(&self.urn),
            shelf: Arc::clone(&self.shelf),
            keys: Arc::clone(&self.keys),
            rules: self.rules,
            registry: Arc::clone(&self.registry),
        }
    }

    /// Records in the audit trail what the server or an operator did.
    pub fn note_control(&self, what: &str) {
        self.trail.control(what);
    }

    /// Writes what was accepted, closes the ledgers, the drafts, the journal and the messages, and closes the trail with `last` as its last entry.
    /// Call it when no request is under way.
    pub fn close(&self, last: &str) {
        self.shelf.close();
        self.drafts.close();
        self.journal.close();
        self.messages.close();
        self.trail.control(last);
        self.trail.close();
    }
}

/// What the journal says of the time before a restart.
struct Recalled {
    journal: Arc<dyn Journal>,
    visits: Remembered,
    seats: waiting::Remembered,
    quotas: Quotas,
}

impl Recalled {
    fn read(stores: &dyn Stores, quotas: quotas::Config) -> Result<Self, OpenFault> {
        let (mut visits, mut seats) = (Remembered::nothing(), waiting::Remembered::default());
        let quotas = Quotas::new(quotas);
        let (journal, whole_until) = stores.journal(&mut |node, event| {
            visits.take(&event);
            seats.take(node, &event);
            quotas.learn(&event);
        })?;
        let visits = visits.whole_until(whole_until);
        Ok(Self { journal, visits, seats, quotas })
    }
}

/// An empty urn, which nobody can foresee.
fn fresh_urn(applications_max: usize) -> Urn<Case> {
    let mut seed = [0; 8];
    fill_random(&mut seed);
    Urn::new(applications_max, u64::from_le_bytes(seed))
}

/// Records the next round and the published chains. Before them the last draw: a kill may have come before its entry.
fn note_rounds(trail: &dyn Trail, rounds: &dyn Rounds) {
    let Outlook { next: [Round { index, seed }, _], chains: [chain, following], drawn, .. } =
        rounds.outlook();
    if let Some(drawn) = drawn.last() {
        trail.control(&format!("waiting room: {drawn}"));
    }
    let commitment = seed.commitment();
    trail.control(&format!(
        "waiting room: round {index} is next, commitment {commitment}; {chain}; {following}"
    ));
}
