//! Batches of intermediaries: each line is answered once its application is durable.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, channel::Channel};
use hyper::StatusCode;
use serde_json::Value;
use sportello::{application, civic::FiscalCode, clock::Stopwatch};

use crate::harness::{Answer, Counter, MORNING, Visitor, entrusted, location, mandate};

/// A line of a batch: the application of the n-th made-up person.
fn line(n: u64) -> String {
    entrusted(n, &mandate(n))
}

async fn send(counter: &Counter, visitor: &Visitor<'_>, kind: &str, body: String) -> Answer {
    counter.send(visitor.batch(kind, Full::from(body))).await.unwrap()
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
        [(1, "malformed"), (3, "body-too-large"), (4, "no-mandate"), (5, "already-applied")]
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

/// A batch whose lines the test sends one at a time.
struct OpenBatch {
    rows: http_body_util::channel::Sender<Bytes>,
    answers: hyper::body::Incoming,
}

impl OpenBatch {
    /// Begins a batch and waits for the receipt of its first line, that of person 0.
    async fn begin(counter: &Counter, office: &Visitor<'_>) -> Self {
        let (mut rows, body) = Channel::<Bytes>::new(4);
        rows.send_data((line(0) + "\n").into()).await.unwrap();
        let request = office.batch("application/x-ndjson", body);
        let answers = counter.http2_client().request(request).await.unwrap().into_body();
        let mut batch = Self { rows, answers };
        let receipt = batch.next().await.expect("the first line is answered");
        assert_eq!(receipt["state"], "received", "{receipt}");
        batch
    }

    async fn send(&mut self, n: u64) {
        self.rows.send_data((line(n) + "\n").into()).await.unwrap();
    }

    /// The next answer; `None` at the end. HTTP/2 may end a body with an empty piece.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let piece = self.answers.frame().await?.unwrap().into_data().unwrap();
            if !piece.is_empty() {
                return Some(serde_json::from_slice(&piece).unwrap());
            }
        }
    }

    /// Sends a line that nobody may submit any more, and checks that the batch ends there.
    async fn ends_unauthenticated_at_line_2(mut self) {
        self.send(1).await;
        let refusal = self.next().await.expect("the second line is answered");
        assert_eq!(refusal["type"], "urn:sportello:problem:unauthenticated");
        assert_eq!(refusal["line"], 2);
        let rest = self.next().await;
        assert!(rest.is_none(), "nothing is read after the session: {rest:?}");
    }
}

#[tokio::test]
async fn a_batch_ends_with_its_session() {
    let counter = Counter::open_at(MORNING);
    let office = counter.intermediary(100).await;
    let batch = OpenBatch::begin(&counter, &office).await;
    assert_eq!(office.delete("").await.status, StatusCode::NO_CONTENT);
    batch.ends_unauthenticated_at_line_2().await;
    let accepted = counter.metric("sportello_applications_accepted_total", &["intermediary"]).await;
    assert_eq!(accepted, 1);
}

#[tokio::test]
async fn a_batch_ends_with_its_session_that_its_person_ends_from_another_one() {
    let counter = Counter::open_at(MORNING);
    let (office, other) = (counter.intermediary(100).await, counter.intermediary(100).await);
    let batch = OpenBatch::begin(&counter, &office).await;
    let own = other.get("/sessions").await.json();
    let handle = own["sessions"][0]["handle"].as_str().unwrap();
    let ended = other.delete(&format!("/sessions/{handle}")).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    batch.ends_unauthenticated_at_line_2().await;
}

#[tokio::test]
async fn a_batch_ends_with_its_time_slice_and_the_grace() {
    let end = "2024-09-17T15:59:57[Europe/Rome]";
    let counter = Counter::open_at_with(end, &[("SPORTELLO_SCHEDULE_GRACE_SECONDS", "1")]);
    let office = counter.intermediary(100).await;
    let batch = OpenBatch::begin(&counter, &office).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    batch.ends_unauthenticated_at_line_2().await;
}

#[tokio::test]
async fn a_person_has_one_batch_at_a_time_and_it_is_a_request_under_way_until_its_end() {
    // Reads are refused while one request is under way.
    let counter = Counter::open_at_with(MORNING, &[("SPORTELLO_GATE_REQUESTS_MAX", "2")]);
    let office = counter.intermediary(100).await;
    let mut batch = OpenBatch::begin(&counter, &office).await;
    let second = send(&counter, &office, "application/x-ndjson", line(1)).await;
    second.assert_problem(409, "batch-under-way");
    assert!(second.header("retry-after").parse::<u32>().unwrap() > 0);
    office.get("").await.assert_problem(503, "busy");

    batch.send(2).await;
    assert_eq!(batch.next().await.unwrap()["state"], "received");
    drop(batch.rows);
    assert!(batch.answers.frame().await.is_none_or(|frame| frame.unwrap().is_data()));
    let second = send(&counter, &office, "application/x-ndjson", line(1)).await;
    assert_eq!(lines(&second)[0]["state"], "received");
}

#[tokio::test]
async fn a_clerk_submits_up_to_the_quota_of_a_day_and_sends_again_what_was_accepted() {
    let quota = ("SPORTELLO_QUOTAS_CLERK_APPLICATIONS_PER_DAY_MAX", "2");
    let counter = Counter::open_at_with(MORNING, &[quota]);
    let office = counter.intermediary(100).await;
    for _ in 0..2 {
        let body = ["not json".to_owned(), line(1), line(2), line(3)].join("\n");
        let answers = lines(&send(&counter, &office, "application/x-ndjson", body).await);
        assert_eq!(answers[1]["state"], "received", "{}", answers[1]);
        assert_eq!(answers[2]["state"], "received", "what was accepted is not counted again");
        assert_eq!(answers[3]["type"], "urn:sportello:problem:daily-quota-used-up");
    }
    let refused = office.submit("k", &line(4)).await;
    refused.assert_problem(429, "daily-quota-used-up");
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!(wait > 14 * 3600, "until midnight, from 09:00: {wait}");
}

#[tokio::test]
async fn a_batch_is_read_no_faster_than_its_rate() {
    let rate = [
        ("SPORTELLO_LIMITS_LINE_BY_PERSON_PER_SECOND", "10"),
        ("SPORTELLO_LIMITS_LINE_BY_PERSON_BURST", "2"),
    ];
    let counter = Counter::open_at_with(MORNING, &rate);
    let office = counter.intermediary(100).await;
    let body: String = (0..12).map(|n| line(n) + "\n").collect();
    let began = Stopwatch::start();
    let answers = lines(&send(&counter, &office, "application/x-ndjson", body).await);
    assert!(answers.iter().all(|answer| answer["state"] == "received"), "slower, never refused");
    assert!(began.elapsed() >= Duration::from_millis(900), "two at once, then ten a second");
}
