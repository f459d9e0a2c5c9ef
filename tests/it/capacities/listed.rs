//! When a person may list applications; a model.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::model::Applicant;

/// A person may ask once in this time, in whatever capacity.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// When a request was sent, and when its answer was there: the server saw it between the two.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
}

/// The last list that each person was shown.
#[derive(Default)]
pub(crate) struct Lists(HashMap<Applicant, Asked>);

impl Lists {
    /// Whether the server may refuse a request as too early.
    pub(crate) fn may_refuse(&self, who: Applicant, asked: Asked) -> bool {
        let last = self.0.get(&who);
        last.is_some_and(|last| asked.sent.duration_since(last.answered) < ASKED_EVERY)
    }

    /// Whether it may show a list.
    pub(crate) fn may_show(&self, who: Applicant, asked: Asked) -> bool {
        let last = self.0.get(&who);
        last.is_none_or(|last| asked.answered.duration_since(last.sent) >= ASKED_EVERY)
    }

    pub(crate) fn shown(&mut self, who: Applicant, asked: Asked) {
        self.0.insert(who, asked);
    }
}
