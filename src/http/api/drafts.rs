//! `/v1/sessions/{visit}/drafts/...`: applications that a person has begun and not submitted, available on each of their
//! devices.

use std::borrow::Cow;

use hyper::{HeaderMap, StatusCode, header::IF_MATCH};
use serde::de::IgnoredAny;

use super::super::{
    body::{Unread, read_json},
    guard::Reply,
    problem::{Kind, Problem},
    request::{Head, Public},
    segment::mandate,
};
use crate::{
    application,
    identity::Audience,
    intake::DraftOf,
    ledger::drafts::{Expected, version_of},
    schemes::Scheme,
    session::scope::Scope,
};

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let path = Path::of(scope, head)?;
    let draft = public.counter.intake.draft(scope, path.draft()).await?.ok_or(Kind::NotFound)?;
    let mut version = String::new();
    let draft = draft.map(|draft| {
        version = version_of(&draft);
        draft
    });
    Ok(Reply::personal(StatusCode::OK, scope.show(draft)).in_version(&version))
}

/// Saves a draft. Its content is not validated, but it must be a JSON object.
pub(super) async fn save(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    public.counter.intake.admits()?;
    public.counter.intake.limit_drafts(scope)?;
    let path = Path::of(scope, head)?;
    let draft = read_json(head.headers, body, public.body).await?;
    is_object(&draft)?;
    let version = version_of(&draft);
    public.counter.intake.save_draft(scope, path.draft(), draft, expected(head.headers)).await?;
    Ok(Reply::empty().in_version(&version))
}

pub(super) async fn delete(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    public.counter.intake.limit_drafts(scope)?;
    let path = Path::of(scope, head)?;
    let expected = expected(head.headers);
    let had_one = public.counter.intake.delete_draft(scope, path.draft(), expected).await?;
    if had_one { Ok(Reply::empty()) } else { Err(Kind::NotFound.into()) }
}

/// Which draft the path names. One that cannot exist is answered like one that does not.
struct Path<'r> {
    scheme: Scheme,
    mandate: Option<Cow<'r, str>>,
}

impl<'r> Path<'r> {
    fn of(scope: Scope<'_>, head: &Head<'r>) -> Result<Self, Kind> {
        let scheme = head.segments.named("scheme").and_then(Scheme::from_name);
        let scheme = scheme.ok_or(Kind::NotFound)?;
        let mandate = mandate(head)?;
        if mandate.is_some() && scope.audience() == Audience::Citizens {
            return Err(Kind::NotFound);
        }
        Ok(Self { scheme, mandate })
    }

    fn draft(&self) -> DraftOf<'_> {
        DraftOf { scheme: self.scheme, mandate: self.mandate.as_deref() }
    }
}

/// What `If-Match` demands (RFC 9110, section 13.1.1). A weak validator never matches.
fn expected(headers: &HeaderMap) -> Expected {
    let fields: Vec<_> = headers.get_all(IF_MATCH).iter().collect();
    if fields.is_empty() {
        return Expected::Anything;
    }
    let fields = fields.iter().filter_map(|field| field.to_str().ok());
    let members = fields.flat_map(|field| field.split(',')).map(str::trim);
    let mut versions = Vec::new();
    for member in members {
        if member == "*" {
            return Expected::Something;
        }
        let version = member.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        versions.extend(version.map(ToOwned::to_owned));
    }
    Expected::OneOf(versions)
}

fn is_object(draft: &[u8]) -> Result<(), Problem> {
    let text = application::text(draft)?;
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|fault| Problem::malformed(fault.line(), fault.column()))?;
    if text.trim_start().starts_with('{') { Ok(()) } else { Err(Problem::malformed(1, 1)) }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

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

    #[test]
    fn an_expected_version_is_read_as_http_writes_it() {
        let read = |fields: &[&str]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(IF_MATCH, HeaderValue::from_str(field).unwrap());
            }
            expected(&headers)
        };
        let one_of = |versions: &[&str]| {
            Expected::OneOf(versions.iter().map(|version| (*version).to_owned()).collect())
        };
        assert_eq!(read(&[]), Expected::Anything);
        assert_eq!(read(&["*"]), Expected::Something);
        assert_eq!(read(&["\"a\", \"b\"", "\"c\""]), one_of(&["a", "b", "c"]));
        assert_eq!(read(&["W/\"a\""]), one_of(&[]));
        assert_eq!(read(&["nonsense"]), one_of(&[]));
    }
}
