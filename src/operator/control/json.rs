//! JSON answers, which no cache keeps.

use hyper::{
    StatusCode,
    header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use serde_json::Value;

use super::super::answer::{self, Answer};

/// An answer with this document.
pub(super) fn answer(status: StatusCode, media_type: &'static str, document: &Value) -> Answer {
    let mut answer = answer::answer(status, media_type, format!("{document:#}\n"));
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
