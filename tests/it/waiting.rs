//! The waiting room: people who come while the counter is full wait, and lots decide who enters next.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::Value;
use sportello::{civic::FiscalCode, ledger::rounds::Seed, vault::parse_hex};
use tokio::time::{Instant, sleep};

use crate::harness::{Answer, Counter, EVENING, PATIENCE, finished, new_session, program, until};

/// One lease and short rounds. A slow machine must not be taken for an overloaded counter, which refuses people.
const SETTINGS: [(&str, &str); 5] = [
    ("SPORTELLO_GATE_LEASES_MAX", "1"),
    ("SPORTELLO_GATE_LAG_MS_MAX", "60000"),
    ("SPORTELLO_WAITING_GATHER_SECONDS", "1"),
    ("SPORTELLO_WAITING_POLL_SECONDS_MIN", "1"),
    ("SPORTELLO_LIMITS_ENTER_BY_PERSON_PER_SECOND", "100"),
];

/// A new identity token of the n-th made-up citizen.
fn mint(counter: &Counter, n: u64) -> String {
    counter.mint(&FiscalCode::made_up(n), &[])
}

/// A person asks to enter.
async fn enter(counter: &Counter, identity: &str) -> Answer {
    counter.knock(identity).await
}

/// The n-th made-up citizen asks to enter, each time with a new token, as from another device.
async fn ask(counter: &Counter, n: u64) -> Answer {
    enter(counter, &mint(counter, n)).await
}

/// Exit code and output of `sportello verify-draw`.
fn verify_draw(seed: &str, commitment: &str, code: &FiscalCode) -> (Option<i32>, String) {
    verify_draw_with(seed, commitment, code, &[])
}

/// The same with more arguments.
fn verify_draw_with(
    seed: &str,
    commitment: &str,
    code: &FiscalCode,
    more: &[&str],
) -> (Option<i32>, String) {
    let arguments = ["--seed", seed, "--commitment", commitment, "--fiscal-code", code.as_str()];
    let (code, out, _) = finished(program().arg("verify-draw").args(arguments).args(more));
    (code, out)
}

/// The latest drawn round, once there is one.
async fn drawn_round(counter: &Counter) -> Value {
    until("a round is drawn", async || {
        let public = counter.ask("GET", "/v1/draws", "", "").await.json();
        public["draws"].get(0).cloned()
    })
    .await
}

#[tokio::test]
async fn a_full_counter_has_people_wait_and_lots_decide_who_is_next() {
    let counter = Counter::open_with(&SETTINGS);
    let before = counter.ask("GET", "/v1/status", "", "").await.json()["draw"].clone();
    let first = mint(&counter, 1);
    let inside = counter.citizen(0).await;
    let (mut session, mut token) = (inside.session, inside.token);

    let answer = enter(&counter, &first).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let json = answer.json();
    assert_eq!((&json["state"], &json["draw"]), (&Value::from("waiting"), &before));
    assert_eq!(answer.header("retry-after"), json["pollAfterSeconds"].to_string());
    assert!(json["estimate"].is_null(), "no rate of entering is known yet");
    let mut poll_seconds = 0;
    for n in [2, 3, 4, 1] {
        let json = ask(&counter, n).await.json();
        assert_eq!(json["draw"], before);
        poll_seconds = poll_seconds.max(json["pollAfterSeconds"].as_u64().unwrap());
    }
    assert_eq!(counter.metric("sportello_waiting", &["citizens"]).await, 4);
    assert_eq!(counter.ask("GET", "/v1/draws", "", "").await.json()["draws"], Value::Array(vec![]));

    // The person inside leaves without applying, and everybody who waits asks once, the highest number first. They ask
    // no sooner than they were told, so all are expected when the lease is returned, and it is kept for the lowest
    // number: the counter also calls people who come later if it expects another lease to be free by then.
    let mut order = Vec::new();
    let mut numbers = BTreeMap::new();
    let mut waiting = vec![1, 2, 3, 4];
    for turn in 1..=4 {
        waiting.sort_by_key(|n| Reverse(numbers.get(n).cloned()));
        let people: Vec<_> = waiting.iter().map(|n| (*n, mint(&counter, *n))).collect();
        sleep(Duration::from_secs(poll_seconds)).await;
        let left = counter.ask("DELETE", &session, &token, "").await;
        assert_eq!(left.status, StatusCode::NO_CONTENT);
        // Another thread draws the round and calls the lowest number.
        drawn_round(&counter).await;
        for (n, identity) in people {
            let visit = new_session();
            let answer = counter.ask("PUT", &visit, &identity, "").await;
            let json = answer.json();
            if answer.status == StatusCode::CREATED {
                order.push(n);
                session = visit;
                json["token"].as_str().unwrap().clone_into(&mut token);
            } else {
                numbers.insert(n, json["draw"]["number"].as_str().unwrap().to_owned());
                poll_seconds = poll_seconds.max(json["pollAfterSeconds"].as_u64().unwrap());
            }
        }
        assert_eq!(order.len(), turn, "one lease, one person: {order:?}, {numbers:?}");
        waiting.retain(|n| !order.contains(n));
    }
    assert_eq!(counter.metric("sportello_waiting", &["citizens"]).await, 0);

    let published = counter.ask("GET", "/v1/draws", "", "").await.json()["draws"].clone();
    let [drawn] = published.as_array().unwrap().as_slice() else {
        panic!("one round: {published}")
    };
    assert_eq!((&drawn["round"], &drawn["commitment"]), (&before["round"], &before["commitment"]));
    assert_eq!(drawn["people"], 4);
    let (seed, commitment) =
        (drawn["seed"].as_str().unwrap(), drawn["commitment"].as_str().unwrap());
    let mut by_lot = Vec::new();
    for n in 1..=4 {
        let (code, text) = verify_draw(seed, commitment, &FiscalCode::made_up(n));
        assert_eq!(code, Some(0));
        let number = text.split([' ', ';']).nth(1).unwrap().to_owned();
        assert!(numbers.get(&n).is_none_or(|shown| *shown == number), "{numbers:?}, {n}: {text}");
        by_lot.push((number, n));
    }
    by_lot.sort();
    assert_eq!(order, by_lot.into_iter().map(|(_, n)| n).collect::<Vec<_>>());
    assert_eq!(numbers.len(), 3, "everybody but the first was told their number: {numbers:?}");

    let other = "0".repeat(64);
    assert_eq!(verify_draw(&other, commitment, &FiscalCode::made_up(1)).0, Some(1));
    assert_eq!(verify_draw("0", commitment, &FiscalCode::made_up(1)).0, Some(2));
}

