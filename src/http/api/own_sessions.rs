//! `/v1/sessions/{visit}/sessions`: a person's own open sessions, which they can end.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::super::{
    guard::Reply,
    problem::{Kind, Problem},
    request::{Head, Public},
};
use crate::{
    civic::local_time,
    session::{scope::Scope, sessions::OwnSession},
};

pub(super) fn list(public: &Public, scope: Scope<'_>) -> Reply {
    let json = public.counter.intake.own_sessions(scope).map(|own| {
        let sessions: Vec<_> = own.iter().map(to_json).collect();
        json!({ "sessions": sessions }).to_string().into_bytes()
    });
    Reply::personal(StatusCode::OK, scope.show(json))
}

pub(super) async fn end(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let handle = head.segments.named("handle").unwrap_or_default();
    if public.counter.intake.end_own(scope, handle).await? {
        Ok(Reply::empty())
    } else {
        Err(Kind::NotFound.into())
    }
}

fn to_json(own: &OwnSession) -> Value {
    json!({
        "handle": own.handle,
        "beganAt": local_time::rfc3339(own.began_at),
        "expiresAt": local_time::rfc3339(own.expires_at),
        "provedBy": own.proved_by.as_str(),
        "current": own.is_current,
    })
}
