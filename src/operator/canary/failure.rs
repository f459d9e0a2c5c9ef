//! What goes wrong in a round of the canary.

use metrics::Counter;

use crate::metrics as list;

/// Why a check failed, a label of its metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Reason {
    /// An answer holds something of the other synthetic person, or was rendered for somebody else.
    Mixup,
    /// An answer is not what was saved or submitted.
    WrongAnswer,
    /// The server refused a request.
    Refused,
    /// No connection, or no answer in time.
    NoAnswer,
    /// The server showed another certificate than the one in force.
    Certificate,
}

impl Reason {
    const ALL: [Self; 5] =
        [Self::Mixup, Self::WrongAnswer, Self::Refused, Self::NoAnswer, Self::Certificate];

    fn as_str(self) -> &'static str {
        match self {
            Self::Mixup => "mixup",
            Self::WrongAnswer => "wrong-answer",
            Self::Refused => "refused",
            Self::NoAnswer => "no-answer",
            Self::Certificate => "certificate",
        }
    }
}

/// A check that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    /// Which step of the round.
    pub(super) step: &'static str,
    /// What was found, without any content of an answer.
    pub(super) found: String,
}

impl Failure {
    pub(super) fn new(reason: Reason, step: &'static str, found: &impl ToString) -> Self {
        Self { reason, step, found: found.to_string() }
    }
}

/// Counts failures and says them in the log.
pub(super) struct Failures {
    counters: [Counter; Reason::ALL.len()],
    /// The latest round failed: silence is reported once.
    is_failing: bool,
}

impl Failures {
    /// No round has failed yet.
    pub(super) fn none() -> Self {
        // They begin at 0: Prometheus sees no increase of a series that begins at its first event.
        let counters = Reason::ALL.map(|reason| {
            let counter = list::CANARY_FAILURES.counter(&[reason.as_str()]);
            counter.increment(0);
            counter
        });
        Self { counters, is_failing: false }
    }

    /// A round failed. A mix-up is always in the log; of other failures that follow each other only the first one.
    pub(super) fn add(&mut self, Failure { reason, step, found }: &Failure) {
        self.counters[*reason as usize].increment(1);
        let why = reason.as_str();
        if *reason == Reason::Mixup {
            tracing::error!(
                step,
                found,
                "the canary got data that are not its own: drain this server, keep its log, find the cause"
            );
        } else if !self.is_failing {
            tracing::warn!(why, step, found, "a visit of the canary failed");
        }
        self.is_failing = true;
    }

    /// A round was completed.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("the canary completes its visits again");
        }
    }
}
