//! Visits: every session is below a path of its own, which opens for nobody else.

use std::time::Duration;

use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::Value;
use sportello::civic::FiscalCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::sleep,
};

use crate::harness::{
    Answer, Counter, MORNING, Visitor, entrusted, mandates_of, new_session, until,
};

/// Both audiences may enter at any time.
const ALL_DAY: [(&str, &str); 2] = [
    ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
    ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
];

/// A person who waits asks with their ticket until they enter; the answer then.
async fn enters(counter: &Counter, session: &str, ticket: &str) -> Value {
    until("the person enters with the ticket", async || {
        let answer = counter.ask("PUT", session, ticket, "").await;
        sleep(Duration::from_millis(200)).await;
        (answer.status == StatusCode::CREATED).then(|| answer.json())
    })
    .await
}

#[tokio::test]
async fn asking_again_renews_the_answer_and_keeps_session_and_lease() {
    let counter = Counter::open_with(&[("SPORTELLO_GATE_LEASES_MAX", "1")]);
    let code = FiscalCode::made_up(1);
    let identity = counter.mint(&code, &[]);
    let citizen = counter.enter(code, &identity).await;
    let again = counter.ask("PUT", &citizen.session, &identity, "").await;
    assert_eq!(again.status, StatusCode::OK, "{again:?}");
    assert_eq!(again.header("subject-tag"), citizen.tag);
    let json = again.json();
    let token = json["token"].as_str().unwrap();
    assert_ne!(token, citizen.token);
    citizen.get("").await.assert_problem(401, "unauthenticated");
    let shown = counter.ask("GET", &citizen.session, token, "").await.json();
    assert_eq!(shown["expiresAt"], json["expiresAt"]);
    assert_eq!(counter.metric("sportello_sessions", &["citizens"]).await, 1);

    let body = citizen.application();
    let path = citizen.path("/applications");
    let applied = counter.try_ask("POST", &path, token, &body, "key").await.unwrap();
    assert_eq!(applied.status, StatusCode::CREATED, "{applied:?}");
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 0);
}

#[tokio::test]
async fn the_same_request_many_times_at_once_opens_one_session_with_one_token() {
    let counter = Counter::open();
    let identity = counter.mint(&FiscalCode::made_up(1), &[]);
    let session = new_session();
    let asking = (0..15).map(|_| counter.ask("PUT", &session, &identity, ""));
    let answers = join_all(asking).await;
    let with = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(StatusCode::CREATED), with(StatusCode::OK)), (1, 14));
    let mut valid = 0;
    for answer in &answers {
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        let shown = counter.ask("GET", &session, &token, "").await;
        valid += usize::from(shown.status == StatusCode::OK);
    }
    assert_eq!(valid, 1, "each renewal ends the token before");
    assert_eq!(counter.metric("sportello_sessions", &["citizens"]).await, 1);
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 1);
}

#[tokio::test]
async fn a_request_under_way_finishes_when_its_token_is_renewed() {
    let counter = Counter::open();
    let code = FiscalCode::made_up(1);
    let identity = counter.mint(&code, &[]);
    let citizen = counter.enter(code, &identity).await;
    let body = citizen.application();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: l\r\nauthorization: Bearer {}\r\nidempotency-key: k\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        citizen.path("/applications"),
        citizen.token,
        body.len()
    );
    let mut under_way = counter.raw().await;
    under_way.write_all(head.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(counter.ask("PUT", &citizen.session, &identity, "").await.status, StatusCode::OK);
    under_way.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _closed = under_way.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 201 "), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 0);
}

#[tokio::test]
async fn a_visit_serves_one_identity_once_and_must_be_a_secret() {
    let counter = Counter::open_with(&ALL_DAY);
    let citizen = counter.citizen(1).await;
    let enter = async |path: &str, n, more: &[&str]| {
        let identity = counter.mint(&FiscalCode::made_up(n), more);
        counter.ask("PUT", path, &identity, "").await
    };
    enter(&citizen.session, 2, &[]).await.assert_problem(409, "visit-taken");
    // The same person for an office is another identity.
    let at_work = ["--office", "patronato-1"];
    enter(&citizen.session, 1, &at_work).await.assert_problem(409, "visit-taken");
    assert_eq!(citizen.get("").await.status, StatusCode::OK);
    assert_eq!(citizen.delete("").await.status, StatusCode::NO_CONTENT);
    for n in [1, 2] {
        enter(&citizen.session, n, &[]).await.assert_problem(409, "visit-taken");
    }
    for wrong in ["short", &"a".repeat(21), &"a".repeat(65), "a.visit.with.dots.in.it"] {
        let refused = enter(&format!("/v1/sessions/{wrong}"), 1, &[]).await;
        refused.assert_problem(400, "visit-too-short");
    }
    for gone in ["/v1/sessions", "/v1/session", "/v1/applications"] {
        counter.ask("POST", gone, &citizen.token, "").await.assert_problem(404, "not-found");
    }
}

