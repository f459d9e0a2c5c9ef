//! The waiting room: who finds the counter full waits, and lots decide.

use std::{process::Output, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use hyper::StatusCode;
use serde_json::Value;
use sportello::{civic::FiscalCode, ledger::rounds::Seed, vault::parse_hex};
use tokio::time::{Instant, sleep};

use crate::harness::{Answer, Counter, EVENING, PATIENCE, at_once, program};

const SETTINGS: [(&str, &str); 4] = [
    ("SPORTELLO_GATE_LEASES_MAX", "1"),
    ("SPORTELLO_WAITING_GATHER_SECONDS", "1"),
    ("SPORTELLO_WAITING_POLL_SECONDS_MIN", "1"),
    ("SPORTELLO_LIMITS_ENTER_BY_PERSON_PER_SECOND", "100"),
];

/// The n-th made-up citizen asks to be let in, each time with a token of their own, as from another device.
async fn ask(counter: &Counter, n: u64) -> Answer {
    let identity = counter.mint(&FiscalCode::made_up(n), &[]);
    counter.ask("POST", "/v1/sessions", &identity, "").await
}

fn verify_draw(seed: &str, commitment: &str, code: &FiscalCode) -> Output {
    verify_draw_with(seed, commitment, code, &[])
}

fn verify_draw_with(seed: &str, commitment: &str, code: &FiscalCode, more: &[&str]) -> Output {
    let arguments = ["--seed", seed, "--commitment", commitment, "--fiscal-code", code.as_str()];
    program().arg("verify-draw").args(arguments).args(more).output().unwrap()
}

#[tokio::test]
async fn a_full_counter_has_people_wait_and_lots_decide_who_is_next() {
    let counter = Counter::open_with(&SETTINGS);
    let before = counter.ask("GET", "/v1/status", "", "").await.json()["draw"].clone();
    let inside = counter.citizen(0).await;

    let answer = ask(&counter, 1).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.json();
    assert_eq!((&told["state"], &told["draw"]), (&Value::from("waiting"), &before));
    assert_eq!(answer.header("retry-after"), told["pollAfterSeconds"].to_string());
    assert!(told["estimate"].is_null(), "nobody has gone in yet");
    for n in [2, 3, 4, 1] {
        assert_eq!(ask(&counter, n).await.json()["draw"], before);
    }
    assert_eq!(counter.metric("sportello_waiting", &["citizens"]).await, 4);
    assert_eq!(counter.ask("GET", "/v1/draws", "", "").await.json()["draws"], Value::Array(vec![]));

    // One after the other goes in, and leaves without having applied.
    assert_eq!(inside.delete("/v1/session").await.status, StatusCode::NO_CONTENT);
    let mut order = Vec::new();
    let patience = Instant::now() + PATIENCE;
    let mut numbers = std::collections::BTreeMap::new();
    while order.len() < 4 && Instant::now() < patience {
        for n in 1..=4 {
            if order.contains(&n) {
                continue;
            }
            let answer = ask(&counter, n).await;
            let told = answer.json();
            if answer.status == StatusCode::CREATED {
                order.push(n);
                let token = told["token"].as_str().unwrap();
                counter.ask("DELETE", "/v1/session", token, "").await;
            } else if let Some(number) = told["draw"]["number"].as_str() {
                numbers.insert(n, number.to_owned());
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(order.len(), 4, "all go in in the end");
    assert_eq!(counter.metric("sportello_waiting", &["citizens"]).await, 0);

    let told = counter.ask("GET", "/v1/draws", "", "").await.json()["draws"].clone();
    let [drawn] = told.as_array().unwrap().as_slice() else { panic!("one round: {told}") };
    assert_eq!((&drawn["round"], &drawn["commitment"]), (&before["round"], &before["commitment"]));
    assert_eq!(drawn["people"], 4);
    let (seed, commitment) =
        (drawn["seed"].as_str().unwrap(), drawn["commitment"].as_str().unwrap());
    let mut by_lot = Vec::new();
    for n in 1..=4 {
        let output = verify_draw(seed, commitment, &FiscalCode::made_up(n));
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        let number = text.split([' ', ';']).nth(1).unwrap().to_owned();
        assert!(numbers.get(&n).is_none_or(|told| *told == number), "{numbers:?}, {n}: {text}");
        by_lot.push((number, n));
    }
    by_lot.sort();
    assert_eq!(order, by_lot.into_iter().map(|(_, n)| n).collect::<Vec<_>>());
    assert!(!numbers.is_empty(), "whoever was not the first was told their number");

    let other = "0".repeat(64);
    assert_eq!(verify_draw(&other, commitment, &FiscalCode::made_up(1)).status.code(), Some(1));
    assert_eq!(verify_draw("0", commitment, &FiscalCode::made_up(1)).status.code(), Some(2));
}

#[tokio::test]
async fn who_is_inside_may_come_in_again_from_another_device_and_finish_there() {
    let counter = Counter::open_with(&SETTINGS);
    let _first = counter.citizen(1).await;
    assert_eq!(ask(&counter, 2).await.status, StatusCode::ACCEPTED);
    let second = counter.citizen(1).await;
    second.apply("key").await;
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 0);
    // Having finished they are as anybody else.
    assert_eq!(ask(&counter, 1).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_full_waiting_room_tells_people_to_come_back() {
    let settings = [SETTINGS.as_slice(), &[("SPORTELLO_WAITING_PEOPLE_MAX", "1")]].concat();
    let counter = Counter::open_with(&settings);
    let _inside = counter.citizen(0).await;
    assert_eq!(ask(&counter, 1).await.status, StatusCode::ACCEPTED);
    let refused = ask(&counter, 2).await;
    assert_eq!(
        (refused.status, refused.problem()),
        (StatusCode::SERVICE_UNAVAILABLE, "busy".into())
    );
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(counter.metric("sportello_shed_total", &["enter", "waiting"]).await, 1);
    assert_eq!(ask(&counter, 1).await.status, StatusCode::ACCEPTED, "who waits keeps the place");
}

#[tokio::test]
async fn a_draw_is_in_the_audit_trail_and_nobody_is_named_in_it() {
    let mut counter = Counter::open_with(&SETTINGS);
    let inside = counter.citizen(0).await;
    ask(&counter, 1).await;
    inside.delete("/v1/session").await;
    let patience = Instant::now() + PATIENCE;
    while ask(&counter, 1).await.status != StatusCode::CREATED {
        assert!(Instant::now() < patience, "nobody else waits");
        sleep(Duration::from_millis(100)).await;
    }
    let drawn = counter.ask("GET", "/v1/draws", "", "").await.json()["draws"][0].clone();
    // The trail is told when the counter tidies up.
    sleep(Duration::from_secs(3)).await;
    assert!(counter.stop().success());
    let output = program().args(["audit", "--controls", "--data"]).arg(counter.data()).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let line = text.lines().find(|line| line.contains(" drawn, ")).expect("it was told");
    for told in ["round", "seed", "commitment", "people"] {
        let word = drawn[told].as_str().map_or_else(|| drawn[told].to_string(), str::to_owned);
        assert!(line.contains(&word), "{told}: {line}");
    }
    assert!(!line.contains(FiscalCode::made_up(1).as_str()));
}

/// What a seed is linked to: the seed before it, or the anchor. Written anew, as anybody would who does not trust us.
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
    for time in [EVENING, "2024-09-16T18:07:11[Europe/Rome]"] {
        let before = counter.ask("GET", "/v1/status", "", "").await.json()["draw"].clone();
        {
            let _inside = counter.citizen(0).await;
            assert_eq!(ask(&counter, 1).await.json()["draw"], before);
        }
        counter.kill();
        counter = counter.reopen_with(time, &SETTINGS);
        let after = counter.ask("GET", "/v1/status", "", "").await.json()["draw"].clone();
        assert_eq!(after, before, "published before the kill and after it");

        let inside = counter.citizen(0).await;
        ask(&counter, 1).await;
        inside.delete("/v1/session").await;
        let patience = Instant::now() + PATIENCE;
        let entered = loop {
            let answer = ask(&counter, 1).await;
            if answer.status == StatusCode::CREATED {
                break answer.json();
            }
            assert!(Instant::now() < patience, "nobody else waits");
            sleep(Duration::from_millis(100)).await;
        };
        counter.ask("DELETE", "/v1/session", entered["token"].as_str().unwrap(), "").await;
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
    assert!(joined["beaconRound"].is_null(), "nobody is to know the value while people join");
    ask(&counter, 2).await;
    inside.delete("/v1/session").await;
    let patience = Instant::now() + PATIENCE;
    let named = loop {
        let draw = ask(&counter, 1).await.json()["draw"].clone();
        assert!(draw["seed"].is_null(), "no value, no draw: {draw}");
        if let Some(round) = draw["beaconRound"].as_u64() {
            break round;
        }
        assert!(Instant::now() < patience, "the round is closed");
        sleep(Duration::from_millis(100)).await;
    };
    let public = counter.ask("GET", "/v1/draws", "", "").await.json();
    assert_eq!(public["closed"]["beaconRound"], named);
    assert_eq!(public["closed"]["round"], joined["round"]);
    let late = ask(&counter, 3).await.json()["draw"].clone();
    assert_eq!(late["round"].as_u64(), joined["round"].as_u64().map(|round| round + 1));

    let value = "5a".repeat(32);
    std::fs::write(&file, format!("{named} {value}\n")).unwrap();
    let mut told = std::collections::BTreeMap::new();
    while told.is_empty() && Instant::now() < patience {
        for n in [1, 2] {
            let draw = ask(&counter, n).await.json()["draw"].clone();
            if draw["number"].is_string() {
                told.insert(n, draw);
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    let (n, draw) = told.into_iter().next().expect("the one who does not enter is told");
    let word = |name: &str| draw[name].as_str().unwrap().to_owned();
    let drawn = counter.ask("GET", "/v1/draws", "", "").await.json()["draws"][0].clone();
    assert_eq!((&drawn["beacon"], &drawn["beaconRound"]), (&value.clone().into(), &named.into()));
    let verify = |more: &[&str]| {
        let code = FiscalCode::made_up(n);
        let output = verify_draw_with(&word("seed"), &word("commitment"), &code, more);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(verify(&["--beacon", &value]).contains(&word("number")));
    assert!(!verify(&[]).contains(&word("number")), "the beacon counts");
}

#[tokio::test]
async fn a_counter_that_is_behind_lets_nobody_in_until_those_inside_are_served() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_GATE_LAG_MS_MAX", "1"),
        ("SPORTELLO_SERVER_RUNTIMES", "1"),
    ]);
    let inside = counter.citizen(0).await;
    let people: Vec<String> =
        (1..=200).map(|n| counter.mint(&FiscalCode::made_up(n), &[])).collect();
    let patience = Instant::now() + PATIENCE;
    let mut refused = 0;
    while refused == 0 && Instant::now() < patience {
        let arrivals = people.iter().map(|token| counter.ask("POST", "/v1/sessions", token, ""));
        for arrival in at_once(arrivals).await {
            match arrival.status {
                StatusCode::CREATED | StatusCode::TOO_MANY_REQUESTS => {}
                _ => {
                    assert_eq!(
                        (arrival.status.as_u16(), arrival.problem().as_str()),
                        (503, "busy")
                    );
                    assert!(arrival.header("retry-after").parse::<u32>().unwrap() > 0);
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 0, "hundreds at a time are more than it takes within a millisecond");
    assert_eq!(counter.metric("sportello_shed_total", &["enter", "lag"]).await, refused);
    inside.apply("who is inside finishes").await;
    assert_eq!(counter.metric("sportello_shed_total", &["finish"]).await, 0);
}
