//! Every request from its head to its answer.
//!
//! Checked in this order, so that a refusal is cheap: route, draining, session, load, visit, rate limit. Only then the handler
//! reads the body.

use std::{
    cell::Cell,
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use hyper::{
    Request, Response, Version,
    body::Incoming,
    header::{ACCEPT_LANGUAGE, HOST, HeaderMap},
    http::request::Parts,
};

use super::{
    accept::names_html,
    activity::UnderWay,
    api,
    body::Unread,
    guard::{self, Body, Reply},
    metered::Standing,
    meters::{self, method_label},
    pages,
    problem::{Kind, Language, Problem},
    request::{Authenticated, Head, Public, bearer, one, session_cookie},
    router::{self, Access, Face, Found, Route, find},
};
use crate::{
    clock::Stopwatch,
    gate::{
        admission::Entrance,
        pressure::{Admitted, Class, Shed},
    },
    ledger::journal::OutOfReach,
    metrics as list,
    session::{Session, scope},
    trace::{Part, Traced, time},
};

/// Longest time that a request without a session waits for CPU time; then it is refused.
const STRANGER_PATIENCE: Duration = Duration::from_secs(5);
/// The field that makes a request part of a trace (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";
/// What the paths of visits' pages begin with.
const PAGES_OF_VISITS: &str = "/visit/";

impl Public {
    /// Answers one request. A panic is answered with a 500, and what the request held is released.
    pub async fn answer(
        self: &Rc<Self>,
        request: Request<Incoming>,
        from: Option<IpAddr>,
        under_way: UnderWay,
    ) -> Response<Body> {
        let watch = Stopwatch::start();
        // An idle server would tick for a while after each visit of the canary.
        let _working = (!under_way.standing().is_canarys()).then(|| self.delay.work());
        let (parts, body) = request.into_parts();
        let method = method_label(&parts.method);
        let found = find(&parts.method, parts.uri.path());
        let label = if let Found::Route(route, _) = &found { route.path } else { "unknown" };
        let face = face_of(&found, &parts);
        let body = Unread::new(body, &under_way);
        let standing = under_way.standing();
        let request = Arrived { parts: &parts, face, from, standing, is_inside: Cell::new(false) };
        let mut traced = Traced::begin(one(&parts.headers, TRACEPARENT), method, label);
        let pass = pin!(self.pass(found, &request, body));
        let answered = traced.run(pin!(unwinding(pass))).await;
        let mut response = answered.unwrap_or_else(|| {
            traced.within(|| {
                tracing::error!("a request handler panicked");
                guard::release(problem(face, &Problem::internal(), Language::default()), None)
            })
        });
        let is_misplaced = standing.entrance() == Entrance::Inside && !request.is_inside.get();
        if is_misplaced && standing.refuse() && parts.version <= Version::HTTP_11 {
            response = guard::last(response);
        }
        if parts.method.is_safe() {
            response = guard::without_cookies(response);
        }
        self.meters.count(label, method, response.status(), watch);
        traced.end(response.status().as_u16());
        if method == "HEAD" { guard::without_content(response) } else { response }
    }

    async fn pass(
        self: &Rc<Self>,
        found: Found<'_>,
        &Arrived { parts, face, from, standing, ref is_inside }: &Arrived<'_>,
        body: Unread,
    ) -> Response<Body> {
        let headers = &parts.headers;
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = Language::from_accept_language(accepted);
        let (route, segments) = match found {
            Found::Route(route, segments) => (route, segments),
            Found::WrongMethod { allowed, .. } => {
                return refuse_nowhere(face, &Problem::method_not_allowed(allowed), language);
            }
            Found::Nothing => {
                return refuse_nowhere(face, &nothing_at(parts.uri.path()).into(), language);
            }
        };
        // Pages name their language in their path.
        let named = segments.named("language").and_then(Language::from_tag);
        let language = named.or(route.access.language()).unwrap_or(language);
        let refuse = |problem: Problem| finish(route, Err(problem), language, None);
        if parts.version == Version::HTTP_11 && one(headers, HOST.as_str()).is_none() {
            return refuse(Kind::HostMissing.into());
        }
        if self.draining.is_cancelled() && route.class == Class::Enter {
            return refuse(Problem::shedding(Kind::Draining, "draining"));
        }
        let host = one(headers, HOST.as_str());
        let authority = parts.uri.authority().map_or(host, |authority| Some(authority.as_str()));
        let authority = authority.unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default();
        let certificates = standing.certificates();
        let head = Head { headers, query, segments, from, certificates, authority, language };
        let inside = match route.access {
            Access::Open(_) => None,
            Access::Inside(inside) => match self.recognise(inside, headers).await {
                Ok(inside) => inside,
                Err(fault) => return refuse(fault.into()),
            },
        };
        let Some(Inside { what: inside, token, session }) = inside else {
            let result = match standing.entrance() {
                Entrance::Public => self.answer_stranger(route.access, &head, standing, body).await,
                Entrance::Inside => self.renew(route.access, &head, standing).await,
            };
            is_inside.set(standing.entrance() == Entrance::Inside && result.is_ok());
            return finish(route, result, language, None);
        };
        let strangers = self.counter.intake.admission().strangers();
        standing.is_inside(&session, strangers);
        is_inside.set(true);
        let _admitted = match self.admit(route, &session) {
            Ok(admitted) => admitted,
            Err(shed) => return refuse(shed.into()),
        };
        if !session.visit.is(head.visit()) {
            list::VISIT_MISMATCH.counter(&[]).increment(1);
            tracing::info!("the visit in the path is not that of the session");
            let refused = no_such_visit(inside).into();
            return guard::release(problem(face, &refused, language), None);
        }
        if let Err(too_often) = self.counter.intake.limit(&session) {
            return finish(route, Err(too_often.into()), language, Some(&session));
        }
        let authenticated = Authenticated { token, session: &session };
        let result = scope::within(&session, async |scope| match inside {
            Face::Api(inside) => api::inside(self, inside, scope, &head, authenticated, body).await,
            Face::Page(page) => pages::inside(self, page, scope, &head, authenticated, body).await,
        })
        .await;
        finish(route, result, language, Some(&session))
    }

    /// Counts a request of somebody inside, unless there are too many of its class. The canary is neither counted nor
    /// refused.
    fn admit(&self, route: &Route, session: &Session) -> Result<Option<Admitted>, Shed> {
        if session.is_canary() {
            return Ok(None);
        }
        self.counter.intake.admission().strangers().served_inside();
        session.count_request();
        self.pressure.admit(route.class).map(Some)
    }

    /// The session of a request. Each face has its credential, and looks at no other: a browser sends its cookie along
    /// with requests that another site makes, and a page must not depend on a header that no browser sends.
    async fn recognise<'r>(
        &self,
        inside: Face<router::Inside, router::InsidePage>,
        headers: &'r HeaderMap,
    ) -> Result<Option<Inside<'r>>, OutOfReach> {
        let token = match inside {
            Face::Api(_) => bearer(headers),
            Face::Page(_) => session_cookie(headers),
        };
        let Some(token) = token else { return Ok(None) };
        let session = self.counter.intake.recognise(token).await?;
        Ok(session.map(|session| Inside { what: inside, token, session }))
    }

    /// Answers somebody without a session, once there is CPU time for them; the canary at once.
    async fn answer_stranger(
        &self,
        access: Access,
        head: &Head<'_>,
        standing: &Standing,
        body: Unread,
    ) -> Result<Reply, Problem> {
        let strangers = self.counter.intake.admission().strangers();
        let is_canary = access.enters()
            && bearer(head.headers).is_some_and(|token| self.counter.intake.is_of_canary(token));
        if !is_canary {
            standing.turned_outside();
            let waiting = time(Part::Turn);
            let has_turn = strangers.turn_of_request(STRANGER_PATIENCE).await;
            drop(waiting);
            if !has_turn {
                return Err(Problem::shedding(Kind::Busy, "strangers"));
            }
        }
        let reply = match access {
            Access::Open(Face::Api(open)) => api::open(self, open, head).await,
            Access::Open(Face::Page(page)) => pages::open(self, page, head, body).await,
            Access::Inside(Face::Api(inside)) => api::waiting(self, inside, head),
            Access::Inside(Face::Page(page)) => pages::waiting(self, page, head, body).await,
        }?;
        match reply.waits() {
            Some((waiter, time)) => standing.waits(waiter, time),
            None if access.enters() && reply.lets_in() => standing.has_entered(strangers),
            None => {}
        }
        Ok(reply)
    }

    /// Answers somebody who shows no session at the listener for people inside. Nobody enters or waits there, but a
    /// person inside who has lost the answer with their token gets another one.
    async fn renew(
        &self,
        access: Access,
        head: &Head<'_>,
        standing: &Standing,
    ) -> Result<Reply, Problem> {
        match access {
            Access::Open(Face::Api(router::Open::Enter)) => {
                let reply = api::renew(self, head).await?;
                standing.has_entered(self.counter.intake.admission().strangers());
                Ok(reply)
            }
            Access::Open(_) => Err(Kind::InsideOnly.into()),
            Access::Inside(Face::Api(_)) => Err(Kind::Unauthenticated.into()),
            Access::Inside(page @ Face::Page(_)) => Err(no_such_visit(page).into()),
        }
    }
}

