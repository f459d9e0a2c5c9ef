//! `/visit/{visit}/{language}/waiting`: the place of a person who waits. The page asks again by itself, without a script.

use askama::Template;
use jiff::SignedDuration;

use super::{
    super::{
        body::Unread,
        guard::Reply,
        html::Frame,
        problem::{Kind, Problem},
        request::{Head, Public, session_cookie},
    },
    posted::Posted,
    sign_in,
    visit::Visit,
};
use crate::{
    civic::written_time,
    intake::{Asked, Place, Proof},
};

#[derive(Template)]
#[template(path = "pages/waiting.html")]
struct WaitingPage {
    frame: Frame,
    form_token: String,
    action: String,
    updates: bool,
    is_called: bool,
    round: u64,
    commitment: String,
    seed: Option<String>,
    number: Option<String>,
    estimate: Option<String>,
    again_after: String,
    /// What the operator tells everybody.
    notice: Option<String>,
}

/// The place of the person whose ticket the cookie is.
pub(super) fn show(public: &Public, head: &Head<'_>, updates: bool) -> Result<Reply, Problem> {
    let visit = Visit::waiting(public, head)?;
    let proof = session_cookie(head.headers).ok_or(Kind::VisitEnded)?;
    let asked = Asked { visit: visit.segment, proof: Proof::Token(proof), from: head.from };
    let intake = &public.counter.intake;
    let place = intake.place(asked)?;
    let Place { waiter, waiting, .. } = place.ok_or(Kind::VisitEnded)?;
    let seconds = |seconds: u32| {
        written_time::duration(SignedDuration::from_secs(seconds.into()), visit.language)
    };
    let (italian, english) = if waiting.is_called {
        ("Tocca a te", "It is your turn")
    } else {
        ("Sei in sala d'attesa", "You are in the waiting room")
    };
    let mut frame = visit.frame(visit.language.of(italian, english), "/waiting");
    frame.refresh_seconds = updates.then_some(waiting.poll_seconds);
    let page = WaitingPage {
        frame,
        form_token: visit.form_token(),
        action: visit.path("/waiting"),
        updates,
        is_called: waiting.is_called,
        round: waiting.round,
        commitment: waiting.commitment.to_string(),
        seed: waiting.drawn.map(|(seed, _)| seed.to_string()),
        number: waiting.drawn.map(|(_, number)| number.to_string()),
        estimate: waiting.estimate_seconds.map(seconds),
        again_after: seconds(waiting.poll_seconds),
        notice: intake.notice().map(|notice| notice.text(visit.language).to_owned()),
    };
    Ok(Reply::page_of_requester(page.to_string(), visit.language)
        .to_one_who_waits(waiter, waiting.poll_seconds))
}

/// Lets the person in if it is their turn.
pub(super) async fn enter(
    public: &Public,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let visit = Visit::waiting(public, head)?;
    let proof = session_cookie(head.headers).ok_or(Kind::VisitEnded)?;
    Posted::read_inside(public, head, body).await?;
    sign_in::enter(public, visit.language, head, visit.segment, Proof::Token(proof)).await
}