#[tokio::test]
async fn another_visit_is_exactly_like_none() {
    let counter = Counter::open();
    let (one, two) = (counter.citizen(1).await, counter.citizen(2).await);
    let location = one.apply("key").await;
    let nothing = counter.ask("GET", "/v1/nothing", &two.token, "").await;
    nothing.assert_problem(404, "not-found");
    let fields = |answer: &Answer| {
        let kept = answer
            .headers
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "date" | "request-id"));
        kept.map(|(name, value)| format!("{name}: {value:?}")).collect::<Vec<_>>()
    };
    let below = ["", "/drafts/iscro", &location, "/applications/nonsense"];
    let mut mismatches = 0;
    for path in below.iter().flat_map(|below| [one.path(below), new_session() + below]) {
        for method in ["GET", "DELETE"] {
            let answer = counter.ask(method, &path, &two.token, "").await;
            assert_eq!(answer.status, nothing.status, "{path}");
            assert_eq!(answer.without_id(), nothing.without_id(), "{path}");
            assert_eq!(fields(&answer), fields(&nothing));
            mismatches += 1;
        }
    }
    for path in ["/applications", "/estimates", "/batches", "/drafts/iscro"] {
        let method = if path == "/drafts/iscro" { "PUT" } else { "POST" };
        let answer =
            counter.try_ask(method, &one.path(path), &two.token, "{}", "key").await.unwrap();
        assert_eq!(answer.status, nothing.status, "{path}");
        assert_eq!(answer.without_id(), nothing.without_id(), "{path}");
        mismatches += 1;
    }
    assert_eq!(counter.metric("sportello_visit_mismatch_total", &[]).await, mismatches);
    assert_eq!(one.get(&location).await.status, StatusCode::OK);
    assert_eq!(one.get("").await.header("referrer-policy"), "same-origin");
}

