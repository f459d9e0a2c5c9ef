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
    schemes::Scheme,
    session::scope::Scope,
};

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
    has_more: bool,
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
}

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let language = visit.language;
    let intake = &public.counter.intake;
    let is_grantor = scope.audience() == Audience::Citizens;
    let pin = if is_grantor { scope.open(intake.pin(scope).await?).flatten() } else { None };
    let open = Scheme::ALL.into_iter().filter_map(|scheme| intake.open_campaign(scheme));
    let redeemable = open
        .filter(|_| intake.is_contact_center(scope))
        .map(|campaign| Redeemable { name: campaign.to_string(), title: campaign.title(language) });
    let redeemable = redeemable.collect();
    let listed = intake.mandates(scope, None).await?;
    let html = listed.map(|listed| {
        let page = Mandates {
            frame: visit.frame(language.of("Deleghe", "Mandates"), "/mandates"),
            form_token: visit.form_token(),
            path: visit.path("/mandates"),
            is_grantor,
            pin_until: pin.map(|pin| Instant::new(pin.expires_at, language)),
            redeemable,
            shown: listed.mandates.iter().map(|one| shown(one, language)).collect(),
            has_more: listed.has_more,
        };
        page.to_string()
    });
    Ok(visit.show(scope, StatusCode::OK, html))
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
