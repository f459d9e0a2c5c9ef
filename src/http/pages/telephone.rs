//! `/visit/{visit}/{language}/mandates/telephone-pin`: a person makes and revokes their telephone PIN; and
//! `.../mandates/redemption`, where the clerk of a Contact Center redeems one.

use askama::Template;
use hyper::StatusCode;
use serde_json::json;

use super::{
    super::{
        body::Unread,
        guard::Reply,
        html::Frame,
        problem::Problem,
        request::{Head, Public},
    },
    instant::Instant,
    posted::Posted,
    visit::Visit,
};
use crate::{schemes::Campaign, session::scope::Scope};

#[derive(Template)]
#[template(path = "pages/telephone_pin.html")]
struct Made {
    frame: Frame,
    path: String,
    /// In two groups, as it is said.
    pin: [String; 2],
    until: Instant,
}

/// Makes a PIN and shows it, once: the answer is to a POST, which no cache keeps, and is not a redirect to a page that could
/// be read again.
pub(super) async fn make(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    Posted::read_inside(public, head, body).await?;
    let made = public.counter.intake.make_pin(scope).await?;
    let html = made.map(|made| {
        let frame = visit.frame(visit.language.of("PIN telefonico", "Telephone PIN"), "/mandates");
        let (first, second) = made.pin.digits().split_at(4);
        let page = Made {
            // In the other language there is no such page: its PIN would be another one.
            frame: Frame { translations: None, ..frame },
            path: visit.path("/mandates"),
            pin: [first, second].map(ToOwned::to_owned),
            until: Instant::new(made.expires_at, visit.language),
        };
        page.to_string()
    });
    Ok(visit.show(scope, StatusCode::OK, html))
}

pub(super) async fn revoke(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    Posted::read_inside(public, head, body).await?;
    public.counter.intake.revoke_pin(scope).await?;
    Ok(visit.go("/mandates"))
}

/// Redeems what the caller said, as a program does.
pub(super) async fn redeem(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let posted = Posted::read_inside(public, head, body).await?;
    // People write codes and PINs in groups.
    let typed = |name: &str| posted.of(name).replace(' ', "");
    let campaign = Campaign::from_name(&posted.of("campaign"));
    let redemption = json!({
        "fiscalCode": typed("fiscalCode").to_ascii_uppercase(),
        "pin": typed("pin"),
        "scheme": campaign.map(|campaign| campaign.scheme),
        "year": campaign.map(|campaign| campaign.year),
    });
    public.counter.intake.redeem(scope, redemption.to_string().as_bytes()).await?;
    Ok(visit.go("/mandates"))
}
