//! `/it/signin` and `/en/signin`: the ways to prove who one is, and the first page of the visit that follows.

use askama::Template;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    super::{
        body::Unread,
        guard::Reply,
        html::Frame,
        problem::{Kind, Problem},
        request::{Head, Public},
    },
    posted::Posted,
    visit,
};
use crate::{
    civic::Language,
    identity::{
        demo::DEMO_PEOPLE,
        openid::{LOGIN_SECONDS, Profile},
    },
    intake::{Asked, Entered, Place, Proof},
    vault::fill_random,
};

/// How long a cache may keep the page, seconds.
const CACHE_SECONDS: u32 = 60;
/// What the form names instead of a person of the demo: the holder of the card.
const CARD: &str = "card";
/// Random bytes of a visit.
pub(super) const VISIT_BYTES: usize = 16;

#[derive(Template)]
#[template(path = "pages/sign_in.html")]
struct SignIn {
    frame: Frame,
    people: Vec<Person>,
    /// The browser has shown a card.
    has_card: bool,
    /// SPID, CIE and others, each in an order that favours nobody.
    spid: Vec<String>,
    cie: Vec<String>,
    others: Vec<String>,
}

/// The page from which a browser goes on to an identity provider.
#[derive(Template)]
#[template(path = "pages/going.html")]
struct Going<'p> {
    frame: Frame,
    provider: &'p str,
    url: String,
}

/// A person of the demo, whom everybody may be.
struct Person {
    name: &'static str,
    what: &'static str,
}

pub(super) fn show(public: &Public, language: Language, head: &Head<'_>) -> Reply {
    let people = DEMO_PEOPLE.iter().filter(|_| public.demo.is_some());
    let people = people.map(|person| Person { name: person.name, what: person.what(language) });
    let page = SignIn {
        frame: Frame::open(language, language.of("Accedi", "Sign in"), "/signin"),
        people: people.collect(),
        spid: shuffled(public, &[Profile::Spid]),
        cie: shuffled(public, &[Profile::Cie]),
        others: shuffled(public, &[Profile::Generic, Profile::Test]),
        has_card: head.certificate().is_some(),
    };
    Reply::page(page.to_string(), language, CACHE_SECONDS)
}

/// The names of the providers with these profiles, in a random order.
fn shuffled(public: &Public, profiles: &[Profile]) -> Vec<String> {
    let of_these = public.counter.intake.providers().filter(|(_, it)| profiles.contains(it));
    let mut drawn: Vec<_> = of_these
        .map(|(name, _)| {
            let mut number = [0; 8];
            fill_random(&mut number);
            (number, name.to_owned())
        })
        .collect();
    drawn.sort_unstable();
    drawn.into_iter().map(|(_, name)| name).collect()
}

/// Signs in the holder of the card that the browser has shown, or in a demo one of its people or whom an identity token
/// names, in a fresh visit, or leads somebody to their identity provider.
pub(super) async fn take(
    public: &Public,
    language: Language,
    head: &Head<'_>,
    body: Unread,
) -> Result<Reply, Problem> {
    let card = head.certificate();
    let posted = Posted::read(public, head, body).await?;
    let provider = posted.of("provider");
    if !provider.is_empty() {
        return go(public, language, head, &provider).await;
    }
    let mut visit = [0; VISIT_BYTES];
    fill_random(&mut visit);
    let visit = URL_SAFE_NO_PAD.encode(visit);
    let name = posted.of("person");
    if name == CARD {
        return enter(public, language, head, &visit, card.ok_or(Kind::NotFound)?).await;
    }
    let minter = public.demo.as_ref().ok_or(Kind::NotFound)?;
    let token = posted.of("token");
    if !token.is_empty() {
        return enter(public, language, head, &visit, Proof::Token(token.trim())).await;
    }
    let person = DEMO_PEOPLE.iter().find(|person| person.name == name).ok_or(Kind::NotFound)?;
    let token = minter.mint_for(person, public.counter.intake.real_now());
    enter(public, language, head, &visit, Proof::Token(&token)).await
}

/// Leads a person to their identity provider. The answer is a page and not a redirect, because browsers apply the policy for
/// forms to all redirects that follow one.
async fn go(
    public: &Public,
    language: Language,
    head: &Head<'_>,
    provider: &str,
) -> Result<Reply, Problem> {
    let (url, kept) = public.counter.intake.begin_sign_in(provider, language, head.from).await?;
    let mut frame = Frame::new(language, language.of("Vai al gestore", "To your provider"));
    frame.leads_to = Some(url.clone());
    let page = Going { frame, provider, url };
    Ok(Reply::page_of_requester(page.to_string(), language)
        .with_login_cookie(&kept, LOGIN_SECONDS)
        .leading_elsewhere())
}

/// Lets a person in, or has them wait. The answer is to a POST, which alone may set the cookie.
pub(super) async fn enter(
    public: &Public,
    language: Language,
    head: &Head<'_>,
    visit: &str,
    proof: Proof<'_>,
) -> Result<Reply, Problem> {
    let go = |rest| Reply::see_other(&visit::path(visit, language, rest));
    match public.counter.intake.enter(Asked { visit, proof, from: head.from }).await? {
        Entered::In(token, _) | Entered::Again(token, _) => {
            Ok(go("/welcome").with_session_cookie(&token))
        }
        Entered::Waiting(Place { waiter, waiting, ticket }) => Ok(go("/waiting")
            .with_session_cookie(&ticket)
            .to_one_who_waits(waiter, waiting.poll_seconds)),
    }
}

/// Ends the session, and has the browser forget it.
pub(super) async fn leave(
    public: &Public,
    head: &Head<'_>,
    token: &str,
    body: Unread,
) -> Result<Reply, Problem> {
    Posted::read_inside(public, head, body).await?;
    public.counter.intake.leave(token).await?;
    let home = format!("/{}", head.language.tag());
    Ok(Reply::see_other(&home).without_session_cookie())
}
