//! The audit trail and the messages of providers: exact on any node, whatever happens to the servers.

use std::{
    sync::Arc,
    thread::{self, sleep},
    time::Duration,
};

use jiff::Timestamp;
use sportello::{
    civic::FiscalCode,
    clock::Clock,
    ledger::{
        OpenFault,
        audit::{
            Action, Archive, Config, Line, LoginMessages, MessageStore, NotRecorded, Trail, Who,
        },
        book::{change::Ruling, record::Turn, submission::Disposition},
        fault::Untraced,
        replicated::{
            ReplicatedArchive, ReplicatedEngine, ReplicatedRounds, ReplicatedTrail, open_messages,
        },
        rounds::Rounds as _,
    },
    schemes::Outcome,
    urn::Urn,
    vault::HouseKeys,
};
use tokio::runtime::Runtime;

use crate::{
    cluster::Cluster,
    node::{CAMPAIGN, Node, config, engine, filing, keys, subject},
};

const NOW: &str = "2024-09-16T15:30:00Z";
const ROWS: &str = "SELECT count(*) FROM sportello.trail";
/// Commits that wait for a standby.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE application_name = 'sportello' AND wait_event = 'SyncRep'";
pub(crate) const KEPT: Config =
    Config { months_kept: 24, queue_events_max: 16, own_wait_ms: 5, disk_reserve_bytes: 0 };

/// A node that keeps trail and messages only.
struct House {
    // Closed before the links end.
    trail: ReplicatedTrail,
    messages: MessageStore,
    clock: Clock,
    runtime: Runtime,
    engine: ReplicatedEngine,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl House {
    fn open(cluster: &Cluster, name: &str, wait_ms_max: u64) -> Self {
        Self::open_at(cluster, name, wait_ms_max, NOW)
    }

    fn open_at(cluster: &Cluster, name: &str, wait_ms_max: u64, now: &str) -> Self {
        let _told = tracing_subscriber::fmt().with_test_writer().try_init();
        let engine = engine(cluster, name, Arc::new(Urn::new(1, 1)), wait_ms_max).unwrap();
        let (house, clock) = (engine.house().unwrap(), Clock::standing_at(at(now)));
        let trail = ReplicatedTrail::open(house.clone(), keys(), clock.clone(), KEPT).unwrap();
        let messages = open_messages(house, keys(), clock.clone()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { trail, messages, clock, runtime, engine }
    }

    /// A clerk is shown the application of a person.
    fn shows(&self, clerk: u64, whose: u64) -> Result<(), Untraced> {
        let who = Who {
            fiscal_code: FiscalCode::made_up(clerk),
            office: Some("patronato-1"),
            is_contact_center: false,
        };
        let noted = self.trail.note(Action::ApplicationShown, subject(whose), who, None);
        self.runtime.block_on(noted)
    }

    fn done_to(&self, person: u64) -> Vec<Line> {
        let found = self.trail.done_to(FiscalCode::made_up(person), vec![CAMPAIGN]);
        self.runtime.block_on(found).unwrap()
    }

    fn record(&self, visit: &str, person: u64) -> Result<(), NotRecorded> {
        let code = FiscalCode::made_up(person);
        let content = format!("{{\"of\":\"{visit}\"}}");
        let messages = LoginMessages { visit, person: Some(&code), content: content.as_bytes() };
        self.runtime.block_on(self.messages.record(messages))
    }
}

fn archive(cluster: &Cluster) -> ReplicatedArchive {
    ReplicatedArchive::connect(&config(cluster, 10_000), keys()).unwrap()
}

fn findings(cluster: &Cluster) -> Vec<String> {
    archive(cluster).inspect().unwrap()
}

fn whats(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.what.as_str()).collect()
}

#[test]
fn one_search_finds_what_every_node_and_ledger_recorded_in_the_order_of_time() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| House::open(&cluster, name, 20_000));
    let ledger = Node::open(&cluster, "ledger", 20_000);
    // At noon in Rome, and the ruling in a batch of its own.
    let Ok(Disposition::Accepted(position, ..)) = ledger.submit_one(filing("caf", 1, 5, 0)) else {
        panic!("not accepted")
    };
    let (turn, outcome) = (Turn::First, Outcome::Granted);
    let decision = keys().seal_decision(CAMPAIGN, subject(1), (position, turn), b"granted");
    ledger.ledger.rule(vec![Ruling { position, turn, outcome, decision }]);
    cluster.wait_for("SELECT count(*) FROM sportello_iscro_2024.changes", "1");

    two.clock.set(at("2024-09-16T15:31:00Z"));
    assert_eq!(two.shows(9, 1), Ok(()));
    assert_eq!(one.shows(8, 1), Ok(()));
    assert_eq!(one.shows(8, 2), Ok(()));
    let own = Who { fiscal_code: FiscalCode::made_up(1), office: None, is_contact_center: false };
    one.clock.set(at("2024-09-16T15:32:00Z"));
    assert!(one.trail.note_soon(Action::Entered, subject(1), own, None).is_ok());
    // Its own events are found at once.
    let found = one.done_to(1);
    assert_eq!(
        whats(&found),
        [
            "application-received",
            "decided-granted",
            "application-shown",
            "application-shown",
            "entered"
        ]
    );
    let by: Vec<_> = found.iter().map(|line| line.by.clone()).collect();
    let code = |person| Some(FiscalCode::made_up(person).as_str().to_owned());
    assert_eq!(by[1..], [None, code(8), code(9), code(1)]);
    assert_eq!(found[2].office.as_deref(), Some("patronato-1"));
    assert_eq!(two.done_to(1), found, "any node finds the same");
    assert_eq!(whats(&one.done_to(2)), ["application-shown"]);
    assert_eq!(one.done_to(9), []);
    let done_by = archive(&cluster).done_by(&FiscalCode::made_up(8)).unwrap();
    assert_eq!(done_by.len(), 2);
    assert_eq!(findings(&cluster), Vec::<String>::new());

    let text = cluster.sql("SELECT row_to_json(t)::text FROM sportello.trail t");
    assert!(!text.contains(FiscalCode::made_up(8).as_str()), "names are sealed");
}

