//! What is set by a document: the sections of the settings and the notice. Their bodies, and the tag of what was seen.

use hyper::StatusCode;
use serde_json::{Map, Value};

use super::{
    parts::Part,
    problem::{Located, Problem},
};
use crate::registry::notice::Notice;

/// Who asks for what, how.
pub(super) struct Call {
    /// The name that stands in the audit trail.
    pub(super) operator: String,
    /// Only says what would be done.
    pub(super) dry_run: bool,
    /// The tags of the state that the operator has seen.
    pub(super) if_match: Option<String>,
}

/// Something that is set by a document, and has a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    /// A section of the settings.
    Settings(Part),
    /// The notice.
    Notice,
}

impl Document {
    /// By its name in paths.
    pub(super) fn named(name: &str) -> Option<Self> {
        let part = Part::ALL.into_iter().find(|part| part.as_str() == name);
        part.map(Self::Settings).or_else(|| (name == "notice").then_some(Self::Notice))
    }

    /// Its name in paths, which is also the action that changes it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Settings(part) => part.as_str(),
            Self::Notice => "notice",
        }
    }
}

/// Checks that what an operator has seen is still so.
pub(super) fn is_unchanged(call: &Call, tag: &str, is_required: bool) -> Result<(), Problem> {
    match &call.if_match {
        Some(tags) if tags.split(',').any(|seen| ["*", tag].contains(&seen.trim())) => Ok(()),
        Some(_) => Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "changed-meanwhile",
            "Changed meanwhile",
            "Nothing was changed: it is not what you have seen. Read GET /control again and decide anew.",
        )),
        None if is_required => Err(Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "if-match-missing",
            "If-Match missing",
            "Send the etag of this part, from GET /control, in the field If-Match.",
        )),
        None => Ok(()),
    }
}

/// The settings of a body, by name.
pub(super) fn settings(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    serde_json::from_slice(body).map_err(|fault| malformed(&fault))
}

/// The notice of a body, in Italian and English; two empty texts are none.
pub(super) fn notice(body: &[u8]) -> Result<[String; 2], Problem> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Texts {
        it: String,
        en: String,
    }
    let Texts { it, en } = serde_json::from_slice(body).map_err(|fault| malformed(&fault))?;
    let Err(faults) = Notice::of(&it, &en) else { return Ok([it, en]) };
    let located = faults.into_iter().map(|(language, fault)| Located {
        pointer: language.of("/it", "/en").to_owned(),
        code: "not-allowed",
        detail: fault.to_string(),
    });
    Err(Problem::invalid(located.collect()))
}

fn malformed(fault: &serde_json::Error) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed",
        "Unreadable body",
        format!("The body is not the JSON object that is expected here: {fault}"),
    )
}
