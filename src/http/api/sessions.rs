//! `/v1/sessions/{visit}`: entering, waiting, reading and leaving a session.

use hyper::{StatusCode, header::AUTHORIZATION};
use serde_json::json;

use super::super::{
    guard::Reply,
    problem::{Kind, Problem},
    request::{Head, Public, bearer},
};
use crate::{
    civic::local_time,
    intake::{Asked, Entered, Place, Proof},
    session::{Session, scope::Scope},
};

pub(super) async fn enter(public: &Public, head: &Head<'_>) -> Result<Reply, Problem> {
    Ok(match public.counter.intake.enter(asked(head)?).await? {
        Entered::In(token, session) => entered(public, StatusCode::CREATED, token, &session),
        Entered::Again(token, session) => entered(public, StatusCode::OK, token, &session),
        Entered::Waiting(place) => wait(place),
    })
}

/// Another answer for a person who is inside.
pub(super) async fn renew(public: &Public, head: &Head<'_>) -> Result<Reply, Problem> {
    let renewed = public.counter.intake.renew(asked(head)?).await?;
    let (token, session) = renewed.ok_or(Kind::InsideOnly)?;
    Ok(entered(public, StatusCode::OK, token, &session))
}

/// The only answer with the session's token. The requester has just proved to be the session's person.
fn entered(public: &Public, status: StatusCode, token: String, session: &Session) -> Reply {
    let mut json = describe(public, session);
    json["token"] = token.into();
    Reply::entered(status, session, json.to_string())
}

/// The place of a person who has no session yet.
pub(super) fn show_waiting(public: &Public, head: &Head<'_>) -> Result<Reply, Problem> {
    let place = public.counter.intake.place(asked(head)?)?;
    Ok(wait(place.ok_or(Kind::Unauthenticated)?))
}

/// Gives up the place of a person who has no session yet.
pub(super) fn leave_waiting(public: &Public, head: &Head<'_>) -> Result<Reply, Problem> {
    let had_one = public.counter.intake.give_up(asked(head)?)?;
    if had_one { Ok(Reply::empty()) } else { Err(Kind::Unauthenticated.into()) }
}

fn asked<'r>(head: &Head<'r>) -> Result<Asked<'r>, Kind> {
    // Whoever sends a token means that. One that is no Bearer must not become a certificate, which is sent unasked.
    let proof = if head.headers.contains_key(AUTHORIZATION) {
        bearer(head.headers).map(Proof::Token)
    } else {
        head.certificate()
    };
    let proof = proof.ok_or(Kind::Unauthenticated)?;
    Ok(Asked { visit: head.visit(), proof, from: head.from })
}

/// The answer to a person who waits. It does not say who they are.
fn wait(Place { waiter, waiting, ticket }: Place) -> Reply {
    let mut draw = json!({ "round": waiting.round, "commitment": waiting.commitment.to_string() });
    if let Some(round) = waiting.beacon_round {
        draw["beaconRound"] = round.into();
    }
    if let Some((seed, number)) = waiting.drawn {
        draw["seed"] = seed.to_string().into();
        draw["number"] = number.to_string().into();
    }
    let json = json!({
        "state": "waiting",
        "ticket": ticket,
        "draw": draw,
        "pollAfterSeconds": waiting.poll_seconds,
        "estimate": waiting.estimate_seconds,
    });
    Reply::waiting(waiter, json.to_string(), waiting.poll_seconds)
}

pub(super) fn show(public: &Public, scope: Scope<'_>) -> Reply {
    let json = describe(public, scope.session()).to_string().into_bytes();
    let json = scope.personal(scope.subject(), json);
    Reply::personal(StatusCode::OK, scope.show(json))
}

pub(super) async fn leave(public: &Public, token: &str) -> Result<Reply, Problem> {
    public.counter.intake.leave(token).await?;
    Ok(Reply::empty())
}

fn describe(public: &Public, session: &Session) -> serde_json::Value {
    let mut json = json!({
        "subject": session.fiscal_code.masked().to_string(),
        "audience": session.audience.as_str(),
        "expiresAt": local_time::rfc3339(session.expires_at),
        "subjectTag": session.tag,
    });
    if let Some(inside) = &public.inside {
        json["inside"] = inside.as_str().into();
    }
    json
}
