//! What a browser posts from a form.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::header::ORIGIN;

use super::super::{
    body::{Unread, read_form},
    problem::{Kind, Problem},
    request::{Head, Public, one},
};

/// Fields of one form; the largest of ours has about thirty.
const FIELDS_MAX: usize = 256;
/// Name of the hidden field with the token of the visit's forms.
pub(super) const FORM_TOKEN: &str = "form";

/// The fields of a form that came from one of our own pages.
pub(super) struct Posted(Bytes);

impl Posted {
    /// Reads a form. A page of another site cannot have posted it: browsers name the page's origin.
    pub(super) async fn read(
        public: &Public,
        head: &Head<'_>,
        body: Unread,
    ) -> Result<Self, Problem> {
        if !is_from_own_page(head) {
            return Err(Kind::CrossSite.into());
        }
        let posted = Self(read_form(head.headers, body, public.body).await?);
        if posted.fields().count() > FIELDS_MAX {
            return Err(Kind::BodyTooLarge.into());
        }
        Ok(posted)
    }

    /// Reads a form of a visit, which carries the visit's token.
    pub(super) async fn read_inside(
        public: &Public,
        head: &Head<'_>,
        body: Unread,
    ) -> Result<Self, Problem> {
        let posted = Self::read(public, head, body).await?;
        let is_own = is_token(public, head, posted.of(FORM_TOKEN).as_bytes());
        if is_own { Ok(posted) } else { Err(Kind::CrossSite.into()) }
    }

    fn fields(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(&self.0)
    }

    /// The value of a field; empty if there is none.
    pub(super) fn of(&self, name: &str) -> Cow<'_, str> {
        self.fields().find(|(own, _)| own == name).map_or(Cow::Borrowed(""), |(_, value)| value)
    }
}

/// Whether this is the token of the visit's forms.
pub(super) fn is_token(public: &Public, head: &Head<'_>, token: &[u8]) -> bool {
    token == public.counter.intake.keys().form_token(head.visit()).as_bytes()
}

/// Whether a browser says that one of our pages has sent the request. One that names neither is no browser of today.
pub(super) fn is_from_own_page(head: &Head<'_>) -> bool {
    if head.headers.contains_key(ORIGIN) {
        let origin = one(head.headers, ORIGIN.as_str()).unwrap_or_default();
        return origin.strip_prefix("https://") == Some(head.authority);
    }
    one(head.headers, "sec-fetch-site") == Some("same-origin")
}
