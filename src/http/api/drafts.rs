//! `/v1/draft`: an application that a person has begun and not submitted, available on each of their devices.

use hyper::StatusCode;
use serde::de::IgnoredAny;

use super::super::{
    body::{Unread, read_json},
    guard::Reply,
    problem::{Kind, Problem},
    request::{Head, Public},
};
use crate::{application, session::scope::Scope};

pub(super) async fn show(public: &Public, scope: Scope<'_>) -> Result<Reply, Problem> {
    let draft = public.counter.intake.draft(scope).await?.ok_or(Kind::NotFound)?;
    Ok(Reply::personal(StatusCode::OK, scope.show(draft)))
}

/// Saves a draft. Its content is not validated, but it must be a JSON object.
pub(super) async fn save(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    public.counter.intake.admits()?;
    let draft = read_json(head.headers, body, public.body).await?;
    is_object(&draft)?;
    public.counter.intake.save_draft(scope, draft).await?;
    Ok(Reply::empty())
}

fn is_object(draft: &[u8]) -> Result<(), Problem> {
    let text = application::text(draft)?;
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|fault| Problem::malformed(fault.line(), fault.column()))?;
    if text.trim_start().starts_with('{') { Ok(()) } else { Err(Problem::malformed(1, 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_is_a_draft() {
        assert!(is_object(b" {\"scheme\": null}\n").is_ok());
        for wrong in
            [b"".as_slice(), b"[]", b"1", b"{", b"{}{}", b"{\"a\": \"\xff\"}", b"{\"a\": \"\0\"}"]
        {
            assert_eq!(is_object(wrong).unwrap_err().kind(), Kind::Malformed, "{wrong:?}");
        }
    }
}
