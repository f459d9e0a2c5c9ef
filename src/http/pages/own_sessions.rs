//! `/visit/{visit}/{language}/sessions`: the person's own open sessions, which they can end.

use askama::Template;
use hyper::StatusCode;

use super::{
    super::{
        body::Unread,
        guard::Reply,
        html::Frame,
        problem::{Kind, Problem},
        request::{Head, Public},
    },
    instant::Instant,
    posted::Posted,
    visit::Visit,
};
use crate::{
    civic::{Language, ProvedBy},
    session::{scope::Scope, sessions::OwnSession},
};

/// Sessions on the page, the latest and this one; more are allowed to a person by a setting only.
const SHOWN_MAX: usize = 8;
/// What the form names instead of a handle: all sessions but this one.
const OTHERS: &str = "others";

#[derive(Template)]
#[template(path = "pages/own_sessions.html")]
struct OwnSessions {
    frame: Frame,
    form_token: String,
    path: String,
    sessions: Vec<Shown>,
    /// How many more there are.
    more: usize,
}

struct Shown {
    handle: String,
    began: Instant,
    until: Instant,
    proved_by: &'static str,
    is_current: bool,
}

pub(super) fn show(public: &Public, scope: Scope<'_>, head: &Head<'_>) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let html = public.counter.intake.own_sessions(scope).map(|mut own| {
        // Oldest first.
        let more = own.len().saturating_sub(SHOWN_MAX);
        let mut place = 0;
        own.retain(|one| {
            place += 1;
            place > more || one.is_current
        });
        let title = visit.language.of("I miei accessi", "My sessions");
        let page = OwnSessions {
            frame: visit.frame(title, "/sessions"),
            form_token: visit.form_token(),
            path: visit.path("/sessions"),
            sessions: own.into_iter().map(|one| shown(one, visit.language)).collect(),
            more,
        };
        page.to_string()
    });
    Ok(visit.show(scope, StatusCode::OK, html))
}

/// Ends the session that the form names, or all others. One that has ended meanwhile is no fault: it is gone.
pub(super) async fn end(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let posted = Posted::read_inside(public, head, body).await?;
    let named = posted.of("session");
    let intake = &public.counter.intake;
    match &*named {
        "" => return Err(Kind::NotFound.into()),
        OTHERS => intake.end_others(scope).await?,
        handle => {
            let _was_open = intake.end_own(scope, handle).await?;
        }
    }
    Ok(visit.go("/sessions"))
}

fn shown(own: OwnSession, language: Language) -> Shown {
    let OwnSession { handle, began_at, expires_at, proved_by, is_current } = own;
    let [began, until] = [began_at, expires_at].map(|at| Instant::new(at, language));
    Shown { handle, began, until, proved_by: in_words(proved_by, language), is_current }
}

fn in_words(proved_by: ProvedBy, language: Language) -> &'static str {
    let (italian, english) = match proved_by {
        ProvedBy::Token => ("un programma o un portale", "a program or a portal"),
        ProvedBy::Spid => ("SPID", "SPID"),
        ProvedBy::Cie => ("CIE", "CIE"),
        ProvedBy::OpenId => ("un altro gestore di identità", "another identity provider"),
        ProvedBy::Certificate => {
            ("un certificato (CNS, CIE o ufficio)", "a certificate (CNS, CIE or office)")
        }
        ProvedBy::Demo => ("un'identità di prova", "an identity of the demo"),
        ProvedBy::Canary => ("il servizio stesso", "the service itself"),
    };
    language.of(italian, english)
}