/// Waits until a draft is gone, soon after its receipt.
async fn forgotten(visitor: &Visitor<'_>, draft: &str) {
    until("the draft is forgotten", async || {
        (visitor.get(draft).await.status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

#[tokio::test]
async fn drafts_belong_to_one_capacity_scheme_and_mandate() {
    let counter = Counter::open_with(&ALL_DAY);
    counter.entrust(&(mandates_of("a", [2, 3]) + &mandates_of("b", [2]))).await;
    let code = FiscalCode::made_up(1);
    let clerk_of =
        async |office: &str| counter.enter(code, &counter.mint(&code, &["--office", office])).await;
    let (citizen, at_a, at_b) =
        (counter.citizen(1).await, clerk_of("a").await, clerk_of("b").await);
    let slots = [
        (&citizen, "/drafts/iscro"),
        (&citizen, "/drafts/allowance600"),
        (&at_a, "/drafts/iscro/a-iscro-2024-2"),
        (&at_a, "/drafts/iscro/a-iscro-2024-3"),
        (&at_b, "/drafts/iscro/b-iscro-2024-2"),
    ];
    for (n, (visitor, path)) in slots.iter().enumerate() {
        assert_eq!(visitor.get(path).await.status, StatusCode::NOT_FOUND, "{n}");
        assert_eq!(visitor.put(path, &format!("{{\"n\":{n}}}")).await.status, 204, "{n}");
    }
    let stored = async || {
        let mut numbers = Vec::new();
        for (visitor, path) in slots {
            numbers.push(visitor.get(path).await.json()["n"].as_u64());
        }
        numbers
    };
    assert_eq!(stored().await, (0..5).map(Some).collect::<Vec<_>>());

    // A receipt removes the draft of its person, principal, scheme and mandate, soon after the answer.
    let client = entrusted(2, "a-iscro-2024-2");
    assert_eq!(at_a.submit("key", &client).await.status, StatusCode::CREATED);
    forgotten(&at_a, "/drafts/iscro/a-iscro-2024-2").await;
    let all_but_one: Vec<_> = (0..5).map(|n| (n != 2).then_some(n)).collect();
    assert_eq!(stored().await, all_but_one);
    citizen.apply("key").await;
    forgotten(&citizen, "/drafts/iscro").await;
    let all_but_two: Vec<_> = (0..5).map(|n| (n != 0 && n != 2).then_some(n)).collect();
    assert_eq!(stored().await, all_but_two);

    assert_eq!(at_a.delete("/drafts/iscro/a-iscro-2024-3").await.status, StatusCode::NO_CONTENT);
    assert_eq!(at_a.delete("/drafts/iscro/a-iscro-2024-3").await.status, StatusCode::NOT_FOUND);
    // A citizen acts under no mandate, and nobody in an unknown scheme.
    assert_eq!(
        citizen.put("/drafts/iscro/a-iscro-2024-2", "{}").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(citizen.put("/drafts/unknown", "{}").await.status, StatusCode::NOT_FOUND);
    assert_eq!(counter.metric("sportello_crossover_blocked_total", &[]).await, 0);
}

#[tokio::test]
async fn a_draft_that_another_device_has_changed_is_not_overwritten() {
    let counter = Counter::open();
    let (here, there) = (counter.citizen(1).await, counter.citizen(1).await);
    let saved = here.put("/drafts/iscro", "{\"n\":1}").await;
    let first = saved.header("etag");
    assert_eq!(there.get("/drafts/iscro").await.header("etag"), first);
    let change = async |visitor: &Visitor<'_>, method, body: &str, version: &str| {
        let request = hyper::Request::builder()
            .method(method)
            .uri(format!("{}{}", counter.public, visitor.path("/drafts/iscro")))
            .header("authorization", format!("Bearer {}", visitor.token))
            .header("content-type", "application/json")
            .header("if-match", version);
        counter.send(request.body(body.to_owned().into()).unwrap()).await.unwrap()
    };
    let second = change(&there, "PUT", "{\"n\":2}", &first).await;
    assert_eq!(second.status, StatusCode::NO_CONTENT);
    assert_ne!(second.header("etag"), first);
    change(&here, "PUT", "{\"n\":3}", &first).await.assert_problem(412, "draft-changed");
    change(&here, "DELETE", "", &first).await.assert_problem(412, "draft-changed");
    assert_eq!(here.get("/drafts/iscro").await.json()["n"], 2);
    assert_eq!(change(&here, "DELETE", "", &second.header("etag")).await.status, 204);
    change(&there, "PUT", "{\"n\":4}", "*").await.assert_problem(412, "draft-changed");
    assert_eq!(there.get("/drafts/iscro").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_ticket_stands_for_the_identity_in_its_visit_alone() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_GATE_LEASES_MAX", "1"),
        ("SPORTELLO_WAITING_GATHER_SECONDS", "1"),
        ("SPORTELLO_WAITING_POLL_SECONDS_MIN", "1"),
    ]);
    let inside = counter.citizen(0).await;
    let identity = counter.mint(&FiscalCode::made_up(1), &[]);
    let mine = new_session();
    let first = counter.ask("PUT", &mine, &identity, "").await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{first:?}");
    assert!(first.header("subject-tag").is_empty());
    let ticket = first.json()["ticket"].as_str().unwrap().to_owned();
    for (method, proof) in
        [("PUT", &ticket), ("GET", &ticket), ("GET", &identity), ("PUT", &identity)]
    {
        let answer = counter.ask(method, &mine, proof, "").await;
        assert_eq!(
            (answer.status, &answer.json()["state"]),
            (StatusCode::ACCEPTED, &Value::from("waiting"))
        );
    }
    assert_eq!(counter.metric("sportello_waiting", &["citizens"]).await, 1);
    // Elsewhere it proves nothing, and it opens nothing that needs a session.
    let other = new_session();
    for (method, path) in [
        ("PUT", other.as_str()),
        ("GET", other.as_str()),
        ("DELETE", other.as_str()),
        ("GET", &format!("{mine}/drafts/iscro")),
    ] {
        let refused = counter.ask(method, path, &ticket, "").await;
        refused.assert_problem(401, "unauthenticated");
    }
    // The place is given up with it, and taken again.
    assert_eq!(counter.ask("DELETE", &mine, &ticket, "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(counter.metric("sportello_waiting", &["citizens"]).await, 0);
    for method in ["GET", "DELETE"] {
        counter.ask(method, &mine, &ticket, "").await.assert_problem(401, "unauthenticated");
    }
    assert_eq!(counter.ask("PUT", &mine, &ticket, "").await.status, StatusCode::ACCEPTED);

    inside.delete("").await;
    let entered = enters(&counter, &mine, &ticket).await;
    assert_eq!(entered["subject"], FiscalCode::made_up(1).masked().to_string());
    let token = entered["token"].as_str().unwrap();
    assert_eq!(counter.ask("DELETE", &mine, token, "").await.status, StatusCode::NO_CONTENT);
    counter.ask("PUT", &mine, &ticket, "").await.assert_problem(409, "visit-taken");
}

#[tokio::test]
async fn a_clerks_ticket_keeps_the_office() {
    let counter = Counter::open_at(MORNING).reopen_with(
        MORNING,
        &[("SPORTELLO_GATE_LEASES_MAX", "1"), ("SPORTELLO_WAITING_GATHER_SECONDS", "1")],
    );
    let inside = counter.intermediary(1).await;
    let code = FiscalCode::made_up(2);
    let mine = new_session();
    let identity = counter.mint(&code, &["--office", "patronato-2"]);
    let waiting = counter.ask("PUT", &mine, &identity, "").await.json();
    let ticket = waiting["ticket"].as_str().unwrap().to_owned();
    inside.delete("").await;
    let entered = enters(&counter, &mine, &ticket).await;
    assert_eq!(entered["audience"], "intermediaries");
}
