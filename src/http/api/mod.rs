//! The API, version 1: what each route reads, calls and answers.

mod applications;
mod batches;
mod description;
mod drafts;
mod draws;
mod sessions;
pub mod status;

use std::rc::Rc;

use super::{
    body::Unread,
    guard::Reply,
    problem::Problem,
    request::{Asked, Login, Public},
    router::Action,
};
use crate::session::scope::Scope;

/// Answers what needs no session. Nothing here waits.
pub(super) fn without_session(
    public: &Public,
    action: Action,
    asked: &Asked<'_>,
) -> Result<Reply, Problem> {
    match action {
        Action::Status => Ok(status::show(public)),
        Action::Draws => Ok(draws::show(public)),
        Action::Description => Ok(description::show()),
        Action::Enter => sessions::enter(public, asked),
        _ => Err(Problem::internal()),
    }
}

/// Answers what belongs to a session.
pub(super) async fn within_session(
    public: &Rc<Public>,
    action: Action,
    scope: Scope<'_>,
    asked: &Asked<'_>,
    login: Login<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    match action {
        Action::ShowSession => Ok(sessions::show(scope)),
        Action::Leave => Ok(sessions::leave(public, login.token)),
        Action::ShowDraft => drafts::show(public, scope).await,
        Action::SaveDraft => drafts::save(public, scope, asked, body).await,
        Action::Estimate => applications::estimate(public, scope, asked, body).await,
        Action::Submit => applications::submit(public, scope, asked, body).await,
        Action::SubmitBatch => batches::take(public, scope, login.session, asked, body),
        Action::ShowApplication => applications::show(public, scope, asked).await,
        Action::Withdraw => applications::withdraw(public, scope, asked).await,
        _ => Err(Problem::internal()),
    }
}