#[tokio::test]
async fn a_person_inside_may_enter_again_from_another_device_and_finish_there() {
    let counter = Counter::open_with(&SETTINGS);
    let _first = counter.citizen(1).await;
    assert_eq!(ask(&counter, 2).await.status, StatusCode::ACCEPTED);
    let second = counter.citizen(1).await;
    second.apply("key").await;
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 0);
    // Once they have applied, they wait like anybody else.
    assert_eq!(ask(&counter, 1).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_full_waiting_room_refuses_newcomers_and_says_when_to_come_back() {
    let settings = [SETTINGS.as_slice(), &[("SPORTELLO_WAITING_PEOPLE_MAX", "1")]].concat();
    let counter = Counter::open_with(&settings);
    let _inside = counter.citizen(0).await;
    assert_eq!(ask(&counter, 1).await.status, StatusCode::ACCEPTED);
    let refused = ask(&counter, 2).await;
    refused.assert_problem(503, "busy");
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(counter.metric("sportello_shed_total", &["enter", "waiting"]).await, 1);
    assert_eq!(
        ask(&counter, 1).await.status,
        StatusCode::ACCEPTED,
        "a person who waits keeps their place"
    );
}

#[tokio::test]
async fn a_draw_is_in_the_audit_trail_and_nobody_is_named_in_it() {
    let mut counter = Counter::open_with(&SETTINGS);
    let inside = counter.citizen(0).await;
    ask(&counter, 1).await;
    inside.delete("").await;
    let patience = Instant::now() + PATIENCE;
    while ask(&counter, 1).await.status != StatusCode::CREATED {
        assert!(Instant::now() < patience, "the only person who waits does not enter");
        sleep(Duration::from_millis(100)).await;
    }
    let drawn = counter.ask("GET", "/v1/draws", "", "").await.json()["draws"][0].clone();
    // The server writes drawn rounds to the audit trail every two seconds.
    sleep(Duration::from_secs(3)).await;
    assert!(counter.stop().success());
    let output = program().args(["audit", "--controls", "--data"]).arg(counter.data()).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let line =
        text.lines().find(|line| line.contains(" drawn, ")).expect("the draw is in the trail");
    for member in ["round", "seed", "commitment", "people"] {
        let value = &drawn[member];
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(line.contains(&value), "{member}: {line}");
    }
    assert!(!line.contains(FiscalCode::made_up(1).as_str()));
}

/// The seed before this one in its chain, or the anchor; computed without the program's own code.
fn linked_to(seed: &str) -> String {
    let bytes: [u8; 32] = parse_hex(seed).unwrap();
    let hash = digest(&SHA256, &[b"sportello draw chain".as_slice(), &bytes].concat());
    Seed::new(hash.as_ref().try_into().unwrap()).to_string()
}

#[tokio::test]
async fn a_kill_changes_neither_the_next_round_nor_a_number_and_the_chain_goes_on() {
    let mut counter = Counter::open_with(&SETTINGS);
    let public = counter.ask("GET", "/v1/draws", "", "").await.json();
    let anchor = public["chains"][0]["anchor"].clone();
    let mut rounds = Vec::new();
    let mut linked = anchor.as_str().unwrap().to_owned();
    for time in [EVENING, "2024-09-16T17:47:11[Europe/Rome]"] {
        let before = counter.ask("GET", "/v1/status", "", "").await.json()["draw"].clone();
        {
            let _inside = counter.citizen(0).await;
            assert_eq!(ask(&counter, 1).await.json()["draw"], before);
        }
        counter.kill();
        counter = counter.reopen_with(time, &SETTINGS);
        let after = counter.ask("GET", "/v1/status", "", "").await.json()["draw"].clone();
        assert_eq!(after, before, "the same before the kill and after it");

        let inside = counter.citizen(0).await;
        ask(&counter, 1).await;
        inside.delete("").await;
        let (session, identity) = (new_session(), mint(&counter, 1));
        let entered = until("the only person who waits enters", async || {
            let answer = counter.ask("PUT", &session, &identity, "").await;
            (answer.status == StatusCode::CREATED).then(|| answer.json())
        })
        .await;
        counter.ask("DELETE", &session, entered["token"].as_str().unwrap(), "").await;
        let public = counter.ask("GET", "/v1/draws", "", "").await.json();
        let drawn = &public["draws"][0];
        assert_eq!(drawn["commitment"], before["commitment"]);
        assert_eq!(linked_to(drawn["seed"].as_str().unwrap()), linked);
        assert_eq!(public["chains"][0]["anchor"], anchor);
        linked = drawn["seed"].as_str().unwrap().to_owned();
        rounds.push(drawn["round"].as_u64().unwrap());
        assert_eq!(public["draws"].as_array().unwrap().len(), rounds.len(), "also after a kill");
    }
    assert_eq!(rounds[1], rounds[0] + 1);
}

#[tokio::test]
async fn a_draw_is_mixed_with_a_beacon_round_that_was_named_before() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("beacon");
    let beacon = [
        ("SPORTELLO_BEACON_FILE", file.to_str().unwrap()),
        ("SPORTELLO_BEACON_PERIOD_SECONDS", "1"),
    ];
    let counter = Counter::open_with(&[SETTINGS.as_slice(), &beacon].concat());
    let inside = counter.citizen(0).await;
    let joined = ask(&counter, 1).await.json()["draw"].clone();
    assert!(joined["beaconRound"].is_null(), "the beacon round is named when the round is closed");
    ask(&counter, 2).await;
    inside.delete("").await;
    let named = until("the beacon round is named", async || {
        let draw = ask(&counter, 1).await.json()["draw"].clone();
        assert!(draw["seed"].is_null(), "no value, no draw: {draw}");
        draw["beaconRound"].as_u64()
    })
    .await;
    let public = counter.ask("GET", "/v1/draws", "", "").await.json();
    assert_eq!(public["closed"]["beaconRound"], named);
    assert_eq!(public["closed"]["round"], joined["round"]);
    let late = ask(&counter, 3).await.json()["draw"].clone();
    assert_eq!(late["round"].as_u64(), joined["round"].as_u64().map(|round| round + 1));

    let value = "5a".repeat(32);
    std::fs::write(&file, format!("{named} {value}\n")).unwrap();
    let drawn = drawn_round(&counter).await;
    assert_eq!((&drawn["beacon"], &drawn["beaconRound"]), (&value.clone().into(), &named.into()));
    let (n, draw) = until("the person who does not enter gets a number", async || {
        for n in [1, 2] {
            let draw = ask(&counter, n).await.json()["draw"].clone();
            if draw["number"].is_string() {
                return Some((n, draw));
            }
        }
        None
    })
    .await;
    let word = |name: &str| draw[name].as_str().unwrap().to_owned();
    let verify = |more: &[&str]| {
        let code = FiscalCode::made_up(n);
        verify_draw_with(&word("seed"), &word("commitment"), &code, more).1
    };
    assert!(verify(&["--beacon", &value]).contains(&word("number")));
    assert!(!verify(&[]).contains(&word("number")), "the number depends on the beacon");
}

#[tokio::test]
async fn who_is_not_let_in_at_the_controllers_rate_waits_and_people_inside_can_finish() {
    let counter = Counter::open_with(&[("SPORTELLO_GATE_PEOPLE_PER_SECOND", "4")]);
    let inside = counter.citizen(0).await;
    let people: Vec<String> =
        (1..=50).map(|n| counter.mint(&FiscalCode::made_up(n), &[])).collect();
    let arrivals = join_all(people.iter().map(|token| counter.knock(token))).await;
    let waiting = arrivals.iter().filter(|answer| answer.status == StatusCode::ACCEPTED).count();
    let entered = arrivals.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(waiting + entered, people.len(), "nobody is refused: {arrivals:?}");
    assert!(entered < 10, "four a second, and two at once: {entered}");
    inside.apply("key").await;
    assert_eq!(counter.metric("sportello_shed_total", &[]).await, 0);
    assert_eq!(counter.metric("sportello_admission_rate", &[]).await, 4);
}
