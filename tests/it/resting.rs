//! Connections that rest between requests release their buffers, and no request is lost, answered twice or taken for
//! another.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, channel::Channel};
use hyper::StatusCode;
use serde_json::Value;
use sportello::civic::FiscalCode;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
    time::sleep,
};
use tokio_rustls::client::TlsStream;

use crate::harness::{Counter, MORNING, entrusted, mandate, new_session};

/// Idle time after which a connection rests at the earliest; at the latest after twice this time.
const REST: Duration = Duration::from_millis(60);
const REST_SETTING: [(&str, &str); 1] = [("SPORTELLO_HTTP_REST_MS", "60")];
/// Idle time after which a connection rests for certain.
const LONG: Duration = Duration::from_millis(200);
/// The rest of a refused request's body is read and discarded for this long, then the connection is closed.
const DISCARD_MAX: Duration = Duration::from_secs(2);

fn open() -> Counter {
    Counter::open_with(&REST_SETTING)
}

/// A connection that the test writes and reads itself.
struct Line(BufStream<TlsStream<TcpStream>>);

impl Line {
    async fn to(counter: &Counter) -> Self {
        Self(BufStream::new(counter.raw().await))
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The next line, without its end; `None` once the connection is closed.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let reading = tokio::time::timeout(Duration::from_secs(5), self.0.read_line(&mut line));
        let read = reading.await.expect("an answer, or a close").unwrap_or(0);
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Status and content of the next answer; `None` once the connection is closed.
    async fn answer(&mut self) -> Option<(u16, Vec<u8>)> {
        let status = self.line().await?.split(' ').nth(1)?.parse().unwrap();
        let mut length = 0;
        while let Some(field) = self.line().await.filter(|field| !field.is_empty()) {
            if let Some(value) = field.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        let mut content = vec![0; length];
        self.0.read_exact(&mut content).await.unwrap();
        Some((status, content))
    }
}

fn get(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: l\r\nauthorization: Bearer {token}\r\n\r\n")
}

#[tokio::test]
async fn a_request_in_pieces_is_answered_although_its_connection_rests_in_between() {
    let counter = open();
    let citizen = counter.citizen(1).await;
    let mut line = Line::to(&counter).await;
    let request = get(&citizen.session, &citizen.token);
    let masked = citizen.code.masked().to_string();
    for at in (0..=request.len()).step_by(7) {
        for pause in [REST / 4, LONG] {
            let (first, second) = request.split_at(at);
            line.send(first).await;
            sleep(pause).await;
            line.send(second).await;
            let (status, content) = line.answer().await.expect("it stays open");
            let session: Value = serde_json::from_slice(&content).unwrap();
            assert_eq!((status, session["subject"].as_str()), (200, Some(&*masked)), "{at}");
        }
    }
}

#[tokio::test]
async fn rests_do_not_extend_the_deadline_of_an_unfinished_head_or_a_silent_client() {
    let counter = Counter::open_with(&[REST_SETTING[0], ("SPORTELLO_HTTP_HEAD_MS_MAX", "500")]);
    for begun in ["GET /v1/status HT", ""] {
        let mut line = Line::to(&counter).await;
        line.send(&(get("/nowhere", "") + begun)).await;
        assert_eq!(line.answer().await.expect("open").0, 404);
        assert_eq!(line.answer().await, None, "{begun:?}");
    }
}

#[tokio::test]
async fn the_connection_of_a_person_who_waits_stays_open_until_they_were_asked_to_come_back() {
    let counter = Counter::open_with(&[
        REST_SETTING[0],
        ("SPORTELLO_HTTP_HEAD_MS_MAX", "500"),
        ("SPORTELLO_GATE_LEASES_MAX", "1"),
        ("SPORTELLO_WAITING_POLL_SECONDS_MIN", "3"),
    ]);
    let _inside = counter.citizen(1).await;
    let identity = counter.mint(&FiscalCode::made_up(2), &[]);
    let session = new_session();
    let ask = format!(
        "PUT {session} HTTP/1.1\r\nhost: l\r\nauthorization: Bearer {identity}\r\ncontent-length: 0\r\n\r\n"
    );
    let mut line = Line::to(&counter).await;
    line.send(&ask).await;
    let (status, content) = line.answer().await.expect("open");
    let place: Value = serde_json::from_slice(&content).unwrap();
    assert_eq!(status, 202, "{place}");
    let seconds = place["pollAfterSeconds"].as_u64().unwrap();
    sleep(Duration::from_secs(seconds)).await;
    line.send(&ask).await;
    assert_eq!(line.answer().await.expect("open: a poll needs no handshake").0, 202);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_across_rests() {
    let counter = open();
    let citizen = counter.citizen(1).await;
    let mut line = Line::to(&counter).await;
    let status = get("/v1/status", "");
    let (begun, end) = status.split_at(status.len() / 2);
    for _ in 0..5 {
        // The third begins with these two, and goes on when the connection rests.
        line.send(&(get(&citizen.session, &citizen.token) + &get("/nowhere", "") + begun)).await;
        assert_eq!(line.answer().await.expect("open").0, 200);
        assert_eq!(line.answer().await.expect("open").0, 404);
        sleep(LONG).await;
        line.send(end).await;
        let (code, content) = line.answer().await.expect("open");
        assert_eq!(code, 200);
        assert!(serde_json::from_slice::<Value>(&content).unwrap()["now"].is_string());
    }
}

#[tokio::test]
async fn the_rest_of_a_refused_body_is_never_taken_for_a_request() {
    let counter = open();
    let inner = get("/v1/status", "");
    let head = |length: usize| {
        format!(
            "POST {}/applications HTTP/1.1\r\nhost: l\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n",
            new_session()
        )
    };
    // A body that ends in time: the next request on the connection is answered.
    let mut whole = Line::to(&counter).await;
    whole.send(&head(inner.len() * 3)).await;
    assert_eq!(whole.answer().await.expect("open").0, 401);
    for _ in 0..3 {
        sleep(LONG).await;
        whole.send(&inner).await;
    }
    whole.send(&get("/nowhere", "")).await;
    assert_eq!(whole.answer().await.expect("open").0, 404);

    // A body that does not: the connection is closed.
    let mut broken = Line::to(&counter).await;
    broken.send(&head(inner.len() * 100)).await;
    assert_eq!(broken.answer().await.expect("open").0, 401);
    for _ in 0..8 {
        sleep(DISCARD_MAX / 6).await;
        if broken.0.write_all(inner.as_bytes()).await.is_err() || broken.0.flush().await.is_err() {
            break;
        }
    }
    assert_eq!(broken.answer().await, None);
}

/// The n-th person's application as a line of a batch.
fn row(n: u64) -> String {
    entrusted(n, &mandate(n)) + "\n"
}

#[tokio::test]
async fn a_batch_that_pauses_is_answered_to_its_end() {
    let counter = Counter::open_with(&REST_SETTING).reopen_with(MORNING, &REST_SETTING);
    let office = counter.intermediary(100).await;
    let mut line = Line::to(&counter).await;
    line.send(&format!(
        "POST {} HTTP/1.1\r\nhost: l\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\
         content-type: application/x-ndjson\r\n\r\n",
        office.path("/batches"),
        office.token
    ))
    .await;
    for n in 0..4 {
        let row = row(n);
        line.send(&format!("{:x}\r\n{row}\r\n", row.len())).await;
        sleep(LONG).await;
    }
    line.send("0\r\n\r\n").await;
    let mut receipts = 0;
    while let Some(row) = line.line().await.filter(|row| row != "0") {
        receipts += usize::from(row.contains("\"receipt\""));
    }
    assert_eq!(receipts, 4);
    assert_eq!(line.line().await.as_deref(), Some(""));
    line.send(&get("/nowhere", "")).await;
    assert_eq!(line.answer().await.expect("open").0, 404);
}

#[tokio::test]
async fn a_batch_over_http2_that_pauses_is_answered_to_its_end() {
    let settings = [("SPORTELLO_HTTP_HEAD_MS_MAX", "200")];
    let counter = Counter::open_at_with(MORNING, &settings);
    let office = counter.intermediary(100).await;
    let (mut rows, body) = Channel::<Bytes>::new(4);
    let request = office.batch("application/x-ndjson", body);
    let client = counter.http2_client();
    let sending = tokio::spawn(async move {
        for n in 0..3 {
            if rows.send_data(row(n).into()).await.is_err() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    });
    let answer = client.request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let told = answer.into_body().collect().await.expect("it is not cut").to_bytes();
    assert_eq!(String::from_utf8_lossy(&told).matches("\"receipt\"").count(), 3);
    sending.await.unwrap();
}
