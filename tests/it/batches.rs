//! Batches of intermediaries: each line is answered once its application is durable.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, channel::Channel};
use hyper::{Request, StatusCode};
use serde_json::Value;
use sportello::{application, civic::FiscalCode};

use crate::harness::{Answer, Counter, MORNING, Visitor, location};

/// A line of a batch: the application of the n-th made-up person.
fn line(n: u64) -> String {
    application::example(&FiscalCode::made_up(n), 2024).replace('\n', " ").trim().replacen(
        '{',
        "{\"mandate\":\"M-1\",",
        1,
    )
}

async fn send(counter: &Counter, visitor: &Visitor<'_>, kind: &str, body: String) -> Answer {
    let request = Request::post(format!("{}{}", counter.public, visitor.path("/batches")))
        .header("authorization", format!("Bearer {}", visitor.token))
        .header("content-type", kind)
        .body(Full::from(body))
        .unwrap();
    counter.send(request).await.unwrap()
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_batch_is_answered_line_by_line_and_sending_it_again_changes_nothing() {
    let counter = Counter::open_at(MORNING);
    let office = counter.intermediary(100).await;
    let body: String = (0..150).map(|n| line(n) + "\n").collect();
    let first = send(&counter, &office, "application/x-ndjson", body.clone()).await;
    assert_eq!(
        (first.status, first.header("content-type").as_str()),
        (StatusCode::OK, "application/x-ndjson")
    );
    assert_eq!(first.header("subject-tag"), office.tag);
    assert_eq!(first.header("cache-control"), "no-store");
    let receipts = lines(&first);
    assert_eq!(receipts.len(), 150);
    let again = send(&counter, &office, "application/x-ndjson", body).await;
    assert_eq!(again.body, first.body);
    assert_eq!(
        counter.metric("sportello_applications_accepted_total", &["intermediary"]).await,
        150
    );
    // Answers are in the order of the input: the last line is the last person's.
    let json = office.decided(&location(&receipts[149])).await;
    assert_eq!(json["application"]["applicant"]["fiscalCode"], FiscalCode::made_up(149).as_str());
    counter.all_decided().await;
    assert_eq!(counter.balance().await, (150, 150));
}

#[tokio::test]
async fn a_bad_line_is_reported_by_its_number_and_the_others_are_accepted() {
    let counter = Counter::open_at(MORNING);
    let office = counter.intermediary(100).await;
    let long = format!("{{\"scheme\": \"{}\"}}", "x".repeat(70_000));
    let plain = application::example(&FiscalCode::made_up(4), 2024).replace('\n', " ");
    let body = [
        line(1),
        "not json".to_owned(),
        line(2),
        long,
        plain,
        line(1).replace("mario", "other"),
        line(3),
    ];
    let answer = send(&counter, &office, "application/x-ndjson", body.join("\n")).await;
    let answers = lines(&answer);
    assert_eq!(answers.len(), body.len());
    for good in [0, 2, 6] {
        assert_eq!(answers[good]["state"], "received", "{}", answers[good]);
    }
    for (index, slug) in
        [(1, "malformed"), (3, "body-too-large"), (4, "not-yours"), (5, "already-applied")]
    {
        assert_eq!(answers[index]["type"], format!("urn:sportello:problem:{slug}"));
        assert_eq!(answers[index]["line"], index as u64 + 1);
    }
    assert_eq!(
        answers[5]["receipt"], answers[0],
        "the receipt of the office's own earlier application"
    );
}

#[tokio::test]
async fn batches_are_for_intermediaries_and_for_lines_of_json() {
    let evening = Counter::open();
    let citizen = evening.citizen(1).await;
    let refused = send(&evening, &citizen, "application/x-ndjson", line(1)).await;
    refused.assert_problem(403, "intermediaries-only");
    let morning = Counter::open_at(MORNING);
    let office = morning.intermediary(100).await;
    let refused = send(&morning, &office, "application/json", line(1)).await;
    refused.assert_problem(415, "unsupported-media-type");
    let empty = send(&morning, &office, "application/x-ndjson", String::new()).await;
    assert_eq!((empty.status, empty.body.len()), (StatusCode::OK, 0));
    assert_eq!(morning.metric("sportello_leases", &["held"]).await, 1);
}

#[tokio::test]
async fn a_batch_ends_with_its_session() {
    let counter = Counter::open_at(MORNING);
    let office = counter.intermediary(100).await;
    let (mut rows, body) = Channel::<Bytes>::new(4);
    let request = Request::post(format!("{}{}", counter.public, office.path("/batches")))
        .header("authorization", format!("Bearer {}", office.token))
        .header("content-type", "application/x-ndjson")
        .body(body)
        .unwrap();
    let send = async |rows: &mut http_body_util::channel::Sender<Bytes>, n| {
        rows.send_data((line(n) + "\n").into()).await.unwrap();
    };
    send(&mut rows, 0).await;
    let mut answers = counter.http2_client().request(request).await.unwrap().into_body();
    // HTTP/2 may end a body with an empty piece.
    let mut next = async || loop {
        let piece = answers.frame().await?.unwrap().into_data().unwrap();
        if !piece.is_empty() {
            return Some(piece);
        }
    };
    let receipt = next().await.expect("the first line is accepted");
    assert!(receipt.starts_with(b"{\"receipt\""), "{receipt:?}");

    assert_eq!(office.delete("").await.status, StatusCode::NO_CONTENT);
    send(&mut rows, 1).await;
    let refusal = next().await.expect("the second line is answered");
    let refusal: Value = serde_json::from_slice(&refusal).unwrap();
    assert_eq!(refusal["type"], "urn:sportello:problem:unauthenticated");
    assert_eq!(refusal["line"], 2);
    let rest = next().await;
    assert!(rest.is_none(), "nothing is read after the session: {rest:?}");
    let accepted = counter.metric("sportello_applications_accepted_total", &["intermediary"]).await;
    assert_eq!(accepted, 1);
}
