//! `/v1/sessions` and `/v1/session`: in, look, and out.

use hyper::StatusCode;
use serde_json::json;

use super::super::{
    guard::Reply,
    problem::{Kind, Problem},
    request::{Asked, Public, bearer},
};
use crate::{
    civic::local_time,
    gate::waiting::Waiting,
    intake::Entered,
    session::{Session, scope::Scope},
};

pub(super) fn enter(public: &Public, asked: &Asked<'_>) -> Result<Reply, Problem> {
    let token = bearer(asked.headers).ok_or(Kind::Unauthenticated)?;
    let (token, session) =
        match public.desk.intake.enter(token, asked.from, public.pulse.is_behind())? {
            Entered::In(token, session) => (token, session),
            Entered::Waiting(place) => return Ok(wait(&place)),
        };
    // The one moment at which the session's token is told. The session exists since just now and belongs to whoever
    // proved to be its person, so the answer is theirs.
    let mut told = describe(&session);
    told["token"] = token.into();
    Ok(Reply::entered(&session, told.to_string()))
}

/// What somebody who waits is told, and nothing of who they are.
fn wait(place: &Waiting) -> Reply {
    let mut draw = json!({ "round": place.round, "commitment": place.commitment.to_string() });
    if let Some((seed, number)) = place.drawn {
        draw["seed"] = seed.to_string().into();
        draw["number"] = number.to_string().into();
    }
    let told = json!({
        "state": "waiting",
        "draw": draw,
        "pollAfterSeconds": place.poll_seconds,
        "estimate": place.estimate_seconds,
    });
    Reply::waiting(told.to_string(), place.poll_seconds)
}

pub(super) fn show(scope: Scope<'_>) -> Reply {
    let told = scope.personal(scope.subject(), describe(scope.session()).to_string().into_bytes());
    Reply::personal(StatusCode::OK, scope.show(told))
}

pub(super) fn leave(public: &Public, token: &str) -> Reply {
    public.desk.intake.sessions.close(token);
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
