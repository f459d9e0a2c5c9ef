//! `/v1/sessions` and `/v1/session`: entering, reading and leaving a session.

use hyper::StatusCode;
use serde_json::json;

use super::super::{
    guard::Reply,
    problem::{Kind, Problem},
    request::{Head, Public, bearer},
};
use crate::{
    civic::local_time,
    gate::waiting::Waiting,
    intake::Entered,
    session::{Session, scope::Scope},
};

pub(super) fn enter(public: &Public, head: &Head<'_>) -> Result<Reply, Problem> {
    let token = bearer(head.headers).ok_or(Kind::Unauthenticated)?;
    let (token, session) =
        match public.counter.intake.enter(token, head.from, public.delay.is_behind())? {
            Entered::In(token, session) => (token, session),
            Entered::Waiting(waiting) => return Ok(wait(&waiting)),
        };
    // The only answer with the session's token. The requester has just proved to be the session's person.
    let mut json = describe(&session);
    json["token"] = token.into();
    Ok(Reply::entered(&session, json.to_string()))
}

/// The answer to a person who waits. It does not say who they are.
fn wait(waiting: &Waiting) -> Reply {
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
        "draw": draw,
        "pollAfterSeconds": waiting.poll_seconds,
        "estimate": waiting.estimate_seconds,
    });
    Reply::waiting(json.to_string(), waiting.poll_seconds)
}

pub(super) fn show(scope: Scope<'_>) -> Reply {
    let json = scope.personal(scope.subject(), describe(scope.session()).to_string().into_bytes());
    Reply::personal(StatusCode::OK, scope.show(json))
}

pub(super) fn leave(public: &Public, token: &str) -> Reply {
    public.counter.intake.leave(token);
    Reply::empty()
}

fn describe(session: &Session) -> serde_json::Value {
    json!({
        "subject": session.fiscal_code.masked().to_string(),
        "audience": session.audience.as_str(),
        "expiresAt": local_time::rfc3339(session.expires_at),
        "subjectTag": session.tag,
    })
}
