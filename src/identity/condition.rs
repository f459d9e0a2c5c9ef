//! Whether the keys of an issuer are still the ones that it publishes, for the log and the metrics.

use std::{
    fmt::Display,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::jwks::Skipped;
use crate::clock::Stopwatch;

/// What is known about the keys of one issuer.
#[derive(Debug)]
pub(super) struct Condition {
    /// Name of the issuer, in the log.
    issuer: String,
    /// Guards a few words; never held during a read or a fetch.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the keys in use were last confirmed, and how old that confirmation was then.
    confirmed: Option<(Stopwatch, Duration)>,
    /// The fault since then, if there is one: the same is logged once.
    fault: Option<String>,
    faults: u64,
    skipped: Vec<Skipped>,
}

impl Condition {
    /// Of an issuer whose keys are not known yet.
    pub(super) fn unknown(issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), state: Mutex::default() }
    }

    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes that the issuer published the keys in use `ago`.
    pub(super) fn confirm(&self, ago: Duration) {
        let recovered = self.with(|state| {
            state.confirmed = Some((Stopwatch::start(), ago));
            state.fault.take()
        });
        if recovered.is_some() {
            tracing::info!(issuer = self.issuer, "the issuer's keys can be read again");
        }
    }

    /// Notes which keys of the set in use were skipped.
    pub(super) fn skip(&self, skipped: &[Skipped]) {
        let changed = self.with(|state| {
            let changed = state.skipped != skipped;
            state.skipped = skipped.to_vec();
            changed
        });
        for key in skipped.iter().filter(|_| changed) {
            tracing::warn!(issuer = self.issuer, %key, "a key of the issuer is not used");
        }
    }

    /// Notes that the keys could not be read: those in use stay.
    pub(super) fn fail(&self, fault: &dyn Display) {
        let fault = fault.to_string();
        let is_news = self.with(|state| {
            state.faults += 1;
            let is_news = state.fault.as_ref() != Some(&fault);
            if is_news {
                state.fault = Some(fault.clone());
            }
            is_news
        });
        if is_news {
            tracing::error!(
                issuer = self.issuer,
                fault,
                "the issuer's keys cannot be read: those in use stay"
            );
        }
    }

    /// The time since the keys in use were confirmed; `None` if there are none.
    pub(super) fn age(&self) -> Option<Duration> {
        self.with(|state| state.confirmed.map(|(since, ago)| since.elapsed() + ago))
    }

    /// Failed tries since the start.
    pub(super) fn faults(&self) -> u64 {
        self.with(|state| state.faults)
    }
}
