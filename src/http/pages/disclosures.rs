//! `/visit/{visit}/{language}/disclosures`: who was shown or changed the person's data, the latest first, page by page.

use std::borrow::Cow;

use askama::Template;
use hyper::StatusCode;

use super::{
    super::{
        guard::Reply,
        html::Frame,
        problem::Problem,
        request::{Head, Public},
        segment,
    },
    instant::Instant,
    visit::Visit,
};
use crate::{
    civic::Language,
    intake::{By, Disclosure},
    session::scope::Scope,
};

/// Disclosures on one page: as many as leave it below 10 KB.
const PAGE_DISCLOSURES_MAX: usize = 25;

#[derive(Template)]
#[template(path = "pages/disclosures.html")]
struct Disclosures {
    frame: Frame,
    /// When they were searched for.
    at: Instant,
    lines: Vec<Shown>,
    next: Option<String>,
}

struct Shown {
    at: Instant,
    by: String,
    what: Cow<'static, str>,
    receipt: Option<String>,
}

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let language = visit.language;
    let after = segment::number(head)?.unwrap_or_default();
    let rest = match after {
        0 => "/disclosures".to_owned(),
        after => page_after(after),
    };
    let intake = &public.counter.intake;
    let found = intake.latest_disclosures(scope, after, PAGE_DISCLOSURES_MAX).await?;
    let html = found.map(|found| {
        let title = language.of("Chi ha visto i miei dati", "Who saw my data");
        let page = Disclosures {
            frame: visit.frame(title, &rest),
            at: Instant::new(found.at, language),
            lines: found.disclosures.iter().map(|one| shown(one, language)).collect(),
            next: found.next.map(|after| visit.path(&page_after(after))),
        };
        page.to_string()
    });
    Ok(visit.show(scope, StatusCode::OK, html))
}

/// The page of those after the first ones.
fn page_after(number: usize) -> String {
    format!("/disclosures/after/{number}")
}

fn shown(disclosure: &Disclosure, language: Language) -> Shown {
    let by = match (disclosure.by, &disclosure.office) {
        (By::Themselves, _) => language.of("tu", "you").to_owned(),
        (By::Office, Some(office)) => office.as_str().to_owned(),
        (By::Office, None) => language.of("un ufficio", "an office").to_owned(),
        (By::ContactCenter, Some(office)) => format!("Contact Center ({})", office.as_str()),
        (By::ContactCenter, None) => "Contact Center".to_owned(),
        (By::Institute, _) => language.of("l'istituto", "the institute").to_owned(),
    };
    Shown {
        at: Instant::new(disclosure.at, language),
        by,
        what: in_words(&disclosure.what, language),
        receipt: disclosure.receipt.clone(),
    }
}

/// What was done, in words; an unknown name of the trail stays as it is.
fn in_words(what: &str, language: Language) -> Cow<'static, str> {
    let (italian, english) = match what {
        "application-received" => ("domanda presentata", "application submitted"),
        "application-shown" => ("domanda letta", "application read"),
        "withdrawal-asked" => ("ritiro chiesto", "withdrawal asked for"),
        "withdrawn" => ("domanda ritirata", "application withdrawn"),
        "erased" => ("domanda cancellata", "application erased"),
        "draft-shown" => ("bozza letta", "draft read"),
        "draft-saved" => ("bozza salvata", "draft saved"),
        "draft-deleted" => ("bozza cancellata", "draft deleted"),
        "entered" => ("accesso", "signed in"),
        "session-ended" => ("un accesso chiuso", "a session ended"),
        "estimate-shown" => ("dati dell'istituto mostrati", "the institute's data shown"),
        "mandates-shown" => ("deleghe lette", "mandates read"),
        "revocation-asked" => ("revoca chiesta", "revocation asked for"),
        "applications-listed" => ("elenco delle domande letto", "list of applications read"),
        "disclosures-shown" => ("questa pagina letta", "this page read"),
        "telephone-pin-made" => ("PIN telefonico creato", "telephone PIN made"),
        "telephone-pin-revoked" => ("PIN telefonico revocato", "telephone PIN revoked"),
        "telephone-pin-redeemed" => {
            ("delega per telefono con il tuo PIN", "mandate by telephone with your PIN")
        }
        "telephone-pin-refused" => ("PIN telefonico errato", "wrong telephone PIN"),
        _ if what.starts_with("decided") => ("decisione", "decision"),
        _ => return what.to_owned().into(),
    };
    language.of(italian, english).into()
}
