//! `/v1/sessions/{visit}/mandates`: the mandates in a citizen's name, which they can revoke, and those of an office.

use std::borrow::Cow;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::super::{
    guard::Reply,
    problem::{Kind, Problem},
    request::{Head, Public},
    segment::mandate,
};
use crate::{
    intake::{PAGE_MANDATES_MAX, ShownMandate},
    session::scope::Scope,
};

pub(super) async fn list(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let after = mandate(head)?;
    let listed = public.counter.intake.mandates(scope, after.as_deref(), PAGE_MANDATES_MAX);
    let shown = listed.await?;
    let json = shown.map(|shown| {
        let last = shown.mandates.last().filter(|_| shown.has_more);
        let next = last.map(|last| last.mandate.reference.clone());
        let mandates: Vec<_> = shown.mandates.iter().map(to_json).collect();
        json!({ "mandates": mandates, "next": next }).to_string().into_bytes()
    });
    Ok(Reply::personal(StatusCode::OK, scope.show(json)))
}

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let shown = public.counter.intake.mandate(scope, &named(head)?).await?;
    let json = shown.map(|shown| to_json(&shown).to_string().into_bytes());
    Ok(Reply::personal(StatusCode::OK, scope.show(json)))
}

pub(super) async fn revoke(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    public.counter.intake.revoke(scope, &named(head)?).await?;
    Ok(Reply::empty())
}

fn named<'r>(head: &Head<'r>) -> Result<Cow<'r, str>, Kind> {
    mandate(head)?.ok_or(Kind::NotFound)
}

/// It names the office and no clerk, and for whom it is only by its reference, which the office knows.
pub(super) fn to_json(shown: &ShownMandate) -> Value {
    let mandate = &shown.mandate;
    json!({
        "reference": mandate.reference,
        "office": mandate.office.as_str(),
        "scheme": mandate.campaign.scheme,
        "year": mandate.campaign.year,
        "signedOn": mandate.signed_on.to_string(),
        "expiresOn": mandate.expires_on.to_string(),
        "revokedOn": mandate.revoked_on.map(|day| day.to_string()),
        "byTelephone": mandate.is_by_telephone,
        "holds": shown.holds,
    })
}
