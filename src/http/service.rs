//! The way of every request from its head to its answer.
//!
//! In this order, so that a refusal costs as little as it can: route, drain, pressure, session, rate limit, and only then
//! the use case, which reads the body.

use std::{net::IpAddr, panic::AssertUnwindSafe, rc::Rc, task::Poll};

use hyper::{
    Request, Response, Version,
    body::Incoming,
    header::{ACCEPT_LANGUAGE, HOST},
};

use super::{
    activity::UnderWay,
    api,
    body::Unread,
    guard::{self, Body, Reply},
    meters::method_label,
    problem::{Kind, Language, Problem},
    request::{Asked, Login, Public, bearer, one},
    router::{Access, Found, Route, find},
};
use crate::{
    clock::Stopwatch,
    gate::pressure::Class,
    session::{Session, scope},
};

impl Public {
    /// Answers one request. Never fails: a panic on the way is answered with a 500, and what it held is returned.
    pub async fn answer(
        self: &Rc<Self>,
        request: Request<Incoming>,
        from: IpAddr,
        under_way: UnderWay,
    ) -> Response<Body> {
        let watch = Stopwatch::start();
        let method = method_label(request.method());
        let path = request.uri().path().to_owned();
        let found = find(request.method(), &path);
        let label = if let Found::Route(route, _) = &found { route.path } else { "unknown" };
        let pass = std::pin::pin!(self.pass(found, request, from, &under_way));
        let response = unwinding(pass).await.unwrap_or_else(|| {
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
        under_way: &UnderWay,
    ) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = Unread::new(body, under_way);
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
        let Some(session) = intake.recognise(token) else {
            return refuse(Kind::Unauthenticated.into());
        };
        if let Err(too_often) = intake.limit(&session) {
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

/// Runs a future to its end, or to nothing if it panics. Its owner drops what it held.
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