/// What a superuser does to the tables, and words of the finding.
fn tamperings() -> Vec<(String, &'static str)> {
    let last = "number = (SELECT max(number) FROM sportello.trail WHERE node = 1)";
    let hidden_end = format!(
        "DELETE FROM sportello.trail WHERE node = 1 AND {last}; UPDATE sportello.trail_nodes n \
         SET number = n.number - 1, root = t.root FROM sportello.trail t \
         WHERE n.node = 1 AND t.node = 1 AND t.number = n.number - 1"
    );
    let removed_chain = "DELETE FROM sportello.trail WHERE node = 2; DELETE FROM sportello.trail_nodes WHERE node = 2";
    vec![
        (
            "UPDATE sportello.trail SET written_at = written_at + 1 WHERE node = 1 AND number = 2".to_owned(),
            "node 1: row 2 was changed",
        ),
        ("UPDATE sportello.trail SET actors = '' WHERE node = 2 AND number = 2".to_owned(), "node 2: row"),
        (
            "UPDATE sportello.trail SET control = 'nothing' WHERE node = 0 AND number = 1".to_owned(),
            "commands, node 0: row 1 was changed",
        ),
        (
            "DELETE FROM sportello.trail WHERE node = 2 AND number = 1".to_owned(),
            "node 2: rows before 2 are missing",
        ),
        (
            "DELETE FROM sportello.trail WHERE node = 1 AND number = 0".to_owned(),
            "node 1: rows before 1 are missing",
        ),
        (
            "UPDATE sportello.trail SET number = CASE number WHEN 1 THEN 2 ELSE 1 END, month = month \
          WHERE node = 1 AND number IN (1, 2)".to_owned(),
            "node 1: row",
        ),
        (
            "UPDATE sportello.trail a SET events = b.events, actors = b.actors, root = b.root, signature = b.signature, \
          people = b.people, named = b.named FROM sportello.trail b \
          WHERE a.node = 1 AND a.number = 2 AND b.node = 2 AND b.number = 2".to_owned(),
            "node 1: row 2 was changed",
        ),
        (
            "UPDATE sportello.trail SET people = '{}' WHERE node = 1 AND number = 2".to_owned(),
            "node 1: row 2: searches do not find it",
        ),
        (format!("DELETE FROM sportello.trail WHERE node = 1 AND {last}"), "node 1: rows up to"),
        (hidden_end, "node 1: rows up to"),
        (removed_chain.to_owned(), "node 2: rows up to"),
        (
            "DELETE FROM sportello.messages WHERE node = 1 AND number = 2".to_owned(),
            "messages of 2024-09, node 1: rows up to 2",
        ),
        (
            "UPDATE sportello.messages SET sealed = '' WHERE node = 2 AND number = 1".to_owned(),
            "messages of 2024-09, node 2: row 1",
        ),
        (
            "DELETE FROM sportello.messages WHERE node = 1; DELETE FROM sportello.message_nodes WHERE node = 1".to_owned(),
            "messages of 2024-09, node 1: rows up to 2",
        ),
    ]
}

