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
    session::{Session, scope::Scope},
};

pub(super) fn enter(public: &Public, asked: &Asked<'_>) -> Result<Reply, Problem> {
    let token = bearer(asked.headers).ok_or(Kind::Unauthenticated)?;
    let (token, session) = public.desk.intake.enter(token, asked.from)?;
    // The one moment at which the session's token is told. The session exists since just now and belongs to whoever
    // proved to be its person, so the answer is theirs.
    let mut told = describe(&session);
    told["token"] = token.into();
    Ok(Reply::entered(&session, told.to_string()))
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
