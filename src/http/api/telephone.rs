//! `/v1/sessions/{visit}/telephone-pin`: a citizen's telephone PIN; and `POST .../mandates`, with which a Contact Center
//! redeems one.

use hyper::StatusCode;
use serde_json::json;

use super::{
    super::{
        body::{Unread, read_json},
        guard::Reply,
        problem::Problem,
        request::{Head, Public},
    },
    mandates::to_json,
};
use crate::{civic::local_time::rfc3339, session::scope::Scope};

/// The only answer with the PIN.
pub(super) async fn make(public: &Public, scope: Scope<'_>) -> Result<Reply, Problem> {
    let made = public.counter.intake.make_pin(scope).await?;
    let json = made.map(|made| {
        let json = json!({ "pin": made.pin.digits(), "expiresAt": rfc3339(made.expires_at) });
        json.to_string().into_bytes()
    });
    Ok(Reply::personal(StatusCode::CREATED, scope.show(json)))
}

pub(super) async fn show(public: &Public, scope: Scope<'_>) -> Result<Reply, Problem> {
    let pin = public.counter.intake.pin(scope).await?;
    let json = pin.map(|pin| {
        let pin = pin.map(|pin| {
            json!({
                "expiresAt": rfc3339(pin.expires_at),
                "redeemed": pin.is_redeemed,
                "triesLeft": pin.tries_left,
            })
        });
        json!({ "telephonePin": pin }).to_string().into_bytes()
    });
    Ok(Reply::personal(StatusCode::OK, scope.show(json)))
}

pub(super) async fn revoke(public: &Public, scope: Scope<'_>) -> Result<Reply, Problem> {
    public.counter.intake.revoke_pin(scope).await?;
    Ok(Reply::empty())
}

pub(super) async fn redeem(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    public.counter.intake.may_redeem(scope)?;
    public.counter.intake.admits()?;
    let body = read_json(head.headers, body, public.body).await?;
    let given = public.counter.intake.redeem(scope, &body).await?;
    let mut location = String::new();
    let json = given.map(|given| {
        location = format!("/v1/sessions/{}/mandates/{}", head.visit(), given.mandate.reference);
        to_json(&given).to_string().into_bytes()
    });
    Ok(Reply::personal(StatusCode::CREATED, scope.show(json)).at(&location))
}