#[test]
fn a_month_begins_and_ends_while_a_node_draws_the_rounds() {
    let cluster = Cluster::start();
    House::open_at(&cluster, "old", 5_000, "2022-08-31T12:00:00Z").shows(9, 1).unwrap();
    let house = House::open_at(&cluster, "one", 5_000, "2024-08-31T12:00:00Z");
    let tables = house.engine.house().unwrap();
    let mut rounds = ReplicatedRounds::open(tables, keys(), Timestamp::UNIX_EPOCH).unwrap();
    assert!(rounds.leads());
    assert_eq!(house.shows(9, 1), Ok(()));
    house.clock.set(at(NOW));
    assert_eq!(house.shows(9, 2), Ok(()));
    let months = "SELECT string_agg(DISTINCT month, ' ' ORDER BY month) FROM sportello.trail";
    assert_eq!(cluster.sql(months), "2024-08 2024-09", "and what is too old is removed");
}

#[test]
fn every_tampering_with_the_rows_of_any_node_is_found() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| House::open(&cluster, name, 20_000));
    for (person, house) in [(1, &one), (2, &two), (3, &one), (4, &two)] {
        house.shows(9, person).unwrap();
        house.record(&format!("visit-{person}"), person).unwrap();
    }
    drop((one, two));
    // It names the ends of the others.
    let three = House::open(&cluster, "three", 20_000);
    three.shows(9, 5).unwrap();
    drop(three);
    archive(&cluster).note_command(at(NOW), "tested").unwrap();
    assert_eq!(findings(&cluster), Vec::<String>::new());
    for table in ["trail", "trail_nodes", "messages", "message_nodes"] {
        cluster.sql(&format!("CREATE TABLE public.{table} AS SELECT * FROM sportello.{table}"));
    }
    for (tampering, words) in tamperings() {
        // Two rows may not have the same number in between.
        cluster.sql(&format!("BEGIN; ALTER TABLE sportello.trail DROP CONSTRAINT IF EXISTS trail_pkey; {tampering}; COMMIT"));
        let findings = findings(&cluster);
        assert!(findings.iter().any(|found| found.contains(words)), "{tampering}: {findings:?}");
        for table in ["trail", "trail_nodes", "messages", "message_nodes"] {
            cluster.sql(&format!(
                "BEGIN; DELETE FROM sportello.{table}; \
                 INSERT INTO sportello.{table} OVERRIDING SYSTEM VALUE SELECT * FROM public.{table}; COMMIT"
            ));
        }
        assert_eq!(self::findings(&cluster), Vec::<String>::new(), "after {tampering}");
    }
}

#[test]
fn a_primary_killed_during_a_write_loses_nothing_that_was_shown_and_doubles_nothing() {
    let mut cluster = Cluster::start();
    let house = House::open(&cluster, "node", 60_000);
    house.shows(9, 1).unwrap();
    cluster.pause_standbys();
    thread::scope(|scope| {
        let house = &house;
        let showing = scope.spawn(move || {
            // The runtime of a house is for one thread.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let who = Who {
                fiscal_code: FiscalCode::made_up(9),
                office: Some("patronato-1"),
                is_contact_center: false,
            };
            let noted = house.trail.note(Action::ApplicationShown, subject(2), who, None);
            runtime.unwrap().block_on(noted)
        });
        cluster.wait_for(WAITING, "1");
        assert!(!showing.is_finished(), "shown before a standby had it");
        cluster.kill_primary();
        cluster.start_primary();
        cluster.continue_standbys();
        assert_eq!(showing.join().unwrap(), Ok(()));
    });
    assert_eq!(house.done_to(1).len(), 1);
    assert_eq!(house.done_to(2).len(), 1);
    assert_eq!(house.shows(9, 3), Ok(()));
    assert_eq!(findings(&cluster), Vec::<String>::new());
}

