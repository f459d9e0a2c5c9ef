//! `/v1/sessions/{visit}/estimates` and `.../applications`: estimating, submitting, reading and withdrawing an application.

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use serde_json::json;

use super::super::{
    body::{Unread, read_json},
    guard::Reply,
    problem::{Kind, Problem},
    request::{Head, Public, one},
    segment::receipt,
};
use crate::{intake::SubmittedApplication, ledger::ReceiptCode, session::scope::Scope};

/// Longest idempotency key, characters.
const KEY_CHARACTERS_MAX: usize = 128;

pub(super) async fn estimate(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let body = read_json(head.headers, body, public.body).await?;
    let decision = public
        .counter
        .intake
        .estimate(scope, &body)
        .await
        .map_err(|fault| Problem::of_submission(fault, scope.subject()))?;
    Ok(Reply::personal(StatusCode::OK, scope.show(decision.map(|decision| decision.to_json()))))
}

pub(super) async fn submit(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let key = idempotency_key(head.headers)?;
    // Before the body is read, so that a refusal is cheap.
    public.counter.admits_submission(scope)?;
    let body: Bytes = read_json(head.headers, body, public.body).await?;
    let receipt = public
        .counter
        .submit(scope, key, &body)
        .await
        .map_err(|fault| Problem::of_submission(fault, scope.subject()))?;
    let mut location = String::new();
    let json = receipt.map(|receipt| {
        location = format!("/v1/sessions/{}/applications/{}", head.visit(), receipt.receipt);
        serde_json::to_vec(&receipt).unwrap_or_default()
    });
    Ok(Reply::personal(StatusCode::CREATED, scope.show(json)).at(&location))
}

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let submitted = public.counter.intake.read(scope, code(head)?).await?;
    let json = submitted.map(|submitted| to_json(&submitted));
    Ok(Reply::personal(StatusCode::OK, scope.show(json)))
}

pub(super) async fn withdraw(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    public.counter.intake.withdraw(scope, code(head)?).await?;
    Ok(Reply::empty())
}

fn code(head: &Head<'_>) -> Result<ReceiptCode, Kind> {
    receipt(head)?.ok_or(Kind::NotFound)
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, Kind> {
    let key = one(headers, "idempotency-key").unwrap_or_default();
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if key.trim().is_empty() || key.len() > KEY_CHARACTERS_MAX || !visible {
        return Err(Kind::KeyMissing);
    }
    Ok(key)
}

/// Application and decision are inserted as the bytes that were stored: the application exactly as it was sent.
fn to_json(submitted: &SubmittedApplication) -> Vec<u8> {
    let head = json!({
        "receipt": submitted.receipt.to_string(),
        "state": submitted.state.as_str(),
        "receivedOn": submitted.received_on.to_string(),
    });
    let mut json = head.to_string().into_bytes();
    json.pop();
    json.extend_from_slice(b",\"application\":");
    json.extend_from_slice(&submitted.contents.application);
    json.extend_from_slice(b",\"decision\":");
    json.extend_from_slice(submitted.contents.decision.as_deref().unwrap_or(b"null"));
    json.push(b'}');
    json
}
