//! `GET /visit/{visit}/`: the first page of a visit, which names the person who is logged in.

use askama::Template;

use super::{
    super::{
        guard::Reply,
        html::{Frame, Words},
    },
    instant::Instant,
};
use crate::{
    civic::{Language, Masked},
    identity::Audience,
    session::scope::Scope,
};

#[derive(Template)]
#[template(path = "pages/welcome.html")]
struct Welcome {
    frame: Frame,
    fiscal_code: Masked,
    acting: &'static str,
    until: Instant,
}

pub(super) fn show(scope: Scope<'_>, language: Language) -> Reply {
    let (session, words) = (scope.session(), Words::of(language));
    let page = Welcome {
        frame: Frame::new(language, words.welcome_title),
        fiscal_code: session.fiscal_code.masked(),
        acting: match session.audience {
            Audience::Citizens => words.for_yourself,
            Audience::Intermediaries => words.as_intermediary,
        },
        until: Instant::new(session.expires_at, language),
    };
    let html = scope.personal(scope.subject(), page.to_string().into_bytes());
    Reply::personal_page(scope.show(html), language)
}
