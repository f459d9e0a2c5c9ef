//! The course of an application: receipt, decision, withdrawal; keys, estimates and drafts.

use futures_util::future::join_all;
use hyper::StatusCode;

use crate::harness::{Counter, EVENING, location};

#[tokio::test]
async fn an_application_gets_a_receipt_and_a_decision_with_all_its_grounds() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let answer = citizen.submit("key", &citizen.application()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("subject-tag"), citizen.tag);
    assert_eq!(answer.header("cache-control"), "no-store");
    let receipt = answer.json();
    assert_eq!(
        (receipt["state"].as_str(), receipt["receivedOn"].as_str()),
        (Some("received"), Some("2024-09-16"))
    );
    let location = location(&receipt);
    assert_eq!(answer.header("location"), citizen.path(&location));

    let json = citizen.decided(&location).await;
    assert_eq!(json["state"], "decided");
    assert_eq!(json["application"]["applicant"]["fiscalCode"], citizen.code.as_str());
    let decision = &json["decision"];
    assert_eq!(
        (decision["outcome"].as_str(), decision["monthlyAmount"].as_str()),
        (Some("granted"), Some("687.50"))
    );
    assert_eq!(decision["grounds"].as_array().unwrap().len(), 12);
    assert_eq!(counter.balance().await, (1, 1));
}

#[tokio::test]
async fn the_same_key_gives_the_same_receipt_also_after_a_restart() {
    let mut counter = Counter::open();
    let (body, first, location) = {
        let citizen = counter.citizen(1).await;
        let body = citizen.application();
        let first = citizen.submit("key", &body).await;
        let again = citizen.submit("key", &body).await;
        assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body));
        let location = location(&first.json());
        citizen.decided(&location).await;
        (body, first.body, location)
    };
    assert_eq!(counter.stop().code(), Some(0));
    let counter = counter.reopen(EVENING);
    let citizen = counter.citizen(1).await;
    let again = citizen.submit("key", &body).await;
    assert_eq!((again.status, again.body), (StatusCode::CREATED, first));
    assert_eq!(citizen.get(&location).await.json()["state"], "decided");
    assert_eq!(counter.balance().await, (1, 1));
}

#[tokio::test]
async fn a_key_serves_one_body_and_a_person_one_application() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let location = citizen.apply("key").await;
    let other = citizen.application().replace("mario@example.it", "other@example.it");
    let reused = citizen.submit("key", &other).await;
    reused.assert_problem(422, "idempotency-key-reused");
    let second = citizen.submit("another", &other).await;
    second.assert_problem(409, "already-applied");
    let earlier = second.json()["receipt"]["receipt"].as_str().unwrap().to_owned();
    assert_eq!(format!("/applications/{earlier}"), location);
    // Another person may choose the same key.
    counter.citizen(2).await.apply("key").await;
}

#[tokio::test]
async fn a_person_who_withdrew_may_apply_again_and_keeps_the_old_receipt() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let body = citizen.application();
    let first = citizen.submit("one", &body).await;
    let location = location(&first.json());
    citizen.decided(&location).await;
    assert_eq!(citizen.delete(&location).await.status, StatusCode::NO_CONTENT);
    assert_eq!(citizen.delete(&location).await.status, StatusCode::NO_CONTENT);
    assert_eq!(citizen.get(&location).await.json()["state"], "withdrawn");

    let second = citizen.apply("two").await;
    assert_ne!(second, location);
    assert_eq!(citizen.submit("one", &body).await.body, first.body);
    citizen.decided(&second).await;
    assert_eq!(counter.balance().await, (2, 2));
    assert_eq!(counter.metric("sportello_applications_withdrawn_total", &["payment"]).await, 1);
}

#[tokio::test]
async fn an_estimate_decides_and_stores_nothing() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let answer = citizen.post("/estimates", &citizen.application()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let estimate = answer.json();
    assert_eq!(estimate["outcome"], "granted");
    assert_eq!(counter.metric("sportello_applications_accepted_total", &[]).await, 0);
    let location = citizen.apply("key").await;
    assert_eq!(
        citizen.decided(&location).await["decision"],
        estimate,
        "estimate and decision come from one rules engine"
    );
}

#[tokio::test]
async fn a_draft_is_kept_for_its_person_until_they_submit() {
    let counter = Counter::open();
    let (one, two) = (counter.citizen(1).await, counter.citizen(2).await);
    assert_eq!(one.get("/drafts/iscro").await.problem(), "not-found");
    for draft in ["{\"scheme\": \"iscro\"}", "{\"scheme\": \"iscro\", \"year\": 2024}"] {
        let saved = one.put("/drafts/iscro", draft).await;
        assert_eq!(saved.status, StatusCode::NO_CONTENT, "{saved:?}");
        // The draft belongs to the person, not to the device.
        let elsewhere = counter.citizen(1).await;
        assert_eq!(elsewhere.get("/drafts/iscro").await.body, draft.as_bytes());
    }
    let refused = one.put("/drafts/iscro", "[]").await;
    assert_eq!(refused.problem(), "malformed");
    assert_eq!(two.get("/drafts/iscro").await.status, StatusCode::NOT_FOUND);
    one.apply("key").await;
    assert_eq!(one.get("/drafts/iscro").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn many_tries_at_once_make_one_application() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let body = citizen.application();
    let tries = (0..20).map(|n| {
        let key = format!("key-{n}");
        let (citizen, body) = (&citizen, &body);
        async move { citizen.submit(&key, body).await.status }
    });
    let mut statuses = join_all(tries).await;
    statuses.sort_unstable();
    let created = statuses.iter().filter(|status| **status == StatusCode::CREATED).count();
    assert_eq!((created, statuses.len()), (1, 20), "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(&status.as_u16())));
    assert_eq!(counter.metric("sportello_applications_accepted_total", &[]).await, 1);
}
