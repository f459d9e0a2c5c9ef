//! `/visit/{visit}/{language}/search`: an office finds an application that it submitted by its receipt.

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
    posted::Posted,
    visit::Visit,
};
use crate::{identity::Audience, intake::LookupFault, ledger::ReceiptCode, session::scope::Scope};

/// Characters of what was typed that the page shows again: twice those of a receipt.
const SHOWN_CHARACTERS_MAX: usize = 64;

#[derive(Template)]
#[template(path = "pages/search.html")]
struct Search {
    frame: Frame,
    form_token: String,
    action: String,
    typed: String,
    fault: Option<&'static str>,
}

pub(super) fn show(public: &Public, scope: Scope<'_>, head: &Head<'_>) -> Result<Reply, Problem> {
    of_office(scope)?;
    let visit = Visit::of(public, scope, head)?;
    Ok(visit.show_own(scope, StatusCode::OK, &page(&visit, String::new(), None)))
}

/// Goes to the application, or says that there is none. The receipt is posted, and a path names it only once it is found.
pub(super) async fn find(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    of_office(scope)?;
    let visit = Visit::of(public, scope, head)?;
    let posted = Posted::read_inside(public, head, body).await?;
    let typed: String = posted.of("receipt").chars().take(SHOWN_CHARACTERS_MAX).collect();
    let without_spaces: String = typed.chars().filter(|letter| !letter.is_whitespace()).collect();
    let (status, fault) = match ReceiptCode::parse(&without_spaces) {
        None if without_spaces.is_empty() => (
            StatusCode::UNPROCESSABLE_ENTITY,
            visit.language.of("Scrivi il numero della ricevuta.", "Enter the number of the receipt."),
        ),
        None => (
            StatusCode::UNPROCESSABLE_ENTITY,
            visit.language.of(
                "Questo non è il numero di una ricevuta: scrivilo come ISCRO-2024-7K3M-9QXT-B2FD-0YHR.",
                "This is not the number of a receipt: write it like ISCRO-2024-7K3M-9QXT-B2FD-0YHR.",
            ),
        ),
        Some(code) => match public.counter.intake.receipt(scope, code).await {
            Ok(_) => return Ok(visit.go(&format!("/applications/{code}"))),
            Err(LookupFault::NotFound) => (
                StatusCode::NOT_FOUND,
                visit.language.of(
                    "Il tuo ufficio non ha una domanda con questa ricevuta, oppure la delega è finita.",
                    "Your office has no application with this receipt, or the mandate has ended.",
                ),
            ),
            Err(fault) => return Err(fault.into()),
        },
    };
    Ok(visit.show_own(scope, status, &page(&visit, typed, Some(fault))))
}

fn page(visit: &Visit<'_>, typed: String, fault: Option<&'static str>) -> Search {
    let title = visit.language.of("Cerca una ricevuta", "Search for a receipt");
    let mut frame = visit.frame(title, "/search");
    frame.is_faulty = fault.is_some();
    Search { frame, form_token: visit.form_token(), action: visit.path("/search"), typed, fault }
}

/// Only offices have this page: a citizen's list is short.
pub(super) fn of_office(scope: Scope<'_>) -> Result<(), Kind> {
    if scope.audience() == Audience::Intermediaries { Ok(()) } else { Err(Kind::NotFound) }
}
