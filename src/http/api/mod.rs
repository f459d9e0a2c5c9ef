//! The handlers of the API: what each route reads, which use case it calls, and what it answers.

mod applications;
mod batches;
mod description;
mod drafts;
mod draws;
mod mandates;
mod overview;
mod own_sessions;
mod sessions;
mod status;
mod telephone;

use std::rc::Rc;

use super::{
    body::Unread,
    guard::Reply,
    problem::{Kind, Problem},
    request::{Authenticated, Head, Public},
    router::{Inside, Open},
};
use crate::session::scope::Scope;

/// Handles a request that needs no session. Only entering awaits something, and only when a token is renewed.
pub(super) async fn open(public: &Public, route: Open, head: &Head<'_>) -> Result<Reply, Problem> {
    if route != Open::Enter {
        public.counter.intake.limit_reads(head.from)?;
    }
    match route {
        Open::Status => Ok(status::show(public)),
        Open::Draws => Ok(draws::show(public)),
        Open::Description => Ok(description::show(head.headers)),
        Open::Enter => sessions::enter(public, head).await,
    }
}

/// Handles entering where only those inside may come.
pub(super) async fn renew(public: &Public, head: &Head<'_>) -> Result<Reply, Problem> {
    sessions::renew(public, head).await
}

/// Handles a request without a session on a route that needs one: a person who waits has a place to read and to leave.
pub(super) fn waiting(public: &Public, route: Inside, head: &Head<'_>) -> Result<Reply, Problem> {
    match route {
        Inside::ShowSession => sessions::show_waiting(public, head),
        Inside::Leave => sessions::leave_waiting(public, head),
        Inside::ShowDraft
        | Inside::SaveDraft
        | Inside::DeleteDraft
        | Inside::Estimate
        | Inside::Submit
        | Inside::SubmitBatch
        | Inside::ShowApplication
        | Inside::Withdraw
        | Inside::ListApplications
        | Inside::ListDisclosures
        | Inside::ListMandates
        | Inside::ShowMandate
        | Inside::RevokeMandate
        | Inside::RedeemPin
        | Inside::ShowPin
        | Inside::MakePin
        | Inside::RevokePin
        | Inside::ListSessions
        | Inside::EndSession => Err(Kind::Unauthenticated.into()),
    }
}

/// Handles a request of a session.
pub(super) async fn inside(
    public: &Rc<Public>,
    route: Inside,
    scope: Scope<'_>,
    head: &Head<'_>,
    authenticated: Authenticated<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    match route {
        Inside::ShowSession => Ok(sessions::show(public, scope)),
        Inside::Leave => sessions::leave(public, authenticated.token).await,
        Inside::ShowDraft => drafts::show(public, scope, head).await,
        Inside::SaveDraft => drafts::save(public, scope, head, body).await,
        Inside::DeleteDraft => drafts::delete(public, scope, head).await,
        Inside::Estimate => applications::estimate(public, scope, head, body).await,
        Inside::Submit => applications::submit(public, scope, head, body).await,
        Inside::SubmitBatch => batches::take(public, scope, authenticated.session, head, body),
        Inside::ShowApplication => applications::show(public, scope, head).await,
        Inside::Withdraw => applications::withdraw(public, scope, head).await,
        Inside::ListApplications => overview::applications(public, scope, head).await,
        Inside::ListDisclosures => overview::disclosures(public, scope, head).await,
        Inside::ListMandates => mandates::list(public, scope, head).await,
        Inside::ShowMandate => mandates::show(public, scope, head).await,
        Inside::RevokeMandate => mandates::revoke(public, scope, head).await,
        Inside::RedeemPin => telephone::redeem(public, scope, head, body).await,
        Inside::ShowPin => telephone::show(public, scope).await,
        Inside::MakePin => telephone::make(public, scope).await,
        Inside::RevokePin => telephone::revoke(public, scope).await,
        Inside::ListSessions => Ok(own_sessions::list(public, scope)),
        Inside::EndSession => own_sessions::end(public, scope, head).await,
    }
}
