//! Settings that change while the server runs, and openings of time slices.

use std::time::Duration;

use futures_util::future::join_all;
use hyper::StatusCode;
use sportello::civic::FiscalCode;
use tokio::time::{Instant, sleep};

use crate::harness::{Answer, Counter, EVENING, finished, new_session, program, until};

/// One lease, so that the second person waits. A slow machine must not be taken for an overloaded counter.
const ONE_LEASE: [(&str, &str); 2] =
    [("SPORTELLO_GATE_LEASES_MAX", "1"), ("SPORTELLO_GATE_LAG_MS_MAX", "60000")];
const SIX_O_CLOCK: &str = "2024-09-16T18:00:00+02:00";

/// Whether the counter is closed to citizens until an instant.
async fn is_closed_until(counter: &Counter, instant: &str) -> Option<()> {
    let status = counter.ask("GET", "/v1/status", "", "").await.json();
    (status["audiences"]["citizens"]["opensAt"] == instant).then_some(())
}

fn controls(counter: &Counter) -> String {
    finished(program().args(["audit", "--controls", "--data"]).arg(counter.data())).1
}

#[tokio::test]
async fn a_changed_schedule_is_in_force_at_once_and_cuts_nobody_off() {
    let file = "[schedule]\ncitizens = \"16:00-08:00\"\n";
    let counter = Counter::open_with_file(EVENING, file, &ONE_LEASE);
    let identity = counter.mint(&FiscalCode::made_up(1), &[]);
    let inside = counter.enter(FiscalCode::made_up(1), &identity).await;
    let promised = inside.get("").await.json()["expiresAt"].clone();
    let visit = new_session();
    let waiting = counter.mint(&FiscalCode::made_up(2), &[]);
    let waits = counter.ask("PUT", &visit, &waiting, "").await;
    assert_eq!(waits.status, StatusCode::ACCEPTED);
    let ticket = waits.json()["ticket"].as_str().unwrap().to_owned();

    counter.set("[schedule]\ncitizens = \"18:00-08:00\"\n[log]\nlevel = \"debug\"\n");
    until("the new slice is in force", async || is_closed_until(&counter, SIX_O_CLOCK).await).await;
    // Who waits is told, with their ticket and without.
    for proof in [&ticket, &waiting] {
        let refused = counter.ask("PUT", &visit, proof, "").await;
        refused.assert_problem(403, "window-closed");
        assert_eq!(refused.json()["opensAt"], SIX_O_CLOCK);
        let retry_after: u32 = refused.header("retry-after").parse().unwrap();
        assert!((1_700..=1_811).contains(&retry_after), "{retry_after}");
    }
    // Who is inside keeps what they were promised, also from another device, and finishes.
    assert_eq!(inside.get("").await.json()["expiresAt"], promised);
    let again = counter.ask("PUT", &inside.session, &identity, "").await;
    assert_eq!((again.status, &again.json()["expiresAt"]), (StatusCode::OK, &promised));
    let token = again.json()["token"].as_str().unwrap().to_owned();
    let path = format!("{}/applications", inside.session);
    let body = inside.application();
    let receipt = counter.try_ask("POST", &path, &token, &body, "key").await.unwrap();
    assert_eq!(receipt.status, StatusCode::CREATED, "{receipt:?}");

    let change = r#"settings: schedule.citizens was "16:00-08:00" and is "18:00-08:00""#;
    let log = counter.log();
    assert!(log.contains(change), "{log}");
    assert!(log.contains("nobody may enter from 16:00 to 18:00, Europe/Rome"), "{log}");
    assert!(
        log.contains(r#"log.level was "info"; "debug" takes effect when the server is started"#),
        "{log}"
    );
    until("the change is in the trail", async || controls(&counter).contains(change).then_some(()))
        .await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_its_fault_is_named() {
    let file = "[schedule]\ncitizens = \"16:00-08:00\"\n";
    let counter = Counter::open_with_file(EVENING, file, &[]);
    let faults = async |setting: &str| {
        counter.metric("sportello_settings_faults", &[&format!("setting=\"{setting}\"")]).await
    };
    counter.set("[schedule]\ncitizens = \"8-16\"\nclosed_on = \"2024-12-25/2024-12-24\"\n");
    until("the fault is noticed", async || (faults("schedule.citizens").await == 1).then_some(()))
        .await;
    assert_eq!(faults("schedule.closed_on").await, 1);
    let fault = ":2: schedule.citizens must be a time slice such as";
    until("it is logged", async || counter.log().contains(fault).then_some(())).await;
    counter.citizen(1).await;
    // Half of a file that is being written, and none at all.
    counter.set("[schedule]\ncitizens = \"18:0");
    until("the other fault is noticed", async || (faults("file").await == 1).then_some(())).await;
    assert_eq!(faults("schedule.citizens").await, 0);
    counter.citizen(2).await;
    counter.set("[schedule]\ncitizens = \"18:00-08:00\"\n");
    until("the whole file is in force", async || is_closed_until(&counter, SIX_O_CLOCK).await)
        .await;
    assert_eq!(faults("file").await, 0);
}

#[tokio::test]
async fn changed_limits_are_in_force_at_once() {
    let counter = Counter::open_with_file(EVENING, "", &[]);
    let citizen = counter.citizen(1).await;
    assert_eq!(citizen.get("").await.status, StatusCode::OK);
    counter.set("[limits]\nsession_by_person_per_second = 1\nsession_by_person_burst = 1\n");
    until("the limit is in force", async || {
        let refused = citizen.get("").await.status == StatusCode::TOO_MANY_REQUESTS;
        refused.then_some(())
    })
    .await;
    assert!(
        counter.log().contains("settings: limits.session_by_person_burst was 500 and is 1"),
        "{}",
        counter.log()
    );
}

/// Ten people are refused before 16:00 by a counter that lets one person in a second: twenty seconds for all of them.
#[tokio::test]
async fn who_was_refused_before_an_opening_comes_in_at_their_turn_and_hurrying_is_in_vain() {
    let settings =
        [("SPORTELLO_GATE_PEOPLE_PER_SECOND", "1"), ("SPORTELLO_GATE_LAG_MS_MAX", "60000")];
    let counter = Counter::open_at_with("2024-09-16T15:59:50[Europe/Rome]", &settings);
    let people: Vec<_> =
        (0..10).map(|n| (counter.mint(&FiscalCode::made_up(n), &[]), new_session())).collect();
    let all_ask = async || -> Vec<Answer> {
        join_all(people.iter().map(|(identity, visit)| counter.ask("PUT", visit, identity, "")))
            .await
    };
    for _ in 0..2 {
        for refused in all_ask().await {
            refused.assert_problem(403, "window-closed");
        }
    }
    until("the slice opens", async || {
        let status = counter.ask("GET", "/v1/status", "", "").await.json();
        (status["audiences"]["citizens"]["open"] == true).then_some(())
    })
    .await;
    let opened = Instant::now();
    let hurried = all_ask().await;
    let sent_away = hurried.iter().filter(|it| it.status == StatusCode::SERVICE_UNAVAILABLE);
    let mut count = 0;
    for answer in sent_away {
        answer.assert_problem(503, "busy");
        let retry_after: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=21).contains(&retry_after), "{retry_after}");
        count += 1;
    }
    assert!(count >= 5, "a few came in in the first seconds: {count}");
    assert_eq!(counter.metric("sportello_shed_total", &["opening"]).await, count);
    sleep(Duration::from_secs(21).saturating_sub(opened.elapsed())).await;
    // Who is inside does not ask again: they would soon have asked too often.
    let mut outside: Vec<_> = people.iter().collect();
    until("everybody is inside", async || {
        let asked = outside.iter().map(|(identity, visit)| counter.ask("PUT", visit, identity, ""));
        let answers = join_all(asked).await;
        let is_inside =
            |answer: &Answer| answer.status.is_success() && answer.json()["token"].is_string();
        let mut answers = answers.iter();
        outside.retain(|_| !answers.next().is_some_and(is_inside));
        outside.is_empty().then_some(())
    })
    .await;
}
