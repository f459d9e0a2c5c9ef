//! HTTP/1.1 and HTTP/2: details that servers often get wrong.

use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::Counter;

#[tokio::test]
async fn an_application_takes_the_same_course_over_http_1_and_http_2() {
    let mut counter = Counter::open();
    for (n, http2) in [(1, false), (2, true)] {
        if http2 {
            counter.speak_http2();
        }
        let citizen = counter.citizen(n).await;
        let location = citizen.apply("key").await;
        assert_eq!(citizen.decided(&location).await["decision"]["outcome"], "granted");
        assert_eq!(citizen.submit("key", "{}").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn a_head_is_answered_like_its_get_without_the_content() {
    let mut counter = Counter::open();
    for http2 in [false, true] {
        if http2 {
            counter.speak_http2();
        }
        let citizen = counter.citizen(1).await;
        for path in ["/v1/status", "/openapi.json", citizen.session.as_str(), "/nowhere"] {
            let get = counter.ask("GET", path, &citizen.token, "").await;
            let head = counter.ask("HEAD", path, &citizen.token, "").await;
            assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"));
            assert_eq!(head.header("content-length"), get.body.len().to_string());
        }
    }
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_next_request() {
    let counter = Counter::open();
    for follows in ["GET /v1/status HT", "\u{1}\u{2} garbage \r\n\r\n"] {
        let mut stream = counter.raw().await;
        let request = format!("GET /v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n{follows}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let reading = tokio::time::timeout(Duration::from_secs(3), stream.read(&mut answer));
        let read = reading.await.expect("the answer comes at once").unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "), "{follows:?}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_or_ambiguous_is_refused_with_a_status() {
    let counter = Counter::open();
    let large = format!("GET /v1/status HTTP/1.1\r\nhost: l\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    let twice =
        "POST /nowhere HTTP/1.1\r\nhost: l\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab";
    for (request, status) in [(large.as_str(), "431"), (twice, "400")] {
        let mut stream = counter.raw().await;
        // The server may close before it has read the whole request.
        let _closed = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let reading = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer));
        let _closed = reading.await.expect("the server closes");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}
