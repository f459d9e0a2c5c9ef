//! `/visit/{visit}/{language}/mandates`: the mandates in a person's name, which they can revoke, or those of an office.

use askama::Template;
use hyper::StatusCode;

use super::{
    super::{
        body::Unread,
        guard::Reply,
        html::Frame,
        problem::{Kind, Problem},
        request::{Head, Public},
        segment::{self, escaped},
    },
    instant::Instant,
    posted::Posted,
    visit::Visit,
};
use crate::{
    application::is_mandate_reference,
    civic::{Language, written_time::day},
    identity::Audience,
    intake::ShownMandate,
    schemes::{Campaign, Scheme},
    session::scope::Scope,
};

/// Mandates on one page of a citizen, and of an office: as many as leave it below 10 KB.
const PAGE_OWN_MAX: usize = 6;
const PAGE_OFFICE_MAX: usize = 16;

#[derive(Template)]
#[template(path = "pages/mandates.html")]
struct Mandates {
    frame: Frame,
    form_token: String,
    path: String,
    is_grantor: bool,
    /// Until when the person's telephone PIN can be redeemed.
    pin_until: Option<Instant>,
    /// The campaigns for which a Contact Center may redeem one; empty elsewhere.
    redeemable: Vec<Redeemable>,
    shown: Vec<Shown>,
    next: Option<String>,
}

/// A campaign in a form.
struct Redeemable {
    name: String,
    title: String,
}

struct Shown {
    reference: String,
    office: String,
    title: String,
    signed_on: String,
    expires_on: String,
    is_by_telephone: bool,
    revoked_on: Option<String>,
    holds: bool,
    /// Where an office applies for the client today.
    apply: Option<String>,
}

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let (language, intake) = (visit.language, &public.counter.intake);
    let after = segment::mandate(head)?;
    let rest = after.as_deref().map_or_else(|| "/mandates".to_owned(), page_after);
    let is_grantor = scope.audience() == Audience::Citizens;
    let title = if is_grantor {
        language.of("Deleghe", "Mandates")
    } else {
        language.of("Clienti e deleghe", "Clients and mandates")
    };
    let pin = if is_grantor { scope.open(intake.pin(scope).await?).flatten() } else { None };
    let open = Scheme::ALL.into_iter().filter_map(|scheme| intake.open_campaign(scheme));
    let redeemable = open
        .filter(|_| intake.is_contact_center(scope))
        .map(|campaign| Redeemable { name: campaign.to_string(), title: campaign.title(language) });
    let redeemable = redeemable.collect();
    let page_max = if is_grantor { PAGE_OWN_MAX } else { PAGE_OFFICE_MAX };
    let listed = intake.mandates(scope, after.as_deref(), page_max).await?;
    let html = listed.map(|listed| {
        let is_open = |campaign: Campaign| intake.open_campaign(campaign.scheme) == Some(campaign);
        let last = listed.mandates.last().filter(|_| listed.has_more);
        let shown = listed.mandates.iter().map(|one| {
            let may_apply = !is_grantor && one.holds && is_open(one.mandate.campaign);
            let apply = format!("/clients/{}", escaped(&one.mandate.reference));
            let apply = may_apply.then(|| visit.path(&apply));
            Shown { apply, ..shown(one, language) }
        });
        let page = Mandates {
            frame: visit.frame(title, &rest),
            form_token: visit.form_token(),
            path: visit.path("/mandates"),
            is_grantor,
            pin_until: pin.map(|pin| Instant::new(pin.expires_at, language)),
            redeemable,
            shown: shown.collect(),
            next: last.map(|last| visit.path(&page_after(&last.mandate.reference))),
        };
        page.to_string()
    });
    Ok(visit.show(scope, StatusCode::OK, html))
}

/// The page of the mandates after one.
fn page_after(reference: &str) -> String {
    format!("/mandates/after/{}", escaped(reference))
}

fn shown(ShownMandate { mandate, holds }: &ShownMandate, language: Language) -> Shown {
    Shown {
        reference: mandate.reference.clone(),
        office: mandate.office.as_str().to_owned(),
        title: mandate.campaign.title(language),
        signed_on: day(mandate.signed_on, language),
        expires_on: day(mandate.expires_on, language),
        is_by_telephone: mandate.is_by_telephone,
        revoked_on: mandate.revoked_on.map(|on| day(on, language)),
        holds: *holds,
        apply: None,
    }
}

/// Revokes the mandate that the form names: a reference may have characters that no segment of a path has.
pub(super) async fn revoke(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let posted = Posted::read_inside(public, head, body).await?;
    let reference = posted.of("reference");
    if !is_mandate_reference(&reference) {
        return Err(Kind::NotFound.into());
    }
    public.counter.intake.revoke(scope, &reference).await?;
    Ok(visit.go("/mandates"))
}
