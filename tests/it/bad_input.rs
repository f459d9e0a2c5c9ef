//! Bad input is answered with the right problem and logged without personal data, and the server works on.

use std::time::Duration;

use http_body_util::Full;
use hyper::{Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Answer, Counter, Visitor};

/// Submits a body with these headers besides the session token.
async fn send(
    counter: &Counter,
    citizen: &Visitor<'_>,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut request = Request::post(format!("{}{}", counter.public, citizen.path("/applications")))
        .header("authorization", format!("Bearer {}", citizen.token));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    counter.send(request.body(Full::from(body.to_vec())).unwrap()).await.unwrap()
}

const JSON: (&str, &str) = ("content-type", "application/json");
const KEY: (&str, &str) = ("idempotency-key", "key");

async fn still_serves(citizen: &Visitor<'_>) {
    let location = citizen.apply("valid").await;
    assert_eq!(citizen.decided(&location).await["decision"]["outcome"], "granted");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_with_line_and_column() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let good = citizen.application();
    for body in [
        b"{".as_slice(),
        b"",
        b"not json",
        b"{\"scheme\": \"iscro\xff\"}",
        b"{\"scheme\": \"is\0cro\"}",
        b"\0",
        &[good.as_bytes(), b"{}"].concat(),
        "[".repeat(10_000).as_bytes(),
    ] {
        let answer = send(&counter, &citizen, &[JSON, KEY], body).await;
        answer.assert_problem(400, "malformed");
        assert!(answer.json()["line"].is_u64() && answer.json()["column"].is_u64());
    }
    still_serves(&citizen).await;
}

#[tokio::test]
async fn every_fault_of_an_application_is_named_at_once() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let body = citizen
        .application()
        .replace("\"RE\"", "\"XX\"")
        .replace("\"year\": 2024", "\"year\": \"2024\"")
        .replace("IT60X0542811101000000123456", "IT60X0542811101000000123457")
        .replace("\"00743110157\"", "743110157")
        .replacen('{', "{\"surprise\": 1, \"payment/x\": \"\\u0000\",", 1);
    let answer = citizen.submit("key", &body).await;
    answer.assert_problem(422, "invalid-application");
    let problem = answer.json();
    let pointers: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    for wanted in [
        "/surprise",
        "/payment~1x",
        "/year",
        "/activity/vatNumber",
        "/payment/iban",
        "/incomes/1/line",
        "/incomes/2/line",
    ] {
        assert!(pointers.contains(&wanted), "{wanted} is missing in {pointers:?}");
    }
    for error in problem["errors"].as_array().unwrap() {
        assert!(
            !error["code"].as_str().unwrap().is_empty()
                && !error["detail"].as_str().unwrap().is_empty()
        );
    }
    // The refused submission did not use up its key.
    still_serves(&citizen).await;
    assert_eq!(citizen.submit("key", &citizen.application()).await.problem(), "already-applied");
}

#[tokio::test]
async fn problems_are_in_the_language_that_the_client_prefers() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let mut titles = Vec::new();
    for language in ["it", "en-GB, it;q=0.5", "de"] {
        let answer =
            send(&counter, &citizen, &[JSON, KEY, ("accept-language", language)], b"{}").await;
        answer.assert_problem(422, "invalid-application");
        titles.push(answer.json()["title"].as_str().unwrap().to_owned());
    }
    assert_eq!(titles, ["Domanda non valida", "Application not valid", "Domanda non valida"]);
}

