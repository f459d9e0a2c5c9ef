//! `/callback`: where identity providers lead browsers back.
//!
//! The page is the same for everybody, because it is the answer to a GET, and a cache may hand it to anybody. Its form has
//! no action, so that the browser posts to the very URL on which it stands, with the code and the state in it.

use askama::Template;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    super::{
        body::Unread,
        guard::Reply,
        html::Frame,
        problem::{Kind, Problem},
        request::{Head, Public, login_cookie},
    },
    posted::Posted,
    sign_in::{self, VISIT_BYTES},
};
use crate::{civic::Language, intake::Proof, vault::fill_random};

/// How long a cache may keep the page, seconds.
const CACHE_SECONDS: u32 = 60;
/// The same of our entity configuration.
const STATEMENT_SECONDS: u32 = 600;

#[derive(Template)]
#[template(path = "pages/callback.html")]
struct Back {
    frame: Frame,
}

pub(super) fn show() -> Reply {
    let language = Language::Italian;
    let page = Back { frame: Frame::new(language, "Bentornato - Welcome back") };
    Reply::page(page.to_string(), language, CACHE_SECONDS)
}

/// Our entity configuration, from which providers learn where to lead browsers back.
pub(super) fn federation(public: &Public) -> Result<Reply, Problem> {
    let statement = public.counter.intake.entity_configuration().ok_or(Kind::NotFound)?;
    Ok(Reply::public("application/entity-statement+jwt", statement, STATEMENT_SECONDS))
}

/// Redeems what the provider has sent along, and lets the person in, in a fresh visit.
pub(super) async fn take(public: &Public, head: &Head<'_>, body: Unread) -> Result<Reply, Problem> {
    Posted::read(public, head, body).await?;
    let kept = login_cookie(head.headers).ok_or(Kind::SignInStale)?;
    let mut visit = [0; VISIT_BYTES];
    fill_random(&mut visit);
    let visit = URL_SAFE_NO_PAD.encode(visit);
    let intake = &public.counter.intake;
    let (identity, language) = intake.finish_sign_in(kept, head.query, &visit, head.from).await?;
    let reply = sign_in::enter(public, language, head, &visit, Proof::OpenId(&identity)).await?;
    Ok(reply.without_login_cookie())
}
