//! Every request from its head to its answer.
//!
//! Checked in this order, so that a refusal is cheap: route, draining, load, session, visit, rate limit. Only then the handler
//! reads the body.

use std::{net::IpAddr, panic::AssertUnwindSafe, rc::Rc, task::Poll, time::Duration};

use hyper::{
    Request, Response, Version,
    body::Incoming,
    header::{ACCEPT_LANGUAGE, HOST},
    http::request::Parts,
};

use super::{
    activity::UnderWay,
    api,
    body::Unread,
    guard::{self, Body, Reply},
    metered::Standing,
    meters::method_label,
    problem::{Kind, Language, Problem},
    request::{Authenticated, Head, Public, bearer, one},
    router::{Access, Found, Open, Route, find},
};
use crate::{
    clock::Stopwatch,
    gate::pressure::Class,
    metrics as list,
    session::{Session, scope},
};

/// Longest time that a request without a session waits for CPU time; then it is refused.
const STRANGER_PATIENCE: Duration = Duration::from_secs(5);

impl Public {
    /// Answers one request. A panic is answered with a 500, and what the request held is released.
    pub async fn answer(
        self: &Rc<Self>,
        request: Request<Incoming>,
        from: IpAddr,
        under_way: UnderWay,
    ) -> Response<Body> {
        let watch = Stopwatch::start();
        let _working = self.delay.work();
        let (parts, body) = request.into_parts();
        let method = method_label(&parts.method);
        let found = find(&parts.method, parts.uri.path());
        let label = if let Found::Route(route, _) = &found { route.path } else { "unknown" };
        let body = Unread::new(body, &under_way);
        let pass = std::pin::pin!(self.pass(found, &parts, body, from, under_way.standing()));
        let response = unwinding(pass).await.unwrap_or_else(|| {
            tracing::error!(route = label, "a request handler panicked");
            guard::release(Reply::problem(&Problem::internal(), Language::default()), None)
        });
        self.meters.count(label, method, response.status(), watch);
        if method == "HEAD" { guard::without_content(response) } else { response }
    }

    async fn pass(
        self: &Rc<Self>,
        found: Found<'_>,
        parts: &Parts,
        body: Unread,
        from: IpAddr,
        standing: &Standing,
    ) -> Response<Body> {
        let headers = &parts.headers;
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = Language::from_accept_language(accepted);
        let (route, segments) = match found {
            Found::Route(route, segments) => (route, segments),
            Found::WrongMethod { allowed } => {
                let problem = Problem::method_not_allowed(allowed);
                return guard::release(Reply::problem(&problem, language), None);
            }
            Found::Nothing => {
                return guard::release(Reply::problem(&Kind::NotFound.into(), language), None);
            }
        };
        let refuse = |problem: Problem| self.finish(route, Err(problem), language, None);
        if parts.version == Version::HTTP_11 && one(headers, HOST.as_str()).is_none() {
            return refuse(Kind::HostMissing.into());
        }
        if self.draining.is_cancelled() && route.class == Class::Enter {
            return refuse(Problem::shedding(Kind::Draining, "draining"));
        }
        let head = Head { headers, segments, from, language };
        let intake = &self.counter.intake;
        let token = bearer(headers).unwrap_or_default();
        let known = match route.access {
            Access::Open(_) => None,
            Access::Inside(inside) => intake.recognise(token).map(|session| (inside, session)),
        };
        let Some((inside, session)) = known else {
            let strangers = intake.admission().strangers();
            standing.turned_outside();
            if !strangers.turn_of_request(STRANGER_PATIENCE).await {
                return refuse(Problem::shedding(Kind::Busy, "strangers"));
            }
            let result = match route.access {
                Access::Open(open) => api::open(self, open, &head),
                Access::Inside(inside) => api::waiting(self, inside, &head),
            };
            match result.as_ref().map(Reply::returns_in) {
                Ok(Some(time)) => standing.returns_in(time),
                Ok(None) if route.access == Access::Open(Open::Enter) => {
                    standing.has_entered(strangers);
                }
                _ => {}
            }
            return self.finish(route, result, language, None);
        };
        let strangers = intake.admission().strangers();
        standing.is_inside(&session, strangers);
        strangers.served_inside();
        session.count_request();
        let _admitted = match self.pressure.admit(route.class) {
            Ok(admitted) => admitted,
            Err(shed) => return refuse(shed.into()),
        };
        if !session.visit.is(head.visit()) {
            list::VISIT_MISMATCH.counter(&[]).increment(1);
            return refuse(Kind::NotFound.into());
        }
        if let Err(too_often) = intake.limit(&session) {
            return self.finish(route, Err(too_often.into()), language, Some(&session));
        }
        let authenticated = Authenticated { token, session: &session };
        let result = scope::within(&session, async |scope| {
            api::inside(self, inside, scope, &head, authenticated, body).await
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

/// Runs a future to its end; `None` if it panics. The caller then drops what the future held.
async fn unwinding<T>(mut work: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(move |context| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Ready(done)) => Poll::Ready(Some(done)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}
