//! The listener for people inside: who was let in and lost the connection does not queue with strangers, and a stranger
//! gets nothing there.

use std::time::Duration;

use http_body_util::Full;
use hyper::{Request, StatusCode};
use serde_json::Value;
use sportello::civic::FiscalCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::client::TlsStream;

use crate::harness::{Counter, PATIENCE, address_of, new_session, tcp_between, until};

const PERSON: &str = "127.0.0.9";
const STRANGER: &str = "127.0.0.8";
/// Connections that the public listener has room for.
const ROOM: u8 = 6;
/// Time to show a session.
const PROVE: Duration = Duration::from_secs(1);

/// One place inside, and little room at the public listener.
const SETTINGS: [(&str, &str); 5] = [
    ("SPORTELLO_SERVER_LISTEN_INSIDE", "127.0.0.1:0"),
    ("SPORTELLO_HTTP_INSIDE_PROVE_MS_MAX", "1000"),
    ("SPORTELLO_HTTP_CONNECTIONS_MAX", "6"),
    ("SPORTELLO_GATE_LEASES_MAX", "1"),
    ("SPORTELLO_LIMITS_ENTER_BY_PERSON_PER_SECOND", "100"),
];

/// A connection over which the test speaks HTTP/1.1 itself, so that it sees when it is closed.
struct Line(TlsStream<TcpStream>);

impl Line {
    /// `None` if it is closed instead.
    async fn open(counter: &Counter, from: &str, to: &str) -> Option<Self> {
        let opening = async { counter.tls_over(tcp_between(from, to).await).await };
        timeout(PATIENCE, opening).await.expect("open or closed in time").ok().map(Self)
    }

    /// Sends a request; returns its status and its body, and none if the connection is closed instead.
    async fn ask(&mut self, head: &str, token: &str, body: &str) -> Option<(u16, Value)> {
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: l\r\nauthorization: Bearer {token}\r\nidempotency-key: k\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        timeout(PATIENCE, async {
            self.0.write_all(request.as_bytes()).await.ok()?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(self.0.read_u8().await.ok()?);
            }
            let head = String::from_utf8(answer).unwrap().to_lowercase();
            let field = |name: &str| head.split(name).nth(1).and_then(|rest| rest.lines().next());
            let length = field("content-length: ").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.ok()?;
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            Some((status, serde_json::from_slice(&body).unwrap_or_default()))
        })
        .await
        .expect("an answer in time")
    }

    /// Whether the server closes it within the time for which a client is waited for.
    async fn is_closed(&mut self) -> bool {
        matches!(timeout(PROVE / 2, self.0.read_u8()).await, Ok(Err(_)))
    }
}

/// The address of the listener for people inside, as told at admission.
fn told(json: &Value) -> String {
    address_of(json["inside"].as_str().expect("told at admission")).to_owned()
}

