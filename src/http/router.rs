//! One table of all routes, and the way of every request through it.
//!
//! In this order, so that a refusal costs as little as it can: route, drain, pressure, session, rate limit, and only then
//! the use case, which reads the body.

use std::{
    cell::RefCell, collections::HashMap, net::IpAddr, panic::AssertUnwindSafe, rc::Rc, sync::Arc,
    task::Poll,
};

use governor::{DefaultDirectRateLimiter, Quota};
use hyper::{
    Method, Request, Response, Version,
    body::Incoming,
    header::{ACCEPT_LANGUAGE, AUTHORIZATION, HOST, HeaderMap},
};
use metrics::{Counter, Histogram};
use tokio_util::sync::CancellationToken;

use super::{
    api,
    body::{self, Unread},
    guard::{self, Body, Reply},
    problem::{Kind, Language, Problem, SHED_REASONS},
};
use crate::{
    clock::Stopwatch,
    gate::pressure::{Class, Pressure},
    intake::Desk,
    metrics as list,
    session::{Session, scope},
};

/// Log lines a second about refused input; a flood of it must not become a flood of lines.
const INPUT_LOG_PER_SECOND: std::num::NonZeroU32 = std::num::NonZeroU32::new(20).expect("not zero");

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Who may enter now.
    Status,
    /// The description of this API.
    Description,
    /// Log in.
    Enter,
    /// Look at the session.
    ShowSession,
    /// Log out.
    Leave,
    /// Look at the draft.
    ShowDraft,
    /// Keep a draft.
    SaveDraft,
    /// What would be decided today.
    Estimate,
    /// Hand in an application.
    Submit,
    /// Hand in many applications.
    SubmitBatch,
    /// Look at an application.
    ShowApplication,
    /// Withdraw an application.
    Withdraw,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever has an identity token; the use case verifies it.
    Identity,
    /// Whoever has an open session.
    Session,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its method.
    pub method: &'static str,
    /// Its path; the part in braces stands for one segment.
    pub path: &'static str,
    /// What it does.
    pub action: Action,
    /// What it is worth under pressure.
    pub class: Class,
    /// Who may use it.
    pub access: Access,
}

const fn route(
    method: &'static str,
    path: &'static str,
    action: Action,
    class: Class,
    access: Access,
) -> Route {
    Route { method, path, action, class, access }
}

/// Every route of the public listener.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/status", Action::Status, Class::Read, Access::Public),
    route("GET", "/openapi.json", Action::Description, Class::Read, Access::Public),
    route("POST", "/v1/sessions", Action::Enter, Class::Enter, Access::Identity),
    route("GET", "/v1/session", Action::ShowSession, Class::Read, Access::Session),
    route("DELETE", "/v1/session", Action::Leave, Class::Step, Access::Session),
    route("GET", "/v1/draft", Action::ShowDraft, Class::Read, Access::Session),
    route("PUT", "/v1/draft", Action::SaveDraft, Class::Step, Access::Session),
    route("POST", "/v1/estimates", Action::Estimate, Class::Step, Access::Session),
    route("POST", "/v1/applications", Action::Submit, Class::Finish, Access::Session),
    route("POST", "/v1/batches", Action::SubmitBatch, Class::Finish, Access::Session),
    route(
        "GET",
        "/v1/applications/{receipt}",
        Action::ShowApplication,
        Class::Read,
        Access::Session,
    ),
    route("DELETE", "/v1/applications/{receipt}", Action::Withdraw, Class::Step, Access::Session),
];

/// What a path leads to.
enum Found<'r> {
    Route(&'static Route, &'r str),
    WrongMethod { allowed: String },
    Nothing,
}

fn find<'r>(method: &Method, path: &'r str) -> Found<'r> {
    // A HEAD is answered as its GET, without the content.
    let wanted = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut allowed = Vec::new();
    for route in ROUTES {
        if let Some(segment) = segment_of(route.path, path) {
            if route.method == wanted {
                return Found::Route(route, segment);
            }
            allowed.push(route.method);
        }
    }
    if allowed.is_empty() {
        return Found::Nothing;
    }
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    Found::WrongMethod { allowed: allowed.join(", ") }
}

