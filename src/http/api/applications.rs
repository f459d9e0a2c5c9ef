//! `/v1/estimates` and `/v1/applications`: what would be decided, handing in, looking and withdrawing.

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use serde_json::json;

use super::super::{
    body::{Unread, read_json},
    guard::Reply,
    problem::{Kind, Problem},
    request::{Asked, Public, one},
};
use crate::{
    intake::SubmittedApplication,
    ledger::{ReceiptCode, State},
    session::scope::Scope,
};

/// Characters of an idempotency key.
const KEY_CHARACTERS_MAX: usize = 128;

pub(super) async fn estimate(
    public: &Public,
    scope: Scope<'_>,
    asked: &Asked<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let body = read_json(asked.headers, body, public.body).await?;
    let decision = public
        .desk
        .intake
        .estimate(scope, &body)
        .await
        .map_err(|fault| Problem::of_submission(fault, scope.subject()))?;
    Ok(Reply::personal(StatusCode::OK, scope.show(decision.map(|decision| decision.to_json()))))
}

pub(super) async fn submit(
    public: &Public,
    scope: Scope<'_>,
    asked: &Asked<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let key = idempotency_key(asked.headers)?;
    // Before the body is read: a refusal is cheap.
    public.desk.intake.admits()?;
    let body: Bytes = read_json(asked.headers, body, public.body).await?;
    let receipt = public
        .desk
        .submit(scope, key, &body)
        .await
        .map_err(|fault| Problem::of_submission(fault, scope.subject()))?;
    let mut location = String::new();
    let told = receipt.map(|receipt| {
        location = format!("/v1/applications/{}", receipt.receipt);
        serde_json::to_vec(&receipt).unwrap_or_default()
    });
    Ok(Reply::personal(StatusCode::CREATED, scope.show(told)).at(&location))
}

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    asked: &Asked<'_>,
) -> Result<Reply, Problem> {
    let standing = public.desk.intake.read(scope, code(asked)?).await?;
    Ok(Reply::personal(StatusCode::OK, scope.show(standing.map(|standing| told(&standing)))))
}

pub(super) async fn withdraw(
    public: &Public,
    scope: Scope<'_>,
    asked: &Asked<'_>,
) -> Result<Reply, Problem> {
    public.desk.intake.withdraw(scope, code(asked)?).await?;
    Ok(Reply::empty())
}

/// A code that cannot exist is not found, exactly like one that does not.
fn code(asked: &Asked<'_>) -> Result<ReceiptCode, Problem> {
    ReceiptCode::parse(asked.segment).ok_or_else(|| Kind::NotFound.into())
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, Kind> {
    let key = one(headers, "idempotency-key").unwrap_or_default();
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if key.trim().is_empty() || key.len() > KEY_CHARACTERS_MAX || !visible {
        return Err(Kind::KeyMissing);
    }
    Ok(key)
}

/// The application and the decision are JSON already, the former to the letter as it was sent.
fn told(standing: &SubmittedApplication) -> Vec<u8> {
    let state = match standing.state {
        State::Waiting | State::Drawn => "received",
        State::Decided(_) => "decided",
        State::Withdrawn(_) | State::Erased { .. } => "withdrawn",
    };
    let head = json!({
        "receipt": standing.receipt.to_string(),
        "state": state,
        "receivedOn": standing.received_on.to_string(),
    });
    let mut told = head.to_string().into_bytes();
    told.pop();
    told.extend_from_slice(b",\"application\":");
    told.extend_from_slice(&standing.contents.application);
    told.extend_from_slice(b",\"decision\":");
    told.extend_from_slice(standing.contents.decision.as_deref().unwrap_or(b"null"));
    told.push(b'}');
    told
}