fn kind(json: &Value) -> &str {
    json["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap()
}

#[tokio::test]
async fn who_was_let_in_finishes_there_while_strangers_fill_the_public_door() {
    let counter = Counter::open_with(&SETTINGS);
    let code = FiscalCode::made_up(0);
    let identity = counter.mint(&code, &[]);
    let (visit, mut line) = (new_session(), Line::open(&counter, PERSON, counter.address()).await);
    let line = line.as_mut().expect("there is room");
    let (status, json) = line.ask(&format!("PUT {visit}"), &identity, "").await.unwrap();
    assert_eq!(status, 201, "{json}");
    let (inside, token) = (told(&json), json["token"].as_str().unwrap().to_owned());
    let shown = line.ask(&format!("GET {visit}"), &token, "").await.unwrap();
    assert_eq!((shown.0, told(&shown.1)), (200, inside.clone()));
    line.0.shutdown().await.unwrap();
    until("the connection is gone", async || {
        (counter.metric("sportello_connections", &[]).await == 0).then_some(())
    })
    .await;

    // Strangers who wait hold all the room there is.
    let mut waiting = Vec::new();
    for n in 0..ROOM {
        let identity = counter.mint(&FiscalCode::made_up(u64::from(n) + 1), &[]);
        let from = format!("127.0.0.{}", 20 + n);
        let mut line = Line::open(&counter, &from, counter.address()).await.expect("room");
        let (status, json) =
            line.ask(&format!("PUT {}", new_session()), &identity, "").await.unwrap();
        assert_eq!((status, &json["state"]), (202, &Value::from("waiting")));
        waiting.push(line);
    }
    assert!(Line::open(&counter, PERSON, counter.address()).await.is_none(), "no room for anybody");

    let mut line = Line::open(&counter, PERSON, &inside).await.expect("the other door is open");
    let application = sportello::application::example(&code, 2024);
    let submitting = format!("POST {visit}/applications");
    let (status, receipt) = line.ask(&submitting, &token, &application).await.unwrap();
    assert_eq!(status, 201, "{receipt}");
    let code = receipt["receipt"].as_str().unwrap();
    let read = line.ask(&format!("GET {visit}/applications/{code}"), &token, "").await.unwrap();
    assert_eq!((read.0, &read.1["receipt"]), (200, &receipt["receipt"]));
    let left = line.ask(&format!("DELETE {visit}"), &token, "").await.unwrap();
    assert_eq!(left.0, 204);
    let after = line.ask(&format!("GET {visit}"), &token, "").await.unwrap();
    assert_eq!((after.0, kind(&after.1)), (401, "unauthenticated"));
    assert!(line.is_closed().await, "who has left is a stranger");
    for mut line in waiting {
        let status = line.ask("GET /v1/status", "", "").await.unwrap().0;
        assert_eq!(status, 200, "those who wait have kept their connections");
    }
}

#[tokio::test]
async fn a_stranger_gets_nothing_there_and_the_connection_is_closed() {
    let counter = Counter::open_with(&SETTINGS);
    let person = counter.citizen(0).await;
    let inside = told(&person.get("").await.json());
    let identity = counter.mint(&FiscalCode::made_up(1), &[]);
    let visit = new_session();
    let waits = counter.ask("PUT", &visit, &identity, "").await.json();
    let ticket = waits["ticket"].as_str().unwrap();
    // A place is free now, but nobody enters here.
    person.apply("k").await;

    let session = &person.session;
    for (head, token, expected) in [
        ("GET /v1/status".to_owned(), "", (403, "inside-only")),
        ("GET /v1/draws".to_owned(), "", (403, "inside-only")),
        ("GET /".to_owned(), "", (403, "")),
        ("GET /nowhere".to_owned(), "", (404, "not-found")),
        ("GET /visit/v/".to_owned(), "", (404, "")),
        (format!("PUT {visit}"), &*identity, (403, "inside-only")),
        (format!("PUT {visit}"), ticket, (403, "inside-only")),
        (format!("GET {visit}"), ticket, (401, "unauthenticated")),
        (format!("DELETE {visit}"), ticket, (401, "unauthenticated")),
        (format!("PUT {session}"), &*identity, (409, "visit-taken")),
        (format!("PUT {session}"), "a.b.c", (401, "unauthenticated")),
        (format!("POST {session}/applications"), &*identity, (401, "unauthenticated")),
    ] {
        let mut line = Line::open(&counter, STRANGER, &inside).await.expect("accepted");
        let (status, json) = line.ask(&head, token, "").await.expect("an answer");
        assert_eq!((status, kind(&json)), expected, "{head}");
        assert!(line.is_closed().await, "{head}");
    }
    assert_eq!(counter.metric("sportello_sessions", &["citizens"]).await, 1);
    let closed = async |session: &str| {
        counter.metric("sportello_inside_connections_total", &[session]).await
    };
    assert_eq!((closed("none").await, closed("shown").await), (12, 0));
}

#[tokio::test]
async fn over_http2_a_strangers_connection_is_closed_after_its_answer_too() {
    let patient =
        [("SPORTELLO_HTTP_INSIDE_PROVE_MS_MAX", "90000"), ("SPORTELLO_HTTP_HEAD_MS_MAX", "90000")];
    let counter = Counter::open_with(&[&SETTINGS[..], &patient].concat());
    let inside = told(&counter.citizen(0).await.get("").await.json());
    let client = counter.http2_client::<Full<bytes::Bytes>>();
    let asked = Request::get(format!("https://{inside}/v1/status")).body(Full::default());
    let answer = client.request(asked.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    drop(answer);
    until("the connection is closed", async || {
        let none = counter.metric("sportello_inside_connections_total", &["none"]).await;
        (none == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_lost_the_answer_with_their_token_gets_another_one_there() {
    let counter = Counter::open_with(&SETTINGS);
    let person = counter.citizen(0).await;
    let inside = told(&person.get("").await.json());
    let identity = counter.mint(&person.code, &[]);
    let mut line = Line::open(&counter, PERSON, &inside).await.unwrap();
    let (status, json) = line.ask(&format!("PUT {}", person.session), &identity, "").await.unwrap();
    assert_eq!((status, told(&json)), (200, inside.clone()));
    let fresh = json["token"].as_str().unwrap();
    assert_eq!(person.get("").await.status, StatusCode::UNAUTHORIZED, "the old token has ended");
    let left = line.ask(&format!("DELETE {}", person.session), fresh, "").await.unwrap();
    assert_eq!(left.0, 204);
    drop(line);
    let mut line = Line::open(&counter, PERSON, &inside).await.unwrap();
    let (status, json) = line.ask(&format!("PUT {}", person.session), &identity, "").await.unwrap();
    assert_eq!((status, kind(&json)), (403, "inside-only"), "the visit is over");
}

#[tokio::test]
async fn a_connection_that_shows_no_session_in_time_is_closed_and_one_that_did_stays() {
    let counter = Counter::open_with(&SETTINGS);
    let person = counter.citizen(0).await;
    let inside = told(&person.get("").await.json());
    let mut proved = Line::open(&counter, PERSON, &inside).await.unwrap();
    let shows = format!("GET {}", person.session);
    assert_eq!(proved.ask(&shows, &person.token, "").await.unwrap().0, 200);
    let mut silent = Line::open(&counter, STRANGER, &inside).await.unwrap();
    let begun = Instant::now();
    let closed = timeout(PATIENCE, silent.0.read_u8()).await;
    assert!(matches!(closed, Ok(Err(_))) && begun.elapsed() >= PROVE / 2);
    sleep(PROVE).await;
    assert_eq!(proved.ask(&shows, &person.token, "").await.unwrap().0, 200);
}

#[tokio::test]
async fn without_that_listener_nobody_is_told_of_one() {
    let counter = Counter::open();
    let json = counter.citizen(0).await.get("").await.json();
    assert!(json.get("inside").is_none(), "{json}");
}

#[tokio::test]
async fn a_proxy_that_many_people_share_keeps_its_connection_after_a_refusal() {
    let settings = [("SPORTELLO_HTTP_POOLING_PROXIES", PERSON)];
    let counter = Counter::open_with(&[&SETTINGS[..], &settings].concat());
    let person = counter.citizen(0).await;
    let inside = told(&person.get("").await.json());
    let mut line = Line::open(&counter, PERSON, &inside).await.unwrap();
    let shows = format!("GET {}", person.session);
    for _ in 0..3 {
        assert_eq!(line.ask(&shows, "of-nobody", "").await.unwrap().0, 401);
        assert_eq!(line.ask(&shows, &person.token, "").await.unwrap().0, 200);
    }
}