/// The segment that stands for `{receipt}`, empty if the pattern has none; nothing if the path is another.
fn segment_of<'r>(pattern: &str, path: &'r str) -> Option<&'r str> {
    match pattern.split_once('{') {
        Some((stem, _)) => {
            path.strip_prefix(stem).filter(|rest| !rest.is_empty() && !rest.contains('/'))
        }
        None => (pattern == path).then_some(""),
    }
}

/// One runtime's public side.
pub struct Public {
    /// The use cases.
    pub desk: Rc<Desk>,
    /// How much is under way on all runtimes.
    pub pressure: Pressure,
    /// Bounds of bodies.
    pub body: body::Config,
    /// Cancelled when the server is to stop.
    pub draining: CancellationToken,
    /// This runtime's meters.
    pub meters: Meters,
}

/// Meters of requests, looked up once; and a brake on the log.
pub struct Meters {
    answered: RefCell<HashMap<(&'static str, &'static str, u16), Counter>>,
    durations: RefCell<HashMap<&'static str, Histogram>>,
    input_log: DefaultDirectRateLimiter,
}

impl Default for Meters {
    fn default() -> Self {
        for class in Class::ALL {
            for reason in SHED_REASONS {
                list::SHED.counter(&[class.as_str(), reason]).increment(0);
            }
        }
        Self {
            answered: RefCell::default(),
            durations: RefCell::default(),
            input_log: DefaultDirectRateLimiter::direct(Quota::per_second(INPUT_LOG_PER_SECOND)),
        }
    }
}

/// What a use case is given of its request.
pub struct Asked<'r> {
    /// Its header fields.
    pub headers: &'r HeaderMap,
    /// The segment of the path that varies.
    pub segment: &'r str,
    /// From where it comes.
    pub from: IpAddr,
    /// In which language to answer.
    pub language: Language,
}

/// The session that a request came under.
pub struct Login<'r> {
    /// Its token, as it was sent.
    pub token: &'r str,
    /// The session itself.
    pub session: &'r Arc<Session>,
}

impl Public {
    /// Answers one request. Never fails: a panic on the way is answered with a 500, and what it held is returned.
    pub async fn answer(
        self: &Rc<Self>,
        request: Request<Incoming>,
        from: IpAddr,
    ) -> Response<Body> {
        let watch = Stopwatch::start();
        let method = method_label(request.method());
        let path = request.uri().path().to_owned();
        let found = find(request.method(), &path);
        let label = if let Found::Route(route, _) = &found { route.path } else { "unknown" };
        let response = unwinding(self.pass(found, request, from)).await.unwrap_or_else(|| {
            tracing::error!(route = label, "a request panicked");
            guard::release(Reply::problem(&Problem::internal(), Language::default()), None)
        });
        self.meters.count(label, method, response.status().as_u16(), watch);
        if method == "HEAD" { guard::without_content(response) } else { response }
    }

    async fn pass(
        self: &Rc<Self>,
        found: Found<'_>,
        request: Request<Incoming>,
        from: IpAddr,
    ) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = Unread::new(body);
        let accepted = head.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = Language::from_accept_language(accepted);
        let (route, segment) = match found {
            Found::Route(route, segment) => (route, segment),
            Found::WrongMethod { allowed } => {
                let problem = Problem::method_not_allowed(allowed);
                return guard::release(Reply::problem(&problem, language), None);
            }
            Found::Nothing => {
                return guard::release(Reply::problem(&Kind::NotFound.into(), language), None);
            }
        };
        let refuse = |problem: Problem| self.finish(route, Err(problem), language, None);
        if head.version == Version::HTTP_11 && one(&head.headers, HOST.as_str()).is_none() {
            return refuse(Kind::HostMissing.into());
        }
        if self.draining.is_cancelled() && route.class == Class::Enter {
            return refuse(Problem::shedding(Kind::Draining, "draining"));
        }
        let _admitted = match self.pressure.admit(route.class) {
            Ok(admitted) => admitted,
            Err(shed) => return refuse(shed.into()),
        };
        let asked = Asked { headers: &head.headers, segment, from, language };
        if route.access != Access::Session {
            let result = api::without_session(self, route.action, &asked);
            return self.finish(route, result, language, None);
        }
        let intake = &self.desk.intake;
        let token = bearer(&head.headers).unwrap_or_default();
        let Some(session) = intake.sessions.find(token, intake.clock.now()) else {
            return refuse(Kind::Unauthenticated.into());
        };
        if let Err(too_often) = intake.limits.session_of(session.person) {
            return self.finish(route, Err(too_often.into()), language, Some(&session));
        }
        let action = route.action;
        let result = scope::within(&session, async |scope| {
            api::within_session(
                self,
                action,
                scope,
                &asked,
                Login { token, session: &session },
                body,
            )
            .await
        })
        .await;
        self.finish(route, result, language, Some(&session))
    }

    fn finish(
        &self,
        route: &Route,
        result: Result<Reply, Problem>,
        language: Language,
        session: Option<&Session>,
    ) -> Response<Body> {
        let reply = result.unwrap_or_else(|problem| {
            self.meters.note(route, &problem);
            Reply::problem(&problem, language)
        });
        guard::release(reply, session)
    }
}

