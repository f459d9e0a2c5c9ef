//! What an operator is told if a call of control is not done: RFC 9457, with every fault at once.

use hyper::{
    StatusCode,
    header::{HeaderValue, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use super::{super::answer::Answer, json::answer, parts::Fault};

/// Why a call is not done.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// The last part of its `type`.
    pub(super) slug: &'static str,
    title: &'static str,
    detail: String,
    faults: Vec<Located>,
}

/// One fault of a body.
#[derive(Debug)]
pub(super) struct Located {
    /// JSON pointer (RFC 6901).
    pub(super) pointer: String,
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        slug: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, slug, title, detail: detail.into(), faults: Vec::new() }
    }

    /// A body that cannot be used, with everything that is wrong in it.
    pub(super) fn invalid(faults: Vec<Located>) -> Self {
        let detail = "Nothing was changed: correct the faults listed in errors.";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { faults, ..Self::new(status, "invalid", "Values that are not allowed", detail) }
    }

    /// Settings that cannot be used, likewise.
    pub(super) fn of_settings(faults: Vec<Fault>) -> Self {
        let located = |Fault { setting, what }: Fault| Located {
            pointer: setting.map(|name| format!("/{name}")).unwrap_or_default(),
            code: "not-allowed",
            detail: what,
        };
        Self::invalid(faults.into_iter().map(located).collect())
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    /// The answer to it.
    pub(super) fn answer(&self) -> Answer {
        let Self { status, slug, title, detail, faults } = self;
        let mut json = json!({
            "type": format!("urn:sportello:problem:{slug}"),
            "title": title,
            "status": status.as_u16(),
            "detail": detail,
        });
        if !faults.is_empty() {
            json["errors"] = faults.iter().map(Located::json).collect();
        }
        let mut answer = answer(*status, "application/problem+json", &json);
        if *status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"control\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, bearer);
        }
        answer
    }
}

impl Located {
    fn json(&self) -> Value {
        json!({ "pointer": self.pointer, "code": self.code, "detail": self.detail })
    }
}
