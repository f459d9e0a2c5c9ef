//! Every state of the pages that people can meet, in a real browser.

use std::process::Command;

use serde_json::json;

use crate::harness::{Counter, EVENING, MORNING, finished};

/// A reserve larger than any disk, in bytes.
const RESERVE: &str = "1125899906842624";
const ALWAYS: &str = "00:00-00:00";
/// An evening while the allowance of March 2020 is open.
const SPRING: &str = "2020-04-01T17:30[Europe/Rome]";

/// A counter for each state that a counter can be in, and their URLs by its name.
fn counters() -> (Vec<Counter>, String) {
    let evening = |settings: &[(&str, &str)]| Counter::open_at_with(EVENING, settings);
    let always = Counter::open_untouched_at_with(
        EVENING,
        &[
            ("SPORTELLO_SCHEDULE_CITIZENS", ALWAYS),
            ("SPORTELLO_SCHEDULE_INTERMEDIARIES", ALWAYS),
            ("SPORTELLO_SESSIONS_PERSON_SESSIONS_MAX", "8"),
        ],
    );
    let full = evening(&[
        ("SPORTELLO_GATE_LEASES_MAX", "1"),
        ("SPORTELLO_GATE_LAG_MS_MAX", "60000"),
        ("SPORTELLO_WAITING_GATHER_SECONDS", "1"),
        ("SPORTELLO_WAITING_POLL_SECONDS_MIN", "2"),
    ]);
    let reserve = ("SPORTELLO_LEDGER_DISK_RESERVE_BYTES", RESERVE);
    let counters = [
        ("always", always),
        ("evening", evening(&[])),
        ("morning", Counter::open_at(MORNING)),
        ("spring", Counter::open_at(SPRING)),
        ("winter", Counter::open_at("2024-12-02T17:30[Europe/Rome]")),
        ("full", full),
        ("brief", evening(&[("SPORTELLO_SESSIONS_SESSION_SECONDS", "60")])),
        ("disk", evening(&[reserve])),
        ("audit", evening(&[reserve, ("SPORTELLO_AUDIT_DISK_RESERVE_BYTES", RESERVE)])),
    ];
    let mut urls = json!({});
    let counters = counters.map(|(name, counter)| {
        urls[name] = counter.public.clone().into();
        counter
    });
    (counters.into(), urls.to_string())
}

/// The ways of looking at a page are those of `inspect.cjs`; the way through them is without scripts and with them.
fn finds_no_obstacle(language: &str) {
    let (_counters, urls) = counters();
    let mut browser = Command::new("node");
    let (code, seen, complaint) =
        finished(browser.args(["tests/outside/states.cjs", language, &urls]));
    assert_eq!((code, &*seen), (Some(0), "64 pages seen\n"), "{seen}{complaint}");
}

#[test]
#[ignore = "needs chromium, node, and the packages playwright-core and axe-core in NODE_PATH"]
fn a_browser_finds_no_obstacle_in_any_state_of_a_page() {
    finds_no_obstacle("it");
}

#[test]
#[ignore = "needs chromium, node, and the packages playwright-core and axe-core in NODE_PATH"]
fn a_browser_finds_no_obstacle_in_english_either() {
    finds_no_obstacle("en");
}

/// One whole way by Tab, arrows, Space, Enter and typing.
#[tokio::test]
#[ignore = "needs chromium, node, and the package playwright-core in NODE_PATH"]
async fn a_citizen_applies_by_the_keyboard_alone() {
    let counter = Counter::open();
    let mut browser = Command::new("node");
    let (code, seen, complaint) =
        finished(browser.args(["tests/outside/keyboard.cjs", &counter.public]));
    assert_eq!(code, Some(0), "{seen}{complaint}");
    assert!(seen.ends_with(" keys pressed\n"), "{seen}");
    assert_eq!(counter.metric("sportello_applications_accepted_total", &[]).await, 1);
}

/// What a new citizen does from the home page to a receipt, and what it costs on the wire, for each scheme.
#[test]
#[ignore = "needs chromium, node, and the package playwright-core in NODE_PATH"]
fn the_way_to_a_receipt_is_short() {
    let iscro = Counter::open();
    let allowance = Counter::open_at(SPRING);
    let mut browser = Command::new("node");
    browser.args(["tests/outside/measure.cjs", &iscro.public, &allowance.public]);
    let (code, table, complaint) = finished(&mut browser);
    assert_eq!(code, Some(0), "{table}{complaint}");
    println!("{table}");
    let bounds =
        [("ISCRO 2024", [40, 25, 100, 15, 26, 150]), ("600 euro", [26, 13, 90, 13, 22, 140])];
    for (line, (name, bounds)) in table.lines().skip(2).zip(bounds) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        assert!(cells[1].starts_with(name), "{line}");
        let counts = cells[2..8].iter().map(|cell| cell.parse::<u32>().unwrap());
        for (count, most) in counts.zip(bounds) {
            assert!(0 < count && count <= most, "{count} of {most} in {line}");
        }
    }
}