impl Meters {
    fn count(&self, route: &'static str, method: &'static str, status: u16, watch: Stopwatch) {
        let mut answered = self.answered.borrow_mut();
        let counter = answered
            .entry((route, method, status))
            .or_insert_with(|| list::REQUESTS.counter(&[route, method, status_label(status)]));
        counter.increment(1);
        let mut durations = self.durations.borrow_mut();
        let duration =
            durations.entry(route).or_insert_with(|| list::REQUEST_DURATION.histogram(&[route]));
        duration.record(watch.elapsed());
    }

    /// Counts who was turned away for the sake of others, and says which input was refused and why, by kind and count:
    /// nothing of the input itself.
    fn note(&self, route: &Route, problem: &Problem) {
        if let Some(reason) = problem.shed() {
            list::SHED.counter(&[route.class.as_str(), reason]).increment(1);
        } else if problem.kind().status().is_client_error() && self.input_log.check().is_ok() {
            tracing::info!(
                route = route.path,
                problem = problem.kind().slug(),
                faults = problem.faults(),
                "input refused"
            );
        }
    }
}

/// The value of a header field that must be there once: two would be read differently by whoever stands in between.
pub(super) fn one<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// The token of an `Authorization: Bearer` field (RFC 6750).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = one(headers, AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Runs a future to its end, or to nothing if it panics; what it held is dropped either way.
async fn unwinding<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(move |context| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Ready(done)) => Poll::Ready(Some(done)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

/// Label values are a closed set, or a stranger could fill the memory with made-up methods.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

fn status_label(status: u16) -> &'static str {
    const PLAIN: [(u16, &str); 3] = [(200, "200"), (201, "201"), (204, "204")];
    const PROBLEMS: [(u16, &str); 14] = [
        (400, "400"),
        (401, "401"),
        (403, "403"),
        (404, "404"),
        (405, "405"),
        (408, "408"),
        (409, "409"),
        (413, "413"),
        (415, "415"),
        (422, "422"),
        (429, "429"),
        (500, "500"),
        (503, "503"),
        (202, "202"),
    ];
    let found = PLAIN.iter().chain(&PROBLEMS).find(|(known, _)| *known == status);
    found.map_or("other", |(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads_to(method: &str, path: &str) -> String {
        match find(&method.parse().unwrap(), path) {
            Found::Route(route, segment) => format!("{:?} {segment}", route.action),
            Found::WrongMethod { allowed } => format!("only {allowed}"),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn paths_lead_where_the_table_says() {
        for (method, path, expected) in [
            ("GET", "/v1/status", "Status "),
            ("HEAD", "/v1/status", "Status "),
            ("POST", "/v1/applications", "Submit "),
            ("GET", "/v1/applications/ISCRO-1", "ShowApplication ISCRO-1"),
            ("PATCH", "/v1/applications/ISCRO-1", "only GET, DELETE, HEAD"),
            ("GET", "/v1/applications", "only POST"),
            ("GET", "/v1/applications/", "nothing"),
            ("GET", "/v1/applications/a/b", "nothing"),
            ("GET", "/v1/status/", "nothing"),
            ("GET", "//v1/status", "nothing"),
        ] {
            assert_eq!(leads_to(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn every_status_that_we_answer_has_a_label() {
        for kind in Kind::ALL {
            assert_ne!(status_label(kind.status().as_u16()), "other", "{}", kind.slug());
        }
    }
}