#[test]
fn without_standbys_nothing_is_shown_and_it_goes_on_by_itself() {
    let cluster = Cluster::start();
    let house = House::open(&cluster, "node", 1500);
    house.shows(9, 1).unwrap();
    house.record("visit-1", 1).unwrap();
    cluster.pause_standbys();
    // The first is under way, and may be recorded. The others are not, and never will be.
    for person in [2, 3, 4] {
        assert_eq!(house.shows(9, person), Err(Untraced), "{person}");
    }
    assert_eq!(house.record("visit-2", 2), Err(NotRecorded));
    // Nobody is sent to a provider in vain.
    while !house.messages.is_away() {
        thread::yield_now();
    }
    let own = Who { fiscal_code: FiscalCode::made_up(5), office: None, is_contact_center: false };
    let soon = || house.trail.note_soon(Action::Entered, subject(5), own, None);
    for _ in 0..KEPT.queue_events_max {
        assert!(soon().is_ok());
    }
    assert!(soon().is_err(), "memory is bounded");
    assert!(!house.trail.failed() && !house.messages.failed());
    cluster.continue_standbys();
    while house.shows(9, 6).is_err() {}
    while house.record("visit-3", 2).is_err() {}
    assert!(!house.messages.is_away());
    let counts = [1, 2, 3, 4, 5, 6].map(|person| house.done_to(person).len());
    assert_eq!(counts[..1], [1]);
    assert!(counts[1] <= 1, "the one whose outcome was unknown");
    assert_eq!(counts[2..4], [0, 0], "what was not shown");
    assert_eq!(counts[4], KEPT.queue_events_max);
    assert_eq!(counts[5], 1);
    assert_eq!(findings(&cluster), Vec::<String>::new());
}

#[test]
fn a_wait_for_the_standbys_that_was_cancelled_is_no_record() {
    let cluster = Cluster::start();
    let house = House::open(&cluster, "node", 30_000);
    house.shows(9, 1).unwrap();
    cluster.pause_standbys();
    thread::scope(|scope| {
        let meddling = scope.spawn(|| {
            cluster.wait_for(WAITING, "1");
            cluster.sql(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
                 WHERE application_name = 'sportello' AND wait_event = 'SyncRep'",
            );
            cluster.wait_for(&format!("{ROWS} WHERE number > 1"), "1");
            // Visible, and on no standby: it is sent again, and waits again.
            cluster.wait_for(WAITING, "1");
            cluster.continue_standbys();
        });
        assert_eq!(house.shows(9, 2), Ok(()));
        assert!(meddling.is_finished() || meddling.join().is_ok(), "acknowledged too early");
    });
    assert_eq!(house.done_to(2).len(), 1);
}

#[test]
fn old_months_are_removed_as_a_whole_and_what_remains_is_verified() {
    let cluster = Cluster::start();
    let house = House::open_at(&cluster, "one", 20_000, "2022-08-31T21:59:00Z");
    house.shows(9, 1).unwrap();
    house.record("visit-1", 1).unwrap();
    house.clock.set(at("2022-08-31T22:00:00Z"));
    house.shows(9, 1).unwrap();
    house.record("visit-2", 1).unwrap();
    let months = "SELECT string_agg(DISTINCT month, ' ' ORDER BY month) FROM sportello.trail";
    assert_eq!(cluster.sql(months), "2022-08 2022-09", "the month changes at midnight in Rome");
    assert_eq!(findings(&cluster), Vec::<String>::new());
    let two = House::open_at(&cluster, "two", 20_000, "2024-08-31T21:59:59Z");
    assert_eq!(two.done_to(1).len(), 2);
    two.shows(9, 1).unwrap();
    two.record("visit-3", 1).unwrap();
    two.clock.set(at("2024-08-31T22:00:00Z"));
    two.shows(9, 1).unwrap();
    two.record("visit-4", 1).unwrap();
    let partitions = "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_inherits i \
        JOIN pg_class c ON c.oid = i.inhrelid \
        WHERE i.inhparent IN ('sportello.trail'::regclass, 'sportello.messages'::regclass)";
    assert_eq!(
        cluster.sql(partitions),
        "messages_2022_09 messages_2024_08 messages_2024_09 \
         trail_2022_09 trail_2024_08 trail_2024_09 trail_commands"
    );
    assert_eq!(two.done_to(1).len(), 3);
    assert_eq!(archive(&cluster).messages_of_person(&FiscalCode::made_up(1)).unwrap().len(), 3);
    assert_eq!(findings(&cluster), Vec::<String>::new());
    // A month in the middle is no month that was too old.
    cluster.sql("DROP TABLE sportello.trail_2024_08");
    assert!(findings(&cluster).iter().any(|found| found.contains("2024-08, node 2")));
}

