//! Pausing and resuming intake, draining, reloading.

use std::time::Duration;

use hyper::StatusCode;
use sportello::civic::FiscalCode;

use super::client::{call, controls, done, state};
use crate::{
    browser::Browser,
    harness::{Counter, EVENING, new_session, until},
};

/// One lease, so that the second person waits.
const ONE_LEASE: [(&str, &str); 2] =
    [("SPORTELLO_GATE_LEASES_MAX", "1"), ("SPORTELLO_GATE_LAG_MS_MAX", "60000")];

async fn notice(counter: &Counter) -> String {
    counter.ask("GET", "/v1/status", "", "").await.json()["notice"]["en"].to_string()
}

#[tokio::test]
async fn while_intake_is_paused_nobody_new_enters_and_people_inside_finish() {
    let counter = Counter::open();
    let inside = counter.citizen(1).await;
    let looked = done(&call(&counter, "POST", "/control/pause?dryRun=true").await);
    assert_eq!(
        (&looked["dryRun"], &looked["changes"][0]["after"]),
        (&true.into(), &"paused".into())
    );
    counter.citizen(2).await;
    assert_eq!(state(&counter).await["intake"]["state"], "taking", "a dry run changes nothing");

    let paused = done(&call(&counter, "POST", "/control/pause").await);
    assert_eq!(paused["changes"], looked["changes"]);
    assert_eq!(paused["undo"]["path"], "/control/resume");
    assert_eq!(paused["undo"]["command"], "sportello control resume");
    let visit = new_session();
    let identity = counter.mint(&FiscalCode::made_up(3), &[]);
    let waits = counter.ask("PUT", &visit, &identity, "").await;
    assert_eq!(waits.status, StatusCode::ACCEPTED, "{waits:?}");
    assert!(waits.json()["estimate"].is_null(), "nobody knows how long: {waits:?}");
    assert!(waits.header("retry-after").parse::<u32>().unwrap() > 0);
    assert!(notice(&counter).await.contains("The counter is paused"));
    let mut browser = Browser::new(&counter);
    browser.open("/it").await;
    browser.shows("Lo sportello è in pausa");
    // People inside finish, also from another device.
    inside.apply("key").await;
    let again = counter.mint(&inside.code, &[]);
    let renewed = counter.ask("PUT", &inside.session, &again, "").await;
    assert_eq!(renewed.status, StatusCode::OK, "{renewed:?}");
    assert_eq!(counter.metric("sportello_intake_paused", &[]).await, 1);
    assert_eq!(counter.operator_page("/readyz").await.0, StatusCode::OK);

    // No round is drawn meanwhile: whoever comes during a pause has the same chance.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let waits = counter.ask("PUT", &visit, &identity, "").await.json();
    assert!(waits["draw"]["number"].is_null() && waits["estimate"].is_null(), "{waits}");

    // Neither a kill nor a start with another clock ends a pause.
    let counter = counter.reopen(EVENING);
    assert_eq!(state(&counter).await["intake"]["by"], "m.rossi");
    assert!(counter.log().contains("intake is paused: set by m.rossi since 2024-09-16T17:3"));
    assert_eq!(counter.knock(&identity).await.status, StatusCode::ACCEPTED);
    let resumed = done(&call(&counter, "POST", "/control/resume").await);
    assert_eq!(resumed["undo"]["path"], "/control/pause");
    until("the person who waited is inside", async || {
        let answer = counter.ask("PUT", &visit, &identity, "").await;
        (answer.status == StatusCode::CREATED).then_some(())
    })
    .await;
    assert_eq!(notice(&counter).await, "null");
    let again = done(&call(&counter, "POST", "/control/resume").await);
    assert!(again["undo"].is_null() && again["changes"].as_array().unwrap().is_empty(), "{again}");
    until("every action is in the trail, with before and after", async || {
        let controls = controls(&counter);
        assert!(controls.contains("control: intake is paused: set by m.rossi since"), "{controls}");
        let pause = "control: m.rossi: pause: intake was taking and is paused";
        let resume = "control: m.rossi: resume: intake was paused and is taking";
        (controls.contains(pause) && controls.contains(resume)).then_some(())
    })
    .await;
    let actions = state(&counter).await["actions"].clone();
    assert_eq!(actions[1]["summary"], "intake was paused and is taking", "{actions}");
}

