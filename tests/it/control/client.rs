//! An operator who uses control over HTTP.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

use crate::harness::{Answer, Counter, finished, program};

/// A header field.
pub(super) type Field<'a> = (&'a str, &'a str);

/// The token of a counter.
pub(super) fn token(counter: &Counter) -> String {
    std::fs::read_to_string(counter.data().join("control.token")).unwrap().trim().to_owned()
}

/// Sends a request to the operator listener, with these header fields alone.
pub(super) async fn raw(
    counter: &Counter,
    (method, path): (&str, &str),
    fields: &[Field<'_>],
    body: &str,
) -> Answer {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder().method(method).uri(format!("{}{path}", counter.operator));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(body.to_owned())).unwrap();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: head.status, headers: head.headers, body }
}

/// The same as the operator `m.rossi`, with the token.
pub(super) async fn call_with(
    counter: &Counter,
    (method, path): (&str, &str),
    fields: &[Field<'_>],
    body: &str,
) -> Answer {
    let bearer = format!("Bearer {}", token(counter));
    let own = [("authorization", &*bearer), ("sportello-operator", "m.rossi")];
    let fields: Vec<_> = own.into_iter().chain(fields.iter().copied()).collect();
    raw(counter, (method, path), &fields, body).await
}

/// The same without further fields or a body.
pub(super) async fn call(counter: &Counter, method: &str, path: &str) -> Answer {
    call_with(counter, (method, path), &[], "").await
}

/// The state.
pub(super) async fn state(counter: &Counter) -> Value {
    let answer = call(counter, "GET", "/control").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

/// Sets a part, with the tag that it has now.
pub(super) async fn put(counter: &Counter, part: &str, body: &str) -> Answer {
    let tag = state(counter).await[part]["etag"].as_str().unwrap().to_owned();
    call_with(counter, ("PUT", &format!("/control/{part}")), &[("if-match", &tag)], body).await
}

/// What was done; it must have been.
pub(super) fn done(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

/// The lines of the audit trail about what operators did.
pub(super) fn controls(counter: &Counter) -> String {
    finished(program().args(["audit", "--controls", "--data"]).arg(counter.data())).1
}
