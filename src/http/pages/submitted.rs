//! `/visit/{visit}/{language}/applications/{receipt}`: receipt, state, decision and answers of an application, and its
//! withdrawal.

use askama::Template;
use hyper::StatusCode;

use super::{
    super::{
        body::Unread,
        guard::Reply,
        html::Frame,
        problem::{Kind, Problem},
        request::{Head, Public},
        segment,
    },
    check::{Answers, answers},
    outcome::{Told, state_in_words},
    posted::Posted,
    qr::Qr,
    visit::Visit,
};
use crate::{
    application::form::Entries,
    civic::written_time::day,
    identity::Audience,
    ledger::{ReceiptCode, State},
    schemes::Explanation,
    session::scope::Scope,
};

#[derive(Template)]
#[template(path = "pages/submitted.html")]
struct Submitted {
    frame: Frame,
    path: String,
    receipt: String,
    qr: Option<Qr>,
    title: String,
    received_on: String,
    state: &'static str,
    told: Option<Told>,
    may_withdraw: bool,
    steps: Vec<Answers>,
}

#[derive(Template)]
#[template(path = "pages/withdrawal.html")]
struct Withdrawal {
    frame: Frame,
    form_token: String,
    path: String,
    receipt: String,
}

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let (code, language) = (code(head)?, visit.language);
    let submitted = public.counter.intake.read(scope, code).await?;
    let rest = format!("/applications/{code}");
    let campaign = code.campaign();
    let is_office = scope.audience() == Audience::Intermediaries;
    let html = submitted.map(|submitted| {
        let entries = Entries::from_document(&submitted.contents.application).unwrap_or_default();
        let intake = &public.counter.intake;
        let form = if is_office {
            intake.form_for_client(campaign, &entries, language)
        } else {
            intake.form(campaign, &entries, language)
        };
        let decision = submitted.contents.decision.as_deref();
        let explained = decision.and_then(|json| Explanation::of_stored(json, language));
        let title = match submitted.state {
            State::Withdrawn(_) => language.of("Domanda ritirata", "Application withdrawn"),
            _ if is_office => {
                language.of("Abbiamo ricevuto la domanda", "We have received the application")
            }
            _ => {
                language.of("Abbiamo ricevuto la tua domanda", "We have received your application")
            }
        };
        let page = Submitted {
            frame: visit.frame(title, &rest),
            path: visit.path(&rest),
            receipt: code.to_string(),
            qr: Qr::of(code),
            title: campaign.title(language),
            received_on: day(submitted.received_on, language),
            state: state_in_words(submitted.state, language),
            told: explained.map(|explained| Told::new(explained, language)),
            may_withdraw: submitted.state.stands(),
            steps: form
                .as_ref()
                .map_or_else(Vec::new, |form| answers(form, &entries, &[], language)),
        };
        page.to_string()
    });
    Ok(visit.show(scope, StatusCode::OK, html))
}

/// The receipt with its proof, as a file that `sportello verify-receipt` checks.
pub(super) async fn proof(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let code = code(head)?;
    let receipt = public.counter.intake.receipt(scope, code).await?;
    let json = receipt.map(|receipt| serde_json::to_vec(&receipt).unwrap_or_default());
    Ok(Reply::personal(StatusCode::OK, scope.show(json)).as_file(&format!("{code}.json")))
}

pub(super) async fn ask_withdrawal(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let code = code(head)?;
    let submitted = public.counter.intake.read(scope, code).await?;
    let html = submitted.map(|_| {
        let rest = format!("/applications/{code}");
        let title = visit.language.of("Vuoi ritirare la domanda?", "Withdraw the application?");
        let page = Withdrawal {
            frame: visit.frame(title, &format!("{rest}/withdrawal")),
            form_token: visit.form_token(),
            path: visit.path(&rest),
            receipt: code.to_string(),
        };
        page.to_string()
    });
    Ok(visit.show(scope, StatusCode::OK, html))
}

pub(super) async fn withdraw(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    Posted::read_inside(public, head, body).await?;
    let code = code(head)?;
    public.counter.intake.withdraw(scope, code).await?;
    Ok(visit.go(&format!("/applications/{code}")))
}

fn code(head: &Head<'_>) -> Result<ReceiptCode, Kind> {
    segment::receipt(head)?.ok_or(Kind::NotFound)
}