#[test]
fn a_node_that_rested_until_its_last_month_was_removed_goes_on() {
    let cluster = Cluster::start();
    let [resting, busy] =
        ["one", "two"].map(|name| House::open_at(&cluster, name, 20_000, "2022-08-31T12:00:00Z"));
    resting.shows(9, 1).unwrap();
    resting.record("visit-1", 1).unwrap();
    let now = "2024-09-30T22:00:00Z";
    for house in [&busy, &resting] {
        house.clock.set(at(now));
    }
    // Started at that time, it removes what is older than two years, and the nodes that only that knew.
    let two_years_later = House::open_at(&cluster, "three", 20_000, now);
    let known = "SELECT count(*) FROM sportello.trail_nodes WHERE node > 0";
    assert_eq!(cluster.sql(known), "1");
    for house in [&busy, &resting] {
        house.shows(9, 1).unwrap();
        house.record("visit-2", 1).unwrap();
    }
    assert_eq!(two_years_later.done_to(1).len(), 2);
    assert_eq!(archive(&cluster).messages_of_person(&FiscalCode::made_up(1)).unwrap().len(), 2);
    assert_eq!(findings(&cluster), Vec::<String>::new());
}

#[test]
fn messages_are_found_by_session_and_person_at_any_node() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| House::open(&cluster, name, 20_000));
    one.record("visit-1", 1).unwrap();
    two.clock.set(at("2024-09-16T15:31:00Z"));
    two.record("visit-2", 1).unwrap();
    two.record("visit-3", 2).unwrap();
    let archive = archive(&cluster);
    let found = archive.messages_of_person(&FiscalCode::made_up(1)).unwrap();
    let contents: Vec<_> = found.iter().map(|found| found.content.as_slice()).collect();
    assert_eq!(contents, [br#"{"of":"visit-1"}"#, br#"{"of":"visit-2"}"#]);
    let handle = keys().session_handle(keys().visit("visit-3"));
    let found = archive.messages_of_session(&handle).unwrap();
    assert_eq!((found.len(), found[0].content.as_slice()), (1, &br#"{"of":"visit-3"}"#[..]));
    assert_eq!(archive.messages_of_session("").unwrap(), []);
    assert_eq!(archive.messages_of_person(&FiscalCode::made_up(3)).unwrap(), []);
}

#[test]
fn commands_of_many_machines_and_the_actions_of_nodes_are_listed_together() {
    let cluster = Cluster::start();
    let house = House::open(&cluster, "one", 20_000);
    house.trail.control("operator: paused\0");
    house.shows(9, 1).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let archive = archive(&cluster);
                for _ in 0..4 {
                    archive.note_command(at(NOW), "tested").unwrap();
                }
            });
        }
    });
    let controls = archive(&cluster).controls().unwrap();
    let count = |what: &str| controls.iter().filter(|(_, said)| said == what).count();
    assert_eq!(count("tested"), 12);
    assert_eq!(count("operator: paused\u{fffd}"), 1);
    assert_eq!(controls.len(), 13, "{controls:?}");
    house.trail.close();
    sleep(Duration::from_millis(1));
    assert_eq!(findings(&cluster), Vec::<String>::new());
}

#[test]
fn a_trail_of_another_house_is_refused() {
    let cluster = Cluster::start();
    let house = House::open(&cluster, "one", 20_000);
    house.shows(9, 1).unwrap();
    house.record("visit-1", 1).unwrap();
    let others = Arc::new(HouseKeys::from_master(&[8; 32]));
    let stranger = engine(&cluster, "two", Arc::new(Urn::new(1, 1)), 20_000).unwrap();
    let tables = stranger.house().unwrap();
    let clock = Clock::standing_at(at(NOW));
    let trail = ReplicatedTrail::open(tables.clone(), Arc::clone(&others), clock.clone(), KEPT);
    assert!(matches!(trail.err(), Some(OpenFault::OtherKey { .. })));
    let messages = open_messages(tables, Arc::clone(&others), clock);
    assert!(matches!(messages.err(), Some(OpenFault::OtherKey { .. })));
    let archive = ReplicatedArchive::connect(&config(&cluster, 10_000), others).unwrap();
    assert!(!archive.inspect().unwrap().is_empty());
}
