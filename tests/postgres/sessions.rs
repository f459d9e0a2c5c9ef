//! Sessions and quotas at several nodes that share the journal in the database.

use std::{
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use sportello::{
    civic::{FiscalCode, ProvedBy},
    clock::Clock,
    config::{Flags, Settings},
    gate::{
        leases::Leases,
        quotas::{self, Quotas, Reserved},
    },
    identity::{Assurance, Identity, demo::Minter, openid::RelyingParty},
    intake::{Asked, EnterFault, Entered, Intake, Parts, Proof},
    ledger::{
        Health, OpenFault, engines,
        journal::{Event, Journal},
        stores::Stores,
    },
    registry::Silence,
    schemes::Rules,
    session::{
        asleep::Remembered,
        sessions::{self, Opening, Sessions},
        visit::Visit,
    },
    urn::Urn,
    vault::HouseKeys,
};

use crate::{
    cluster::Cluster,
    node::{CAMPAIGN, DAY, config, keys},
};

/// In the time slice of citizens.
pub(crate) const EVENING: Timestamp = Timestamp::constant(1_726_585_200, 0);
/// In which a node learns what another one noted.
const LEARNS_WITHIN: Duration = Duration::from_secs(5);
/// Rows that are missing between the first and the last of a node.
const MISSING: &str = "SELECT coalesce(sum(missing), 0) FROM \
    (SELECT max(number) - count(*) AS missing FROM sportello.journal GROUP BY node) AS nodes";

/// A node as it serves, without its listeners and what runs at intervals.
pub(crate) struct Counter {
    pub(crate) intake: Arc<Intake>,
    pub(crate) clock: Clock,
    minter: Arc<Minter>,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl Counter {
    fn open(cluster: &Cluster, name: &str, wait_ms_max: u64) -> Self {
        Self::open_with(cluster, name, wait_ms_max, &[])
    }

    /// With settings of these variables besides.
    pub(crate) fn open_with(
        cluster: &Cluster,
        name: &str,
        wait_ms_max: u64,
        variables: &[(&str, &str)],
    ) -> Self {
        // Shown if the test fails.
        let _told = tracing_subscriber::fmt().with_test_writer().try_init();
        let minter = Minter::load_or_create(&cluster.directory("")).unwrap();
        let clock = Clock::standing_at(EVENING);
        let parts = Parts {
            clock: clock.clone(),
            keys: keys(),
            rules: Rules::builtin(),
            verifier: minter.verifier(),
            relying: RelyingParty::none(),
            certificates: None,
            registry: Arc::new(Silence),
            mandates: None,
            notice: None,
            beacon: None,
        };
        let at_once = ("SPORTELLO_GATE_PEOPLE_PER_SECOND", "1000");
        let variables = std::iter::once(&at_once).chain(variables);
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::gather(None, variables, &Flags::default());
        let mut settings = settings.unwrap().intake();
        settings.ledger = engines::Config::Replicated(Box::new(config(cluster, wait_ms_max)));
        let intake = Intake::open(&cluster.directory(name), parts, &settings).unwrap();
        let intake = Arc::new(intake);
        intake.follow();
        Self { intake, clock, minter: Arc::new(minter), runtime: runtime() }
    }

    /// A token that proves who somebody is.
    pub(crate) fn identity(&self, person: u64) -> String {
        self.minter.mint(&FiscalCode::made_up(person), None, Assurance::Level2, EVENING)
    }

    pub(crate) fn enter(&self, person: u64, visit: &str) -> Result<Entered, EnterFault> {
        let token = self.identity(person);
        let asked = Asked { visit, proof: Proof::Token(&token), from: None };
        self.runtime.block_on(self.intake.enter(asked))
    }

    /// As [`enter`](Self::enter), again and again while the database is away.
    pub(crate) fn enter_once_back(&self, person: u64, visit: &str) -> Result<Entered, EnterFault> {
        loop {
            match self.enter(person, visit) {
                Err(EnterFault::OutOfReach(_)) => {}
                other => return other,
            }
        }
    }

    /// Gives whoever is inside a fresh token, by their identity and visit alone.
    fn renew(&self, person: u64, visit: &str) -> Option<String> {
        let token = self.identity(person);
        let asked = Asked { visit, proof: Proof::Token(&token), from: None };
        self.runtime.block_on(self.intake.renew(asked)).unwrap().map(|(token, _)| token)
    }

    fn knows(&self, token: &str) -> bool {
        self.runtime.block_on(self.intake.recognise(token)).unwrap().is_some()
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Waits until `holds`.
#[expect(clippy::disallowed_methods, reason = "a test waits for other nodes")]
fn soon(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < LEARNS_WITHIN, "{what}");
        sleep(Duration::from_millis(20));
    }
}

pub(crate) fn visit(letter: &str) -> String {
    letter.repeat(22)
}

#[test]
fn nobody_can_enter_and_the_ledger_says_that_the_database_is_away_though_nobody_applies() {
    let cluster = Cluster::start();
    let counter = Counter::open(&cluster, "one", 1_000);
    assert!(counter.enter(1, &visit("a")).is_ok());
    let ledger = counter.intake.bench().shelf.get(CAMPAIGN).unwrap();
    assert_eq!(ledger.health(), Health::Sound);
    cluster.pause_standbys();
    assert!(counter.enter(2, &visit("b")).is_err());
    soon("the ledger is away", || ledger.health() == Health::Away);
    cluster.continue_standbys();
    soon("it is back", || ledger.health() == Health::Sound);
}

#[test]
fn a_session_of_one_node_works_at_every_other_and_ends_at_all() {
    let cluster = Cluster::start();
    let [a, b] = ["a-node", "b-node"].map(|name| Counter::open(&cluster, name, 10_000));
    let Ok(Entered::In(first, here)) = a.enter(1, &visit("v")) else { panic!("not let in") };
    // At once, although nobody has told the other node yet.
    let there = b.runtime.block_on(b.intake.recognise(&first)).unwrap().unwrap();
    assert_eq!(
        (&there.tag, there.subject, there.expires_at),
        (&here.tag, here.subject, here.expires_at)
    );
    assert!(!b.knows("made up") && a.knows(&first));

    let Ok(Entered::Again(second, _)) = b.enter(1, &visit("v")) else { panic!("not renewed") };
    assert!(!b.knows(&first) && b.knows(&second));
    soon("the old token works at the other node", || !a.knows(&first));
    assert!(a.knows(&second) && here.is_open(EVENING));
    assert!(matches!(a.enter(2, &visit("v")), Err(EnterFault::VisitTaken)));

    // A node that starts later, and one that starts again.
    let c = Counter::open(&cluster, "c-node", 10_000);
    assert!(!c.knows(&first) && c.knows(&second));
    a.intake.close("closed");
    drop(a);
    let a = Counter::open(&cluster, "a-node", 10_000);
    assert!(!a.knows(&first) && a.knows(&second));

    c.runtime.block_on(c.intake.leave(&second)).unwrap();
    assert!(!c.knows(&second));
    soon("who left is inside at the other nodes", || !a.knows(&second) && !b.knows(&second));
    assert!(!there.is_open(EVENING), "work under way learns it, too");
    assert!(matches!(b.enter(1, &visit("v")), Err(EnterFault::VisitTaken)));
    let d = Counter::open(&cluster, "d-node", 10_000);
    assert!(!d.knows(&second));
    let Ok(Entered::In(_, _)) = a.enter(2, &visit("w")) else { panic!("not let in") };
    assert!(b.renew(2, &visit("w")).is_some(), "entered a moment ago at another node");
    assert_eq!(cluster.sql(MISSING), "0");
}

#[test]
fn a_token_that_was_renewed_at_one_node_and_at_once_at_another_works_nowhere() {
    let cluster = Cluster::start();
    let [a, b] = ["a-node", "b-node"].map(|name| Counter::open(&cluster, name, 10_000));
    for (person, enters_again) in [(1, true), (2, false), (3, true), (4, false)] {
        let visit = format!("{person:022}");
        let Ok(Entered::In(first, _)) = a.enter(person, &visit) else { panic!("not let in") };
        assert!(b.knows(&first));
        let second = a.renew(person, &visit).unwrap();
        let third = if enters_again {
            let Ok(Entered::Again(third, _)) = b.enter(person, &visit) else {
                panic!("not renewed")
            };
            third
        } else {
            b.renew(person, &visit).unwrap()
        };
        // The one that is used first would hold.
        assert!(!b.knows(&second) && !b.knows(&first), "person {person}");
        soon("the token before works at the other node", || !a.knows(&second));
        assert!(a.knows(&third) && b.knows(&third));
        let c = Counter::open(&cluster, &format!("node-{person}"), 10_000);
        assert!(!c.knows(&second) && c.knows(&third), "person {person}, at a node that starts");
        c.intake.close("closed");
    }
}

#[test]
fn a_session_works_at_another_node_also_in_the_moment_in_which_that_one_learns_of_it() {
    const PEOPLE: u64 = 80;
    const ASKING: u64 = 16;
    let cluster = Cluster::start();
    let [a, b] = ["a-node", "b-node"].map(|name| Counter::open(&cluster, name, 10_000));
    for person in 1..=PEOPLE {
        let Ok(Entered::In(token, _)) = a.enter(person, &format!("{person:022}")) else {
            panic!("not let in")
        };
        // Spread over the time until the other node looks into the journal.
        std::thread::scope(|scope| {
            for nth in 0..ASKING {
                let (token, intake) = (&token, &b.intake);
                scope.spawn(move || {
                    sleep(Duration::from_micros(nth * 2000 + (person * 13) % 2000));
                    let known = runtime().block_on(intake.recognise(token)).unwrap();
                    assert!(known.is_some(), "person {person}, {nth}");
                });
            }
        });
    }
    for node in [a, b] {
        node.intake.close("closed");
    }
}

#[test]
fn no_session_is_handed_out_that_a_failover_could_lose() {
    let mut cluster = Cluster::start();
    let [a, b] = ["a-node", "b-node"].map(|name| Counter::open(&cluster, name, 2000));
    let Ok(Entered::In(inside, _)) = a.enter(1, &visit("v")) else { panic!("not let in") };
    assert!(b.knows(&inside));
    cluster.pause_standbys();
    let entered = a.enter(2, &visit("w"));
    assert!(
        matches!(entered, Err(EnterFault::OutOfReach(_))),
        "handed out, and on one server only"
    );
    assert!(a.knows(&inside) && b.knows(&inside), "who is inside goes on");

    cluster.kill_primary();
    assert!(matches!(b.enter(3, &visit("x")), Err(EnterFault::OutOfReach(_))));
    assert!(a.knows(&inside) && b.knows(&inside));
    // What was on one server only is visible again, and still on no other one.
    cluster.start_primary();
    cluster.wait_for("SELECT count(*) FROM sportello.journal", "3");
    let kept = a.runtime.block_on(a.intake.sessions_kept());
    assert!(kept.is_err(), "visible is not replicated");
    let left = a.runtime.block_on(a.intake.leave(&inside));
    assert!(left.is_err() && !a.knows(&inside), "it has ended here");
    assert!(b.knows(&inside), "and nobody could tell the other node");
    // They ask again with the same visit, here or there: one session, one token.
    cluster.continue_standbys();
    let again = b.enter_once_back(2, &visit("w"));
    let Ok(Entered::Again(token, _) | Entered::In(token, _)) = again else { panic!("they wait") };
    assert!(a.knows(&token) && b.knows(&token));
    soon("who left is inside at the other node", || !b.knows(&inside));
    let c = Counter::open(&cluster, "c-node", 2000);
    assert!(c.knows(&token) && !c.knows(&inside));
    assert_eq!(cluster.sql(MISSING), "0", "no row is skipped");
    for node in [a, b, c] {
        node.intake.close("closed");
    }
}

/// What belongs to no campaign, at one node.
pub(crate) struct Desk {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) leases: Leases,
    pub(crate) journal: Arc<dyn Journal>,
    /// Events of openings, and all events, that it was told when it started.
    pub(crate) told: (usize, usize),
    /// The last one of them.
    pub(crate) last: Option<Event>,
    _stores: Box<dyn Stores>,
}

impl Desk {
    pub(crate) fn open(
        cluster: &Cluster,
        name: &str,
        keys: &Arc<HouseKeys>,
    ) -> Result<Self, OpenFault> {
        let ledger = engines::Config::Replicated(Box::new(config(cluster, 10_000)));
        let (directory, urn) = (cluster.directory(name), Arc::new(Urn::new(1, 1)));
        let stores = ledger.open(&directory, Arc::clone(keys), urn, Clock::standing_at(EVENING))?;
        let (office, clerk) = (2, 2);
        let quotas = Arc::new(Quotas::new(quotas::Config {
            office_applications_per_day_max: office,
            clerk_applications_per_day_max: clerk,
        }));
        let (mut remembered, mut told, mut last) = (Remembered::nothing(), (0, 0), None);
        let (journal, whole_until) = stores.journal(&mut |_, event| {
            told.0 += usize::from(matches!(event, Event::Opened(_)));
            told.1 += 1;
            last = Some(event);
            remembered.take(&event);
            quotas.learn(&event);
        })?;
        assert_eq!(whole_until, Timestamp::MAX);
        let leases = Leases::new(9);
        let sessions = Arc::new(Sessions::new(
            sessions::Config { sessions_max: 9, person_sessions_max: 3, session_seconds: 3600 },
            Arc::clone(keys),
            Arc::clone(&journal),
            remembered.whole_until(whole_until),
            &leases,
            EVENING,
        ));
        let own = (Arc::clone(&sessions), Arc::clone(&quotas));
        journal.follow(Box::new(move |_, event| {
            own.0.learn(&event);
            own.1.learn(&event);
        }));
        Ok(Self { sessions, quotas, leases, journal, told, last, _stores: stores })
    }

    /// Waits until what it noted is durable.
    pub(crate) fn keeps(&self) {
        let is_kept = || runtime().block_on(self.journal.kept()).is_ok();
        assert!((0..6).any(|_| is_kept()), "what it noted is not durable for a minute");
    }

    /// Waits until it has learned what is durable.
    pub(crate) fn catches_up(&self) {
        runtime().block_on(self.journal.caught_up()).unwrap();
    }

    pub(crate) fn sees(&self, token: &str) -> bool {
        let found = self.sessions.find(token, EVENING);
        found.or_else(|| self.sessions.reopen(token, EVENING)).is_some()
    }

    fn counts(&self) -> (usize, usize) {
        (self.sessions.len(), self.leases.held())
    }

    fn has_quota(&self) -> bool {
        let [office, clerk] = ["office", "clerk"].map(|name| keys().office(name));
        let reserved: Result<Reserved<'_>, _> = self.quotas.reserve(office, clerk, DAY);
        reserved.is_ok()
    }
}

#[test]
fn an_idle_node_hardly_ever_looks_and_an_attended_one_often() {
    let cluster = Cluster::start();
    let node = Desk::open(&cluster, "node", &keys()).unwrap();
    let look = "SELECT coalesce(max(query_start)::text, '') FROM pg_stat_activity \
        WHERE query LIKE '%journal_nodes AS nodes%' AND pid <> pg_backend_pid()";
    let looks_in_five_seconds = || {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..50 {
            seen.insert(cluster.sql(look));
            sleep(Duration::from_millis(50));
        }
        seen.len()
    };
    let idle = looks_in_five_seconds();
    assert!((1..=6).contains(&idle), "{idle}");
    node.journal.attend(true);
    sleep(Duration::from_secs(2));
    let attended = looks_in_five_seconds();
    assert!(attended >= 2 * idle && attended > 8, "{attended}, idle {idle}");
}

#[test]
fn leases_are_held_once_and_quotas_are_those_of_all_nodes() {
    let cluster = Cluster::start();
    let [a, b] = ["a-node", "b-node"].map(|name| Desk::open(&cluster, name, &keys()).unwrap());
    let identity = Identity {
        fiscal_code: FiscalCode::made_up(1),
        office: None,
        proved_by: ProvedBy::Spid,
        valid_until: Timestamp::MAX,
    };
    let visit = Visit::parse(&visit("v")).unwrap();
    let expires_at = a.sessions.expiry(EVENING);
    let (began_at, real_now) = (EVENING, EVENING);
    let opening = Opening { identity: &identity, visit: &visit, began_at, expires_at, real_now };
    let opened = a.sessions.open(opening, a.leases.take().unwrap());
    let (token, _) = opened.unwrap();
    let [office, clerk] = ["office", "clerk"].map(|name| keys().office(name));
    a.journal.note(Event::Counted { office, clerk, day: DAY });
    a.journal.note(Event::Counted { office, clerk, day: DAY });
    a.keeps();
    b.catches_up();
    assert!(!b.has_quota(), "used up at the other node");
    assert_eq!([&a, &b].map(Desk::counts), [(1, 1), (0, 0)]);
    assert!(b.sees(&token));
    soon("the lease is held twice", || [&a, &b].map(Desk::counts) == [(0, 0), (1, 1)]);
    assert!(a.sees(&token));

    let late = Desk::open(&cluster, "late", &keys()).unwrap();
    assert!(!late.has_quota());
    assert_eq!(late.counts(), (0, 0));
    assert!(late.sees(&token));
    let all = || [&a, &b, &late].map(Desk::counts) == [(0, 0), (0, 0), (1, 1)];
    soon("the lease is held twice", all);

    // Another house in the same database.
    let others = Arc::new(HouseKeys::from_master(&[8; 32]));
    let refused = Desk::open(&cluster, "others", &others).err();
    assert!(matches!(refused, Some(OpenFault::OtherKey { .. })), "{refused:?}");

    // Two days later nothing is left of them, apart from the nodes that live.
    drop(a);
    cluster.sql("UPDATE sportello.journal SET written_at = now() - interval '49 hours'");
    cluster.sql("UPDATE sportello.journal_summaries SET written_at = now() - interval '49 hours'");
    cluster.sql("UPDATE sportello.journal_nodes SET seen_at = now() - interval '49 hours'");
    let fresh = Desk::open(&cluster, "fresh", &keys()).unwrap();
    cluster.wait_for("SELECT count(*) FROM sportello.journal", "0");
    cluster.wait_for("SELECT count(*) FROM sportello.journal_nodes", "1");
    // A node whose row is gone adds it again.
    b.journal.note(Event::Counted { office: clerk, clerk, day: DAY });
    b.keeps();
    cluster.wait_for("SELECT count(*) FROM sportello.journal_nodes", "2");
    cluster.wait_for("SELECT count(*) FROM sportello.journal", "1");
    fresh.catches_up();
    let reserved = fresh.quotas.reserve(clerk, clerk, DAY).map(Reserved::used);
    assert!(reserved.is_ok() && fresh.quotas.reserve(clerk, clerk, DAY).is_err());
}
