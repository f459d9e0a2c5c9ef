//! The pages: what each route of them reads, and the page that it answers. They work without scripts.

mod home;
mod instant;
mod welcome;

use super::{
    guard::Reply,
    html::style,
    problem::{Kind, Problem},
    request::{Head, Public},
    router::{InsidePage, OpenPage},
};
use crate::session::scope::Scope;

/// Handles a request for a page that needs no session.
pub(super) fn open(public: &Public, page: OpenPage, head: &Head<'_>) -> Result<Reply, Problem> {
    public.counter.intake.limit_reads(head.from)?;
    match page {
        OpenPage::Home(language) => Ok(home::show(public, language, head.language)),
        OpenPage::Asset => {
            let file = head.segments.named("file").unwrap_or_default();
            let (body, coding) = style::named(file).ok_or(Kind::NotFound)?.for_client(head.headers);
            Ok(Reply::unchanging("text/css; charset=utf-8", body).encoded(coding))
        }
    }
}

/// Handles a request for a page of a session.
pub(super) fn inside(page: InsidePage, scope: Scope<'_>, head: &Head<'_>) -> Reply {
    match page {
        InsidePage::Welcome => welcome::show(scope, head.language),
    }
}
