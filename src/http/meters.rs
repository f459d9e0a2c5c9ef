//! Metrics of requests, and log lines about refused ones.

use std::{cell::RefCell, collections::HashMap};

use hyper::{Method, StatusCode};
use metrics::{Counter, Histogram};

use super::{
    problem::{Problem, SHED_REASONS},
    router::Route,
};
use crate::{clock::Stopwatch, gate::pressure::Class, metrics as list};

/// One runtime's metrics of requests, each registered once.
pub struct Meters {
    answered: RefCell<HashMap<(&'static str, &'static str, StatusCode), Counter>>,
    durations: RefCell<HashMap<&'static str, Histogram>>,
}

impl Default for Meters {
    fn default() -> Self {
        for class in Class::ALL {
            for reason in SHED_REASONS {
                list::SHED.counter(&[class.as_str(), reason]).increment(0);
            }
        }
        for session in ["shown", "none"] {
            list::INSIDE_CONNECTIONS.counter(&[session]).increment(0);
        }
        Self { answered: RefCell::default(), durations: RefCell::default() }
    }
}

impl Meters {
    /// Counts an answer, and the time since the request's head.
    pub(super) fn count(
        &self,
        route: &'static str,
        method: &'static str,
        status: StatusCode,
        watch: Stopwatch,
    ) {
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
}

/// Counts a shed request, or logs another one that was refused or has failed.
pub(super) fn note(route: &Route, problem: &Problem) {
    if let Some(reason) = problem.shed() {
        list::SHED.counter(&[route.class.as_str(), reason]).increment(1);
    } else {
        log(problem);
    }
}

/// Logs a request that was refused or has failed: nothing of its input.
pub(super) fn log(problem: &Problem) {
    let (kind, faults) = (problem.kind().slug(), problem.faults());
    if problem.kind().status().is_client_error() {
        tracing::info!(problem = kind, faults, "input refused");
    } else {
        tracing::error!(problem = kind, "a request failed");
    }
}

/// Label values are a closed set: otherwise a client could fill the memory with made-up methods.
pub(super) fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

fn status_label(status: StatusCode) -> &'static str {
    static KNOWN: [StatusCode; 19] = [
        StatusCode::OK,
        StatusCode::CREATED,
        StatusCode::ACCEPTED,
        StatusCode::NO_CONTENT,
        StatusCode::BAD_REQUEST,
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::CONFLICT,
        StatusCode::PRECONDITION_FAILED,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    KNOWN.iter().find(|known| **known == status).map_or("other", StatusCode::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::problem::Kind;

    #[test]
    fn every_status_that_we_answer_has_a_label() {
        let done =
            [StatusCode::OK, StatusCode::CREATED, StatusCode::ACCEPTED, StatusCode::NO_CONTENT];
        for status in Kind::ALL.iter().map(|kind| kind.status()).chain(done) {
            assert_eq!(status_label(status), status.as_str());
        }
    }
}
