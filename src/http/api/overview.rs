//! `GET /v1/sessions/{visit}/applications` and `.../disclosures`: what a citizen sees of everything in their name, and the
//! list of an office.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::super::{
    guard::Reply,
    problem::Problem,
    request::{Head, Public},
    segment::{number, receipt},
};
use crate::{
    civic::local_time,
    identity::Office,
    intake::{By, Disclosure, ListedApplication, PAGE_APPLICATIONS_MAX},
    ledger::State,
    session::scope::Scope,
};

pub(super) async fn applications(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let after = receipt(head)?;
    let listed = public.counter.intake.applications(scope, after, PAGE_APPLICATIONS_MAX).await?;
    let json = listed.map(|listed| {
        let applications: Vec<_> = listed.applications.iter().map(application).collect();
        let next = listed.next.map(|next| next.to_string());
        json!({ "applications": applications, "next": next }).to_string().into_bytes()
    });
    Ok(Reply::personal(StatusCode::OK, scope.show(json)))
}

fn application(listed: &ListedApplication) -> Value {
    let outcome = match listed.state {
        State::Decided(outcome) | State::Withdrawn(Some(outcome)) => Some(outcome.as_str()),
        _ => None,
    };
    json!({
        "receipt": listed.receipt.to_string(),
        "state": listed.state.as_str(),
        "outcome": outcome,
        "receivedOn": listed.received_on.to_string(),
        "channel": listed.channel.as_str(),
        "office": listed.office.as_ref().map(Office::as_str),
    })
}

pub(super) async fn disclosures(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let after = number(head)?.unwrap_or_default();
    let shown = public.counter.intake.disclosures(scope, after).await?;
    let json = shown.map(|shown| {
        let disclosures: Vec<_> = shown.disclosures.iter().map(disclosure).collect();
        json!({ "disclosures": disclosures, "next": shown.next }).to_string().into_bytes()
    });
    Ok(Reply::personal(StatusCode::OK, scope.show(json)))
}

fn disclosure(disclosure: &Disclosure) -> Value {
    let by = match disclosure.by {
        By::Themselves => "yourself",
        By::Office => "office",
        By::ContactCenter => "contact-center",
        By::Institute => "institute",
    };
    json!({
        "at": local_time::rfc3339(disclosure.at),
        "what": disclosure.what,
        "receipt": disclosure.receipt,
        "by": by,
        "office": disclosure.office.as_ref().map(Office::as_str),
    })
}
