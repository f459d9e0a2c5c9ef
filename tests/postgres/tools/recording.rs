//! `migrate` of the audit trail and of the messages of identity providers.

use std::{fs, path::Path, sync::Arc};

use jiff::Timestamp;
use sportello::{
    civic::FiscalCode,
    clock::Clock,
    ledger::{
        audit::{Action, LocalTrail, LoginMessages, MessageStore, Trail, Who, note_command},
        replicated::{Config, ReplicatedEngine, ReplicatedTrail, open_messages},
    },
    urn::Urn,
};

use super::{Desk, done, failed};
use crate::{
    cluster::Cluster,
    node::{config, keys, subject},
    trail::KEPT,
};

pub(super) const SESSIONS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sportello'";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A clerk is shown the application of a person.
fn show(trail: &dyn Trail, runtime: &tokio::runtime::Runtime, clerk: u64, whose: u64) {
    let fiscal_code = FiscalCode::made_up(clerk);
    let who = Who { fiscal_code, office: Some("patronato-1"), is_contact_center: false };
    runtime.block_on(trail.note(Action::ApplicationShown, subject(whose), who, None)).unwrap();
}

fn record(store: &MessageStore, runtime: &tokio::runtime::Runtime, visit: &str, person: u64) {
    let code = FiscalCode::made_up(person);
    let content = format!("{{\"of\":\"{visit}\"}}");
    let messages = LoginMessages { visit, person: Some(&code), content: content.as_bytes() };
    runtime.block_on(store.record(messages)).unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Three months of a trail and of messages, with what two clerks, the server and a command did.
pub(super) fn fill(ledgers: &Path) {
    let (runtime, clock) = (runtime(), Clock::standing_at(at("2024-07-31T12:00:00Z")));
    let trail = LocalTrail::open(ledgers, keys(), clock.clone(), KEPT).unwrap();
    let store = MessageStore::open(ledgers, keys(), clock.clone()).unwrap();
    let days = ["2024-07-31T12:00:00Z", "2024-08-01T12:00:00Z", "2024-09-16T12:00:00Z"];
    for (day, visit) in days.iter().zip(["visit-1", "visit-2", "visit-3"]) {
        clock.set(at(day));
        trail.control(&format!("operator: paused on {day}"));
        for (clerk, whose) in [(8, 1), (9, 1), (8, 2)] {
            show(&trail, &runtime, clerk, whose);
        }
        record(&store, &runtime, visit, 1);
    }
    trail.close();
    store.close();
    note_command(ledgers, &keys(), at(days[2]), "command: tested").unwrap();
}

/// What `audit` shows of people and their sign-ins.
const QUESTIONS: [&[&str]; 3] = [&[], &["--by"], &["--messages"]];

pub(super) fn answers(ask: impl Fn(&[&str]) -> String) -> Vec<String> {
    let mut answers = Vec::new();
    for person in [1, 2, 8, 9] {
        let code = FiscalCode::made_up(person);
        for question in QUESTIONS {
            let asked = [&["audit", "--fiscal-code", code.as_str()], question].concat();
            answers.push(ask(&asked));
        }
    }
    answers
}

/// A server starts, shows somebody more and signs somebody in at each of some times, and ends.
pub(super) fn serve(cluster: &Cluster, url: String, name: &str, visits: &[(&str, &str)]) {
    let (clock, urn) = (Clock::standing_at(at("2024-09-17T12:00:00Z")), Arc::new(Urn::new(64, 1)));
    let (directory, config) = (cluster.directory(name), Config { url, ..config(cluster, 20_000) });
    let engine = ReplicatedEngine::connect(&directory, keys(), urn, clock.clone(), config).unwrap();
    let house = engine.house().unwrap();
    let trail = ReplicatedTrail::open(house.clone(), keys(), clock.clone(), KEPT).unwrap();
    let store = open_messages(house, keys(), clock.clone()).unwrap();
    go_on(&trail, &store, &clock, visits);
}

/// The same of a server with files.
pub(super) fn serve_files(ledgers: &Path, visits: &[(&str, &str)]) {
    let clock = Clock::standing_at(at(visits[0].0));
    let trail = LocalTrail::open(ledgers, keys(), clock.clone(), KEPT).unwrap();
    let store = MessageStore::open(ledgers, keys(), clock.clone()).unwrap();
    go_on(&trail, &store, &clock, visits);
}

fn go_on(trail: &dyn Trail, store: &MessageStore, clock: &Clock, visits: &[(&str, &str)]) {
    let runtime = runtime();
    for (time, visit) in visits {
        clock.set(at(time));
        trail.control(&format!("operator: {visit}"));
        show(trail, &runtime, 9, 1);
        record(store, &runtime, visit, 1);
    }
    trail.close();
    store.close();
}

#[test]
fn the_trail_and_the_messages_move_into_the_database_as_the_chain_of_a_node() {
    let cluster = Cluster::start();
    let desk = Desk::at(cluster.url());
    let (url, data) = (cluster.url(), desk.path("data"));
    let from = data.to_str().unwrap();
    let ledgers = data.join("ledger");
    fill(&ledgers);
    let shown = answers(|question| done(desk.on_files(&data, question)));
    assert!(shown[0].lines().count() == 6 && shown[2].contains("visit-3"), "{shown:?}");
    let controls = done(desk.on_files(&data, &["audit", "--controls"]));
    assert_eq!(controls.matches("paused on").count(), 3, "{controls}");

    let odd = ledgers.join("audit-2024-7.sqlite");
    fs::copy(ledgers.join("audit-2024-07.sqlite"), &odd).unwrap();
    let told = failed(desk.migrate(from, &url), 2);
    assert!(told.contains("a file of 2024-7, which is no month"), "{told}");
    assert_eq!(cluster.sql("SELECT to_regclass('sportello.trail') IS NULL"), "t");
    fs::remove_file(&odd).unwrap();
    for how in ["copied", "was there already"] {
        let (code, out, told) = desk.migrate(from, &url);
        assert_eq!(code, Some(0), "{out}{told}");
        for what in ["audit trail: ", "messages of identity providers: 6 rows, 3 months "] {
            let said = out.lines().any(|line| line.starts_with(what) && line.ends_with(how));
            assert!(said, "{what}: {out}");
        }
        assert!(out.contains("whole"), "{out}");
        let left = "not copied: rounds of the waiting room (they begin anew, above every number so far), journal";
        assert!(told.contains(left), "{told}");
    }
    assert_eq!(cluster.sql("SELECT count(DISTINCT node) FROM sportello.trail WHERE node > 0"), "1");
    assert_eq!(answers(|question| done(desk.on_database(question))), shown);
    let there = done(desk.on_database(&["audit", "--controls"]));
    let (before, after) = there.split_at(controls.len());
    assert_eq!(before, controls);
    assert_eq!(after.matches("migrated from").count(), 2, "{after}");

    // A server goes on, and names the end of the chain that was moved.
    serve(&cluster, cluster.url(), "one", &[("2024-09-17T12:00:00Z", "visit-4")]);
    cluster.wait_for(SESSIONS, "0");
    done(desk.on_database(&["verify"]));
    let told = failed(desk.migrate(from, &url), 2);
    assert!(told.contains("the target holds something else"), "{told}");
    let code = FiscalCode::made_up(1);
    let found = done(desk.on_database(&["audit", "--fiscal-code", code.as_str()]));
    assert_eq!(found.lines().count(), 7, "{found}");
    for (tampering, words) in [
        (
            "UPDATE sportello.trail SET written_at = written_at + 1 WHERE node = 1 AND number = 2 AND month = '2024-07'",
            "audit trail of 2024-07, node 1: row 2 was changed",
        ),
        (
            "UPDATE sportello.messages SET sealed = '' WHERE node = 1 AND number = 1 AND month = '2024-08'",
            "messages of 2024-08, node 1: row 1 was changed",
        ),
        (
            "DELETE FROM sportello.trail WHERE node = 1 AND month = '2024-09'; DELETE FROM sportello.trail_nodes WHERE node = 1",
            "audit trail of 2024-09, node 1: rows up to",
        ),
    ] {
        cluster.sql(tampering);
        let told = failed(desk.on_database(&["verify"]), 1);
        assert!(told.contains(words), "{tampering}: {told}");
    }
    done(desk.on_files(&data, &["verify"]));
}

#[test]
fn a_trail_that_breaks_off_in_the_middle_of_a_move_is_not_in_the_database() {
    let cluster = Cluster::start();
    let desk = Desk::at(cluster.url());
    let (url, data) = (cluster.url(), desk.path("data"));
    fill(&data.join("ledger"));
    // The events of a row that cannot be read, in the last month.
    let file = rusqlite::Connection::open(data.join("ledger/audit-2024-09.sqlite")).unwrap();
    let kept: Vec<u8> =
        file.query_row("SELECT events FROM trail WHERE number = 2", [], |row| row.get(0)).unwrap();
    file.execute("UPDATE trail SET events = x'ff' WHERE number = 2", []).unwrap();
    let told = failed(desk.migrate(data.to_str().unwrap(), &url), 2);
    assert!(told.contains("audit trail of 2024-09: row 2 cannot be read"), "{told}");
    assert_eq!(cluster.sql("SELECT count(*) FROM sportello.trail"), "0");
    assert_eq!(cluster.sql("SELECT number FROM sportello.trail_nodes WHERE node = 0"), "-1");
    file.execute("UPDATE trail SET events = ?1 WHERE number = 2", [kept]).unwrap();
    drop(file);
    let out = done(desk.migrate(data.to_str().unwrap(), &url));
    let ends = |what: &str, how: &str| {
        out.lines().any(|line| line.starts_with(what) && line.ends_with(how))
    };
    assert!(ends("messages", "was there already") && ends("audit trail", "copied"), "{out}");
}
