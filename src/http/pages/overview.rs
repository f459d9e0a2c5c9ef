//! What a person finds after signing in: their applications, and what they may apply for; or what their office handed in.

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
    outcome::state_in_words,
    visit::Visit,
};
use crate::{
    civic::{Language, written_time::day},
    identity::Audience,
    intake::{DraftOf, ListedApplication, ListedApplications},
    ledger::{Channel, State},
    schemes::{Campaign, Scheme},
    session::scope::Scope,
};

/// Applications on one page of a citizen, and of an office: as many as leave it below 10 KB.
const PAGE_OWN_MAX: usize = 8;
const PAGE_OFFICE_MAX: usize = 20;

#[derive(Template)]
#[template(path = "pages/overview.html")]
struct Overview {
    frame: Frame,
    path: String,
    applications: Vec<Application>,
    next: Option<String>,
    open: Vec<Open>,
}

#[derive(Template)]
#[template(path = "pages/office.html")]
struct Office {
    frame: Frame,
    path: String,
    applications: Vec<Application>,
    next: Option<String>,
}

/// An application in a list.
struct Application {
    receipt: String,
    title: String,
    received_on: String,
    state: &'static str,
    /// The office that filed it, if it was not the person.
    filed_by: Option<String>,
}

/// A campaign in which the person may apply.
struct Open {
    scheme: &'static str,
    title: String,
    has_draft: bool,
}

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let language = visit.language;
    let after = segment::receipt(head)?;
    let rest =
        after.map_or("/applications".to_owned(), |after| format!("/applications/after/{after}"));
    let intake = &public.counter.intake;
    if scope.audience() == Audience::Intermediaries {
        let frame =
            visit.frame(language.of("Domande dell'ufficio", "The office's applications"), &rest);
        let listed = intake.applications(scope, after, PAGE_OFFICE_MAX).await?;
        let html = listed.map(|ListedApplications { applications, next }| {
            let applications = applications.iter().map(|one| application(one, language)).collect();
            let next = next.map(|next| next.to_string());
            Office { frame, path: visit.path(""), applications, next }.to_string()
        });
        return Ok(visit.show(scope, StatusCode::OK, html));
    }
    let frame = visit.frame(language.of("Le mie domande", "My applications"), &rest);
    let mut drafted = Vec::new();
    for scheme in Scheme::ALL {
        if intake.open_campaign(scheme).is_some() {
            let draft = intake.draft(scope, DraftOf { scheme, mandate: None }).await?;
            drafted.push((scheme, draft.is_some()));
        }
    }
    let listed = intake.applications(scope, after, PAGE_OWN_MAX).await?;
    let html = listed.map(|ListedApplications { applications: listed, next }| {
        let standing = |campaign: Campaign| {
            listed.iter().any(|one| {
                one.receipt.campaign() == campaign && !matches!(one.state, State::Withdrawn(_))
            })
        };
        let open = drafted.into_iter().filter_map(|(scheme, has_draft)| {
            let campaign = intake.open_campaign(scheme).filter(|campaign| !standing(*campaign))?;
            Some(Open { scheme: scheme.as_str(), title: campaign.title(language), has_draft })
        });
        let page = Overview {
            frame,
            path: visit.path(""),
            open: open.collect(),
            applications: listed.iter().map(|one| application(one, language)).collect(),
            next: next.map(|next| next.to_string()),
        };
        page.to_string()
    });
    Ok(visit.show(scope, StatusCode::OK, html))
}

fn application(listed: &ListedApplication, language: Language) -> Application {
    let office = listed.office.as_ref().map(|office| office.as_str().to_owned());
    Application {
        receipt: listed.receipt.to_string(),
        title: listed.receipt.campaign().title(language),
        received_on: day(listed.received_on, language),
        state: state_in_words(listed.state, language),
        filed_by: (listed.channel != Channel::Citizen)
            .then(|| office.unwrap_or_else(|| language.of("un ufficio", "an office").to_owned())),
    }
}