/// A request that has arrived, apart from its route and its body.
struct Arrived<'r> {
    parts: &'r Parts,
    face: Face,
    /// `None` if many people share it.
    from: Option<IpAddr>,
    /// Who uses its connection.
    standing: &'r Standing,
    /// It belongs to somebody inside.
    is_inside: Cell<bool>,
}

/// A request of somebody with a session.
struct Inside<'r> {
    what: Face<router::Inside, router::InsidePage>,
    token: &'r str,
    session: Arc<Session>,
}

/// The answer to a request with a route, through the last gate.
fn finish(
    route: &Route,
    result: Result<Reply, Problem>,
    language: Language,
    session: Option<&Session>,
) -> Response<Body> {
    let reply = result.unwrap_or_else(|refused| {
        meters::note(route, &refused);
        problem(route.face(), &refused, language)
    });
    guard::release(reply, session)
}

/// What is said of a visit that is not the session's, or has none.
fn no_such_visit(inside: Face<router::Inside, router::InsidePage>) -> Kind {
    match inside {
        Face::Api(_) => Kind::NotFound,
        Face::Page(_) => Kind::VisitEnded,
    }
}

/// A problem as the face of its route shows it.
fn problem(face: Face, problem: &Problem, language: Language) -> Reply {
    match face {
        Face::Api(()) => Reply::problem(problem, language),
        Face::Page(()) => Reply::problem_page(problem, language),
    }
}

/// The face of an answer. At a path without a route, the API's paths have the API's face and the paths of visits that of
/// the pages; elsewhere a page is for those who name HTML in `Accept`.
fn face_of(found: &Found<'_>, parts: &Parts) -> Face {
    let path = parts.uri.path();
    match found {
        Found::Route(route, _) => route.face(),
        Found::WrongMethod { face, .. } => *face,
        Found::Nothing if path.starts_with(PAGES_OF_VISITS) => Face::Page(()),
        Found::Nothing if path.starts_with("/v1/") || !names_html(&parts.headers) => Face::Api(()),
        Found::Nothing => Face::Page(()),
    }
}

/// Refuses a request without a route.
fn refuse_nowhere(face: Face, refused: &Problem, language: Language) -> Response<Body> {
    meters::log(refused);
    guard::release(problem(face, refused, language), None)
}

/// What is said at a path without a route: below a visit, the same as without its session.
fn nothing_at(path: &str) -> Kind {
    if path.starts_with(PAGES_OF_VISITS) { Kind::VisitEnded } else { Kind::NotFound }
}

/// Runs a future to its end; `None` if it panics. The caller then drops what the future held.
async fn unwinding<T>(mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(move |context| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Ready(done)) => Poll::Ready(Some(done)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}
