//! `GET /visit/{visit}/`: the first page of a visit, which asks whether the person who is signed in is the right one.

use askama::Template;
use hyper::StatusCode;

use super::{
    super::{
        guard::Reply,
        html::Frame,
        problem::Problem,
        request::{Head, Public},
    },
    instant::Instant,
    visit::Visit,
};
use crate::{civic::Masked, identity::Audience, session::scope::Scope};

#[derive(Template)]
#[template(path = "pages/welcome.html")]
struct Welcome {
    frame: Frame,
    path: String,
    form_token: String,
    fiscal_code: Masked,
    acting: &'static str,
    until: Instant,
}

pub(super) fn show(public: &Public, scope: Scope<'_>, head: &Head<'_>) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let frame = visit.frame("", "/welcome");
    let (session, words) = (scope.session(), frame.words);
    let page = Welcome {
        frame: Frame { title: words.welcome_title.into(), visit: None, ..frame },
        path: visit.path(""),
        form_token: visit.form_token(),
        fiscal_code: session.fiscal_code.masked(),
        acting: match session.audience {
            Audience::Citizens => words.for_yourself,
            Audience::Intermediaries => words.as_intermediary,
        },
        until: Instant::new(session.expires_at, visit.language),
    };
    Ok(visit.show_own(scope, StatusCode::OK, &page))
}
