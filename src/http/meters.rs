//! Meters of requests, and a brake on what is logged about them.

use std::{cell::RefCell, collections::HashMap};

use governor::{DefaultDirectRateLimiter, Quota};
use hyper::Method;
use metrics::{Counter, Histogram};

use super::{
    problem::{Problem, SHED_REASONS},
    router::Route,
};
use crate::{clock::Stopwatch, gate::pressure::Class, metrics as list};

/// Log lines a second about refused input; a flood of it must not become a flood of lines.
const INPUT_LOG_PER_SECOND: std::num::NonZeroU32 = std::num::NonZeroU32::new(20).expect("not zero");

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

impl Meters {
    /// Counts an answer and its time.
    pub(super) fn count(
        &self,
        route: &'static str,
        method: &'static str,
        status: u16,
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

    /// Counts who was turned away for the sake of others, and says which input was refused and why, by kind and count:
    /// nothing of the input itself.
    pub(super) fn note(&self, route: &Route, problem: &Problem) {
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

/// Label values are a closed set, or a stranger could fill the memory with made-up methods.
pub(super) fn method_label(method: &Method) -> &'static str {
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
    use crate::http::problem::Kind;

    #[test]
    fn every_status_that_we_answer_has_a_label() {
        for kind in Kind::ALL {
            assert_ne!(status_label(kind.status().as_u16()), "other", "{}", kind.slug());
        }
    }
}
