//! The pages: what each route of them reads, the use case it calls, and the page that it answers. They work without scripts.
//!
//! A page of a visit stands below `/visit/{visit}/{language}/`. Forms are answered by a redirect (303) to the next page,
//! or by the same page with what is wrong; each carries the visit's token and must come from one of our pages.

mod articles;
mod callback;
mod check;
mod demo;
mod disclosures;
mod draft;
mod home;
mod instant;
mod mandates;
mod outcome;
mod overview;
mod own_sessions;
mod posted;
mod qr;
mod search;
mod sign_in;
mod step;
mod submitted;
mod telephone;
mod upload;
mod visit;
mod waiting;
mod welcome;

use std::rc::Rc;

use self::step::Way;
use super::{
    body::Unread,
    guard::Reply,
    html::assets,
    problem::{Kind, Problem},
    request::{Authenticated, Head, Public},
    router::{InsidePage, OpenPage},
};
use crate::session::scope::Scope;

/// Handles a request for a page that needs no session.
pub(super) async fn open(
    public: &Public,
    page: OpenPage,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    if !matches!(page, OpenPage::TakeIdentity(_) | OpenPage::TakeCallback) {
        public.counter.intake.limit_reads(head.from)?;
    }
    match page {
        OpenPage::Home(language) => Ok(home::show(public, language, head.language)),
        OpenPage::Asset => {
            let file = head.segments.named("file").unwrap_or_default();
            let asset = assets::named(file).ok_or(Kind::NotFound)?;
            let (body, coding) = asset.packed.for_client(head.headers);
            Ok(Reply::unchanging(asset.content_type, body).encoded(coding))
        }
        OpenPage::Article(language) => articles::show(language, head),
        OpenPage::SignIn(language) => Ok(sign_in::show(public, language, head)),
        OpenPage::TakeIdentity(language) => sign_in::take(public, language, head, body).await,
        OpenPage::Federation => callback::federation(public),
        OpenPage::Callback => Ok(callback::show()),
        OpenPage::TakeCallback => callback::take(public, head, body).await,
    }
}

/// Handles a request without a session for a page that needs one: a person who waits has a place.
pub(super) async fn waiting(
    public: &Public,
    page: InsidePage,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    match page {
        InsidePage::Waiting => waiting::show(public, head, true),
        InsidePage::WaitingStill => waiting::show(public, head, false),
        InsidePage::Enter => waiting::enter(public, head, body).await,
        _ => Err(Kind::VisitEnded.into()),
    }
}

/// Handles a request for a page of a session.
pub(super) async fn inside(
    public: &Rc<Public>,
    page: InsidePage,
    scope: Scope<'_>,
    head: &Head<'_>,
    authenticated: Authenticated<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    match page {
        InsidePage::Welcome
        | InsidePage::Waiting
        | InsidePage::WaitingStill
        | InsidePage::Enter => welcome::show(public, scope, head),
        InsidePage::ListApplications => overview::show(public, scope, head).await,
        InsidePage::Notice => check::notice(public, scope, head).await,
        InsidePage::FillIn => check::fill_in(public, scope, head, body).await,
        InsidePage::ShowStep => step::show(public, scope, head, Way::Onward).await,
        InsidePage::SaveStep => step::save(public, scope, head, body, Way::Onward).await,
        InsidePage::ShowChange => step::show(public, scope, head, Way::BackToCheck).await,
        InsidePage::SaveChange => step::save(public, scope, head, body, Way::BackToCheck).await,
        InsidePage::ShowCheck => check::show(public, scope, head).await,
        InsidePage::Submit => check::submit(public, scope, head, body).await,
        InsidePage::ShowApplication => submitted::show(public, scope, head).await,
        InsidePage::Proof => submitted::proof(public, scope, head).await,
        InsidePage::AskWithdrawal => submitted::ask_withdrawal(public, scope, head).await,
        InsidePage::Withdraw => submitted::withdraw(public, scope, head, body).await,
        InsidePage::ListMandates => mandates::show(public, scope, head).await,
        InsidePage::RevokeMandate => mandates::revoke(public, scope, head, body).await,
        InsidePage::MakePin => telephone::make(public, scope, head, body).await,
        InsidePage::RevokePin => telephone::revoke(public, scope, head, body).await,
        InsidePage::RedeemPin => telephone::redeem(public, scope, head, body).await,
        InsidePage::ListDisclosures => disclosures::show(public, scope, head).await,
        InsidePage::ListSessions => own_sessions::show(public, scope, head),
        InsidePage::EndSessions => own_sessions::end(public, scope, head, body).await,
        InsidePage::ShowUpload => upload::show(public, scope, head),
        InsidePage::Template => upload::template(public, scope, head),
        InsidePage::Preview => upload::preview(public, scope, head, body).await,
        InsidePage::Upload => upload::run(public, scope, head, authenticated, body).await,
        InsidePage::ShowSearch => search::show(public, scope, head),
        InsidePage::Search => search::find(public, scope, head, body).await,
        InsidePage::SignOut => sign_in::leave(public, head, authenticated.token, body).await,
    }
}