#[tokio::test]
async fn a_person_who_was_called_waits_while_intake_is_paused_and_enters_afterwards() {
    let counter = Counter::open_with(&ONE_LEASE);
    let inside = counter.citizen(1).await;
    let (visit, identity) = (new_session(), counter.mint(&FiscalCode::made_up(2), &[]));
    assert_eq!(counter.ask("PUT", &visit, &identity, "").await.status, StatusCode::ACCEPTED);
    inside.delete("").await;
    until("the person is called", async || {
        let place = counter.ask("GET", &visit, &identity, "").await.json();
        (place["estimate"] == 0).then_some(())
    })
    .await;
    done(&call(&counter, "POST", "/control/pause").await);
    for method in ["GET", "PUT"] {
        let answer = counter.ask(method, &visit, &identity, "").await;
        assert!(answer.json()["estimate"].is_null(), "{method}: nobody's turn: {answer:?}");
    }
    assert_eq!(counter.metric("sportello_sessions", &[]).await, 0);
    done(&call(&counter, "POST", "/control/resume").await);
    until("the person is inside", async || {
        let answer = counter.ask("PUT", &visit, &identity, "").await;
        (answer.status == StatusCode::CREATED).then_some(())
    })
    .await;
}

#[tokio::test]
async fn draining_by_control_is_what_sigterm_does() {
    let mut counter = Counter::open();
    counter.citizen(1).await.apply("key").await;
    done(&call(&counter, "POST", "/control/drain?dryRun=true").await);
    for _ in 0..5 {
        done(&call(&counter, "POST", "/control/reload").await);
    }
    counter.citizen(2).await;
    let drained = done(&call(&counter, "POST", "/control/drain").await);
    assert!(drained["undo"].is_null());
    assert_eq!(counter.wait().code(), Some(0), "{}", counter.log());
    let line = "control: m.rossi: drain: intake was taking and is draining";
    assert!(controls(&counter).contains(line));
    let counter = counter.reopen(EVENING);
    assert_eq!(state(&counter).await["intake"]["state"], "taking");
    counter.citizen(3).await;
}

#[tokio::test]
async fn a_reload_by_control_says_what_has_changed_or_every_fault() {
    let counter = Counter::open_with_file(EVENING, "[schedule]\ncitizens = \"16:00-08:00\"\n", &[]);
    let write = |text: &str| std::fs::write(counter.data().join("sportello.toml"), text).unwrap();
    write("[schedule]\ncitizens = \"17:00-08:00\"\n[log]\nlevel = \"debug\"\n");
    let looked = done(&call(&counter, "POST", "/control/reload?dryRun=true").await);
    assert_eq!(looked["changes"][0]["what"], "schedule.citizens");
    assert_eq!(state(&counter).await["schedule"]["settings"]["citizens"]["value"], "16:00-08:00");
    let done = done(&call(&counter, "POST", "/control/reload").await);
    assert_eq!(done["changes"][0]["after"], "\"17:00-08:00\"");
    assert_eq!(done["changes"][1]["after"], "\"debug\" (after a restart)");
    assert!(done["warnings"][0].as_str().unwrap().contains("from 16:00 to 17:00"), "{done}");
    assert_eq!(state(&counter).await["schedule"]["settings"]["citizens"]["value"], "17:00-08:00");
    write("[schedule]\ncitizens = \"8-16\"\nweekends_open = 1\n");
    for path in ["/control/reload?dryRun=true", "/control/reload"] {
        let refused = call(&counter, "POST", path).await;
        refused.assert_problem(422, "invalid");
        assert_eq!(refused.json()["errors"].as_array().unwrap().len(), 2);
    }
    assert_eq!(state(&counter).await["schedule"]["settings"]["citizens"]["value"], "17:00-08:00");
    // The other files are looked at as SIGHUP has them looked at.
    let mandates = counter.data().join("mandates.ndjson");
    std::fs::write(mandates, "broken\n").unwrap();
    write("");
    call(&counter, "POST", "/control/reload").await;
    until("the mandates were read", async || counter.log().contains("mandates").then_some(()))
        .await;
}
