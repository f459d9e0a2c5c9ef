//! Access: who may enter when, and who may see which data.

use hyper::StatusCode;
use sportello::civic::FiscalCode;

use crate::harness::{self, Counter, MORNING, location, new_session};

#[tokio::test]
async fn each_audience_has_its_slice_of_the_day() {
    let evening = Counter::open();
    let code = FiscalCode::made_up(1);
    let office = evening.mint(&code, &["--office", "patronato-1"]);
    let refused = evening.knock(&office).await;
    refused.assert_problem(403, "window-closed");
    assert_eq!(refused.json()["opensAt"], "2024-09-17T08:00:00+02:00");
    // 14.5 hours from the start of the clock, less one minute for the test to run, plus ten seconds: few were refused.
    let retry_after: u32 = refused.header("retry-after").parse().unwrap();
    assert!((52_140..=52_211).contains(&retry_after), "{retry_after}");
    let status = evening.ask("GET", "/v1/status", "", "").await;
    assert_eq!(status.header("cache-control"), "public, max-age=1");
    let json = status.json();
    assert_eq!(json["audiences"]["citizens"]["until"], "2024-09-17T08:00:00+02:00");
    assert_eq!(json["audiences"]["intermediaries"]["open"], false);
    assert!(
        json["draw"]["commitment"].is_string(),
        "the commitment is published before anybody waits"
    );

    let morning = Counter::open_at(MORNING);
    let refused = morning.knock(&morning.mint(&code, &[])).await;
    assert_eq!(refused.problem(), "window-closed");
    assert_eq!(morning.metric("sportello_window_open", &["intermediaries"]).await, 1);
    morning.intermediary(1).await;
}

#[tokio::test]
async fn a_session_shows_whose_it_is_and_ends_when_asked() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let answer = citizen.get("").await;
    assert_eq!(answer.header("subject-tag"), citizen.tag);
    let json = answer.json();
    assert_eq!(json["subject"], citizen.code.masked().to_string());
    assert_eq!(json["subjectTag"], citizen.tag);
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 1);
    assert_eq!(citizen.delete("").await.status, StatusCode::NO_CONTENT);
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 0);
    let gone = citizen.get("").await;
    gone.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn another_persons_receipt_is_exactly_like_none() {
    let counter = Counter::open();
    let (one, two) = (counter.citizen(1).await, counter.citizen(2).await);
    let location = one.apply("key").await;
    let foreign = two.get(&location).await;
    let missing = two.get("/applications/ISCRO-2024-7K3M-9QXT-B2FD-0YHR").await;
    let nonsense = two.get("/applications/nonsense").await;
    for answer in [&foreign, &missing, &nonsense] {
        answer.assert_problem(404, "not-found");
        assert_eq!(answer.without_id(), missing.without_id());
    }
    assert_eq!(two.delete(&location).await.status, StatusCode::NOT_FOUND);
    assert_eq!(one.get(&location).await.status, StatusCode::OK);
    assert_eq!(counter.metric("sportello_crossover_blocked_total", &[]).await, 0);
}

#[tokio::test]
async fn a_citizen_applies_for_nobody_else_and_an_intermediary_under_a_mandate() {
    let evening = Counter::open();
    let (one, two) = (evening.citizen(1).await, evening.citizen(2).await);
    let refused = one.submit("key", &two.application()).await;
    refused.assert_problem(403, "not-yours");

    let morning = Counter::open_at(MORNING);
    let office = morning.intermediary(1).await;
    let client = FiscalCode::made_up(2);
    let plain = sportello::application::example(&client, 2024);
    office.submit("key", &plain).await.assert_problem(403, "no-mandate");
    let entrusted = harness::entrusted(2, &harness::mandate(2));
    let answer = office.submit("key", &entrusted).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let json = office.decided(&location(&answer.json())).await;
    assert_eq!(json["application"]["applicant"]["fiscalCode"], client.as_str());
    // A colleague at the same office sees the application; another office does not.
    let colleague = morning.intermediary(3).await;
    assert_eq!(colleague.get(&location(&answer.json())).await.status, StatusCode::OK);
    let stranger = FiscalCode::made_up(4);
    let identity = morning.mint(&stranger, &["--office", "patronato-2"]);
    let other = morning.enter(stranger, &identity).await;
    assert_eq!(other.get(&location(&answer.json())).await.status, StatusCode::NOT_FOUND);
    other.submit("key", &entrusted).await.assert_problem(403, "no-mandate");
    morning.entrust(&harness::mandates_of("patronato-2", [2])).await;
    let theirs = harness::entrusted(2, "patronato-2-iscro-2024-2");
    assert_eq!(other.get(&location(&answer.json())).await.status, StatusCode::NOT_FOUND);
    let again = other.submit("key", &theirs).await;
    assert_eq!(again.problem(), "already-applied");
    assert!(again.json()["receipt"].is_null());
    assert_eq!(morning.metric("sportello_applications_accepted_total", &["intermediary"]).await, 1);
}

#[tokio::test]
async fn a_weak_or_wrong_identity_does_not_enter() {
    let counter = Counter::open();
    let weak = counter.mint(&FiscalCode::made_up(1), &["--acr", "1"]);
    let refused = counter.knock(&weak).await;
    refused.assert_problem(403, "assurance-too-low");
    let good = counter.mint(&FiscalCode::made_up(1), &[]);
    for token in ["", "nonsense", "a.b.c", &good[..good.len() - 4]] {
        let refused = counter.knock(token).await;
        refused.assert_problem(401, "unauthenticated");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    // An identity token is not accepted in place of a session token.
    assert_eq!(
        counter.ask("GET", &new_session(), &good, "").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_campaign_that_is_not_open_takes_nothing() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let next_year = sportello::application::example(&citizen.code, 2025);
    let refused = citizen.submit("key", &next_year).await;
    refused.assert_problem(422, "campaign-closed");
    assert_eq!(refused.json()["opensOn"], "2025-06-16");
}

#[tokio::test]
async fn leases_bound_the_people_inside_and_a_person_who_asks_too_often_is_refused() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_GATE_LEASES_MAX", "2"),
        ("SPORTELLO_LIMITS_SESSION_BY_PERSON_BURST", "3"),
        ("SPORTELLO_LIMITS_SESSION_BY_PERSON_PER_SECOND", "1"),
    ]);
    let first = counter.citizen(1).await;
    counter.citizen(2).await;
    let identity = counter.mint(&FiscalCode::made_up(3), &[]);
    let waiting = counter.knock(&identity).await;
    assert_eq!(
        waiting.status,
        StatusCode::ACCEPTED,
        "the counter is full; tests/it/waiting.rs tests what follows"
    );
    first.apply("key").await;
    assert_eq!(
        counter.metric("sportello_leases", &["held"]).await,
        1,
        "the lease is returned when the application is submitted"
    );

    let mut refused = first.get("").await;
    for _ in 0..5 {
        refused = first.get("").await;
    }
    refused.assert_problem(429, "too-many-requests");
    assert!(!refused.header("retry-after").is_empty() && !refused.header("ratelimit").is_empty());
}
