//! `/visit/{visit}/{language}/apply/{scheme}`: what happens with the data, and `.../check`: every answer, the decision that
//! would be taken now, and the button that submits the application. An office finds the same at `.../clients/{mandate}`.

use askama::Template;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::StatusCode;

use super::{
    super::{
        body::Unread,
        guard::Reply,
        html::Frame,
        problem::{Kind, Problem},
        request::{Head, Public},
    },
    demo,
    draft::Draft,
    outcome::Told,
    posted::Posted,
    step::labelled,
    visit::Visit,
};
use crate::{
    application::form::{Complaint, Entries, Form},
    civic::{FiscalCode, Language},
    intake::SubmitFault,
    session::scope::Scope,
    vault::fill_random,
};

/// Random bytes of an idempotency key.
const KEY_BYTES: usize = 16;

#[derive(Template)]
#[template(path = "pages/notice.html")]
struct Notice {
    frame: Frame,
    form_token: String,
    next: String,
    example: Option<String>,
    /// Where to continue, if something is saved.
    saved: Option<String>,
    mandate: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/check.html")]
struct Check {
    frame: Frame,
    form_token: String,
    action: String,
    applicant: Applicant,
    steps: Vec<Answers>,
    faults: Vec<String>,
    told: Option<Told>,
    key: String,
    version: String,
}

/// Who applies.
enum Applicant {
    /// The person who is signed in.
    Themselves(FiscalCode),
    /// The client who gave an office this mandate.
    Client(String),
}

/// The answers of one step.
pub(super) struct Answers {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) rows: Vec<(String, String)>,
    pub(super) is_faulty: bool,
}

/// What the institute does with the data (art. 13 GDPR), before the first question.
pub(super) async fn notice(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let draft = Draft::load(public, scope, head, visit.language).await?;
    let apply = draft.path();
    let title = draft.campaign.title(visit.language);
    let first = draft.form.steps.first().map_or("check", |step| step.name);
    let page = Notice {
        frame: visit.frame(title, &apply),
        form_token: visit.form_token(),
        next: visit.path(&format!("{apply}/{first}")),
        example: public.demo.as_ref().map(|_| visit.path(&format!("{apply}/example"))),
        saved: draft.version.as_ref().map(|_| visit.path(&format!("{apply}/check"))),
        mandate: draft.client.map(|client| client.mandate),
    };
    Ok(visit.show_own(scope, StatusCode::OK, &page))
}

/// Fills in the answers of the demo's person.
pub(super) async fn fill_in(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    if public.demo.is_none() {
        return Err(Kind::NotFound.into());
    }
    let visit = Visit::of(public, scope, head)?;
    Posted::read_inside(public, head, body).await?;
    let mut draft = Draft::load(public, scope, head, visit.language).await?;
    let filled = match &draft.client {
        None => demo::answers(&scope.fiscal_code(), draft.campaign),
        Some(client) => {
            let client = demo::client(client, public.counter.intake.keys());
            demo::answers(&client.ok_or(Kind::NotFound)?, draft.campaign)
        }
    };
    draft.change(public, |_, entries| *entries = filled)?;
    if !draft.save(public, scope).await? {
        return Err(Kind::DraftChanged.into());
    }
    Ok(visit.go(&format!("{}/check", draft.path())))
}

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let draft = Draft::load(public, scope, head, visit.language).await?;
    let apply = draft.path();
    let Some(version) = draft.version.clone() else { return Ok(visit.go(&apply)) };
    let written = draft.written(scope);
    let complaints = draft.complaints(public, &written);
    let told = if complaints.is_empty() {
        let estimated = public.counter.intake.estimate(scope, &written.json).await;
        let decision = estimated.map_err(|fault| Problem::of_submission(fault, scope.subject()))?;
        let decision = scope.open(decision).ok_or_else(Problem::internal)?;
        Some(Told::new(decision.explained(visit.language), visit.language))
    } else {
        None
    };
    let title = match &draft.client {
        Some(_) => visit.language.of("Controlla le risposte", "Check the answers"),
        None => visit.language.of("Controlla le tue risposte", "Check your answers"),
    };
    let mut frame = visit.frame(title, &format!("{apply}/check"));
    frame.is_faulty = !complaints.is_empty();
    let mut key = [0; KEY_BYTES];
    fill_random(&mut key);
    let page = Check {
        frame,
        form_token: visit.form_token(),
        action: visit.path(&format!("{apply}/check")),
        applicant: match &draft.client {
            Some(client) => Applicant::Client(client.mandate.clone()),
            None => Applicant::Themselves(scope.fiscal_code()),
        },
        steps: answers(&draft.form, &draft.entries, &complaints, visit.language),
        faults: complaints.iter().map(in_full).collect(),
        told,
        key: URL_SAFE_NO_PAD.encode(key),
        version,
    };
    let status =
        if complaints.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.show_own(scope, status, &page))
}

fn in_full(complaint: &Complaint<'_>) -> String {
    match complaint.field {
        Some(field) => format!("{}: {}", labelled(field), complaint.text),
        None => complaint.text.clone(),
    }
}

/// Every answer, by step.
pub(super) fn answers(
    form: &Form,
    entries: &Entries,
    complaints: &[Complaint<'_>],
    language: Language,
) -> Vec<Answers> {
    let is_named = |name: &str| {
        complaints.iter().any(|one| one.field.is_some_and(|field| field.name == *name))
    };
    let steps = form.steps.iter().map(|step| Answers {
        name: step.name,
        title: step.title,
        rows: step
            .fields
            .iter()
            .map(|field| (labelled(field), field.answer(entries, language)))
            .collect(),
        is_faulty: step.fields.iter().any(|field| is_named(&field.name)),
    });
    steps.collect()
}

/// Submits the application as it was shown. A second click leads to the same receipt.
pub(super) async fn submit(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let posted = Posted::read_inside(public, head, body).await?;
    let draft = Draft::load(public, scope, head, visit.language).await?;
    let check = format!("{}/check", draft.path());
    let Some(version) = &draft.version else {
        let mandate = draft.client.as_ref().map(|client| client.mandate.as_str());
        let receipt = public.counter.intake.latest(scope, draft.campaign, mandate).await?;
        let receipt = scope.open(receipt).ok_or_else(Problem::internal)?;
        return Ok(visit.go(&receipt.map_or(check, |receipt| format!("/applications/{receipt}"))));
    };
    // Answers that the person was not shown are not submitted.
    if posted.of("version") != version.as_str() {
        return Ok(visit.go(&check));
    }
    let written = draft.written(scope);
    match public.counter.submit(scope, &posted.of("key"), &written.json).await {
        Ok(receipt) => {
            let receipt = scope.open(receipt).ok_or_else(Problem::internal)?;
            Ok(visit.go(&format!("/applications/{}", receipt.receipt)))
        }
        Err(SubmitFault::AlreadyApplied(Some(receipt))) => {
            Ok(visit.go(&format!("/applications/{}", receipt.receipt)))
        }
        Err(SubmitFault::Invalid(_)) => Ok(visit.go(&check)),
        Err(fault) => Err(Problem::of_submission(fault, scope.subject())),
    }
}