#[tokio::test]
async fn a_request_of_the_wrong_form_is_refused_before_it_is_parsed() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let good = citizen.application();
    let good = good.as_bytes();
    send(&counter, &citizen, &[JSON], good).await.assert_problem(400, "idempotency-key-missing");
    let long = "k".repeat(129);
    for key in ["", " ", &long, "tab\tkey"] {
        send(&counter, &citizen, &[JSON, ("idempotency-key", key)], good)
            .await
            .assert_problem(400, "idempotency-key-missing");
    }
    send(&counter, &citizen, &[KEY], good).await.assert_problem(415, "unsupported-media-type");
    send(&counter, &citizen, &[KEY, ("content-type", "text/plain")], good)
        .await
        .assert_problem(415, "unsupported-media-type");
    let large = [good, " ".repeat(64 * 1024).as_bytes()].concat();
    send(&counter, &citizen, &[JSON, KEY], &large).await.assert_problem(413, "body-too-large");
    let submitting = citizen.path("/applications");
    let stranger = counter.ask("POST", &submitting, "no-session", &citizen.application()).await;
    stranger.assert_problem(401, "unauthenticated");
    counter.ask("GET", "/nowhere", "", "").await.assert_problem(404, "not-found");
    let wrong = citizen.put("/applications", "{}").await;
    wrong.assert_problem(405, "method-not-allowed");
    assert_eq!(wrong.header("allow"), "POST, GET, HEAD");
    still_serves(&citizen).await;
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_or_breaks_off_returns_what_it_held() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_HTTP_BODY_MS_MAX", "300"),
        ("SPORTELLO_HTTP_HEAD_MS_MAX", "500"),
        ("SPORTELLO_HTTP_HANDSHAKE_MS_MAX", "500"),
    ]);
    let citizen = counter.citizen(1).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nidempotency-key: k\r\n\
         content-type: application/json\r\ncontent-length: 500\r\n\r\n{{",
        citizen.path("/applications"),
        citizen.token
    );
    let mut slow = counter.raw().await;
    slow.write_all(head.as_bytes()).await.unwrap();
    let answer = read_all(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("urn:sportello:problem:request-timeout"), "{answer}");

    let mut broken = counter.raw().await;
    broken.write_all(head.as_bytes()).await.unwrap();
    drop(broken);

    // A request head that never ends, and a TLS handshake that never begins.
    let mut endless = counter.raw().await;
    endless.write_all(b"GET /v1/status HTTP/1.1\r\nhost: ").await.unwrap();
    read_all(&mut endless).await;
    // A client that sends nothing after the handshake.
    assert_eq!(read_all(&mut counter.raw().await).await, "");
    let mut silent = tokio::net::TcpStream::connect(counter.address()).await.unwrap();
    let mut nothing = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), silent.read_to_end(&mut nothing))
        .await
        .unwrap()
        .unwrap();

    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 1);
    still_serves(&citizen).await;
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 0);
}

#[tokio::test]
async fn a_body_without_a_content_length_is_bounded_too() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let mut stream = counter.raw().await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nidempotency-key: k\r\n\
         connection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        citizen.path("/applications"),
        citizen.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    for _ in 0..17 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    still_serves(&citizen).await;
}

#[tokio::test]
async fn refused_input_is_logged_without_its_content() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let body = citizen.application().replace("\"iscro\"", "\"unheard-of\"");
    citizen.submit("secret-key", &body).await.assert_problem(422, "invalid-application");
    citizen.apply("key").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let log = counter.log();
    assert!(log.contains("input refused") && log.contains("invalid-application"), "{log}");
    let metrics = counter.metrics().await;
    for personal in [
        citizen.code.as_str(),
        "mario@example.it",
        "IT60X",
        "3000.00",
        "unheard-of",
        "secret-key",
        &citizen.token,
        &citizen.session,
    ] {
        assert!(!log.contains(personal), "{personal} in the log");
        assert!(!metrics.contains(personal), "{personal} in the metrics");
    }
}

#[tokio::test]
async fn raw_noise_does_not_disturb_the_server() {
    let counter = Counter::open();
    for noise in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        b"\x16\x03\x01\xff\xff",
        &[0; 4096],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = tokio::net::TcpStream::connect(counter.address()).await.unwrap();
        // The server may close at any byte.
        let _closed = stream.write_all(noise).await;
        drop(stream);
        let mut inside = counter.raw().await;
        let _closed = inside.write_all(noise).await;
    }
    still_serves(&counter.citizen(1).await).await;
    assert_eq!(counter.ask("GET", "/v1/status", "", "").await.status, StatusCode::OK);
}

async fn read_all(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // A close without TLS's close_notify is accepted.
    let _closed =
        tokio::time::timeout(Duration::from_secs(5), reading).await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}
