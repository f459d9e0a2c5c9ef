//! A person's own sessions: they see them, and end those that they do not need or do not know.

use hyper::StatusCode;
use serde_json::{Value, json};
use sportello::civic::FiscalCode;

use crate::{
    audit::audit,
    browser::{Browser, encoded},
    harness::{Counter, EVENING, Visitor, new_session},
};

async fn own(visitor: &Visitor<'_>) -> Vec<Value> {
    let answer = visitor.get("/sessions").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["sessions"].as_array().unwrap().clone()
}

fn handle(session: &Value) -> String {
    session["handle"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_lists_and_ends_their_own_sessions_for_good() {
    let all_day = [
        ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
        ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
    ];
    let counter = Counter::open_with(&all_day);
    let (one, two) = (counter.citizen(1).await, counter.citizen(1).await);
    let (neighbour, at_office) = (counter.citizen(2).await, counter.intermediary(1).await);
    let listed = own(&one).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let until = one.get("").await.json()["expiresAt"].clone();
    assert_eq!(
        listed[0],
        json!({ "handle": handle(&listed[0]), "beganAt": listed[0]["beganAt"], "expiresAt": until,
                "provedBy": "demo", "current": true })
    );
    assert!(listed[0]["beganAt"].as_str().unwrap().starts_with("2024-09-16T17:3"));
    assert_eq!(listed[1]["current"], false);
    assert_eq!(own(&at_office).await.len(), 1, "the office's, not the person's own");

    // A handle opens nothing, and is the person's in this capacity alone.
    let name = handle(&listed[1]);
    let ending = format!("/sessions/{name}");
    let token = &one.token;
    let as_visit = counter.ask("GET", &format!("/v1/sessions/{name}"), token, "").await;
    as_visit.assert_problem(404, "not-found");
    let identity = counter.mint(&one.code, &[]);
    let entered = counter.ask("PUT", &format!("/v1/sessions/{name}"), &identity, "").await;
    entered.assert_problem(400, "visit-too-short");
    for stranger in [&neighbour, &at_office] {
        stranger.delete(&ending).await.assert_problem(404, "not-found");
    }
    for unknown in [&*two.session, "/nothing", "/%20"] {
        let path = format!("/sessions/{}", unknown.rsplit('/').next().unwrap());
        one.delete(&path).await.assert_problem(404, "not-found");
    }
    assert_eq!(two.get("").await.status, StatusCode::OK);
    assert_eq!(one.delete(&ending).await.status, StatusCode::NO_CONTENT);
    two.get("").await.assert_problem(401, "unauthenticated");
    one.delete(&ending).await.assert_problem(404, "not-found");
    assert_eq!(own(&one).await.len(), 1);
    // The end is in the person's own record, once, and not in that of those who tried in vain.
    let shown = one.get("/disclosures").await.json()["disclosures"].as_array().unwrap().clone();
    let ends: Vec<_> = shown.iter().filter(|one| one["what"] == "session-ended").collect();
    assert_eq!((ends.len(), ends[0]["by"].as_str()), (1, Some("yourself")), "{shown:?}");
    let theirs = audit(&counter, &["--fiscal-code", neighbour.code.as_str()]);
    assert!(theirs.iter().all(|line| line["what"] != "session-ended"), "{theirs:?}");
    let (session, token, ended) = (one.session.clone(), one.token.clone(), two.token.clone());
    let ended_session = two.session.clone();

    // At once, as after a power cut: the end is durable, and what goes on is listed as it was.
    let mut counter = counter;
    counter.kill();
    let counter = counter.reopen_with(EVENING, &all_day);
    let gone = counter.ask("GET", &ended_session, &ended, "").await;
    gone.assert_problem(401, "unauthenticated");
    let again = counter.ask("GET", &format!("{session}/sessions"), &token, "").await;
    assert_eq!(again.json()["sessions"], json!([listed[0]]));
    // Its own session ends by its handle, too.
    let path = format!("{session}/sessions/{}", handle(&listed[0]));
    assert_eq!(counter.ask("DELETE", &path, &token, "").await.status, StatusCode::NO_CONTENT);
    counter.ask("GET", &session, &token, "").await.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn one_who_waits_has_no_sessions_to_list() {
    let counter = Counter::open_with(&[("SPORTELLO_GATE_LEASES_MAX", "1")]);
    let _inside = counter.citizen(1).await;
    let (identity, session) = (counter.mint(&FiscalCode::made_up(2), &[]), new_session());
    let waiting = counter.ask("PUT", &session, &identity, "").await;
    assert_eq!(waiting.status, StatusCode::ACCEPTED);
    let ticket = waiting.json()["ticket"].as_str().unwrap().to_owned();
    for (method, path) in [("GET", "/sessions"), ("DELETE", "/sessions/AAAAAAAAAAAAAAAA")] {
        let answer = counter.ask(method, &format!("{session}{path}"), &ticket, "").await;
        answer.assert_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_person_ends_their_other_sessions_on_a_page() {
    let counter = Counter::open();
    let mut browser = Browser::signed_in(&counter, "granted").await;
    let mut other = Browser::signed_in(&counter, "granted").await;
    let third = Browser::signed_in(&counter, "granted").await;
    let stranger = Browser::signed_in(&counter, "refused").await;
    browser.open(&browser.at("/applications")).await;
    browser.shows("My sessions");
    assert_eq!(browser.open(&browser.at("/sessions")).await.status, StatusCode::OK);
    assert_eq!(browser.heading(), "My sessions");
    assert_eq!(browser.html.matches("<h2>Another session</h2>").count(), 2);
    assert_eq!(browser.html.matches("<h2>This session</h2>").count(), 1);
    browser.shows("an identity of the demo");
    assert!(!browser.html.contains(other.path.split('/').nth(2).unwrap()), "no visit is shown");

    // A form of another visit ends nothing; a session that has ended meanwhile is no fault.
    let named = browser.hidden("session");
    let ending = browser.at("/sessions/ending");
    let forged = encoded(&[("session", &named), ("form", &stranger.hidden("form"))]);
    let origin = counter.public.clone();
    let refused = browser.send("POST", &ending, &[("origin", &origin)], &forged).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    for _ in 0..2 {
        let ended = browser.post(&ending, &[("session", &named)]).await;
        assert_eq!(ended.status, 303, "{ended:?}");
        assert_eq!(browser.html.matches("<h2>Another session</h2>").count(), 1);
    }
    assert_eq!(browser.post(&ending, &[("session", "others")]).await.status, 303);
    browser.open(&browser.at("/disclosures")).await;
    assert_eq!(browser.html.matches("a session ended").count(), 2, "{}", browser.html);
    browser.open(&browser.at("/sessions")).await;
    assert_eq!(browser.html.matches("<h2>Another session</h2>").count(), 0);
    assert!(!browser.html.contains("End all others"));
    for mut ended in [other, third] {
        let page = ended.open(&ended.at("/applications")).await;
        assert_eq!((page.status, ended.heading()), (StatusCode::NOT_FOUND, "This visit has ended"));
    }
    other = stranger;
    assert_eq!(other.open(&other.at("/sessions")).await.status, StatusCode::OK);
    assert_eq!(counter.metric("sportello_sessions", &["citizens"]).await, 2);
}
