//! What clients asked and were answered, and whether that agrees with the promises.
//!
//! A history is the operations of many clients, each with the times between which it took effect, if it did. It is
//! kept as NDJSON, an operation a line, so that a failure can be looked at and checked again. [`check()`] needs no
//! order of the lines and no common clock but that of the one recording process.

mod check;
mod index;
mod personal;
#[cfg(test)]
mod tests;

use std::{
    io::{self, BufRead, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use serde::{Deserialize, Serialize};

pub use self::check::{DEADLOCK, Expect, Kind, Violation, check};
use crate::clock;

/// One request of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Who asked; one client asks one thing after the other.
    pub client: u32,
    /// Microseconds from the beginning of the history to the request.
    pub invoked_us: u64,
    /// The same to its answer; the end of the waiting if there was none.
    pub returned_us: u64,
    /// What was asked.
    pub call: Call,
    /// What was answered.
    pub outcome: Outcome,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "ask")]
pub enum Call {
    /// Hands in an application.
    Submit(Submission),
    /// Looks for a receipt code.
    Read {
        /// The code.
        code: String,
    },
    /// Withdraws an application; its person may apply again.
    Withdraw {
        /// Its code.
        code: String,
    },
    /// Decides a case.
    Decide {
        /// Its code.
        code: String,
        /// The decision.
        verdict: String,
    },
    /// Asks for something that never changes, such as a receipt.
    Show {
        /// What.
        what: String,
    },
    /// Saves a draft, of which only the last one is kept. One client saves one draft after the other.
    SaveDraft {
        /// Whose.
        of: String,
        /// Its content.
        text: String,
    },
    /// Reads a draft.
    ReadDraft {
        /// Whose.
        of: String,
    },
    /// Ends what a token opens: its session, or the token alone, for a fresh one.
    EndToken {
        /// Its name.
        token: String,
    },
    /// Uses a token.
    UseToken {
        /// Its name.
        token: String,
    },
}

/// An application as handed in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Submission {
    /// The person, scheme and campaign, of which there may be one application.
    pub claim: String,
    /// The idempotency key, scoped by the claim.
    pub key: String,
    /// Its content.
    pub body: String,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "answer")]
pub enum Outcome {
    /// Submitted, and stored.
    Accepted {
        /// The receipt code.
        code: String,
    },
    /// Submitted before with this key, and stored then.
    Replayed {
        /// The receipt code of then.
        code: String,
    },
    /// The claim has an application with another key.
    AlreadyApplied {
        /// Its code if it was told.
        code: Option<String>,
    },
    /// Not done, for certain.
    Refused {
        /// Why.
        reason: String,
    },
    /// Done or not: the answer did not come, or says that nobody knows.
    Unknown,
    /// Read, and there.
    Found {
        /// As it is stored.
        submission: Submission,
        /// All decisions stored for it.
        decisions: Vec<String>,
        /// Whether it is withdrawn.
        #[serde(default)]
        withdrawn: bool,
    },
    /// Read, and not there.
    Absent,
    /// Withdrawn by this request.
    Withdrawn,
    /// Decided by this request.
    Decided,
    /// Shown.
    Shown {
        /// As it is.
        text: String,
    },
    /// Done: a draft is saved, a token ended.
    Done,
    /// The token opened something.
    Recognised,
    /// The token opened nothing.
    Unrecognised,
}

/// Collects the history of clients that run at the same time.
#[derive(Debug)]
pub struct Recorder {
    begun: Instant,
    operations: Mutex<Vec<Operation>>,
    last_accepted_us: AtomicU64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            begun: clock::now(),
            operations: Mutex::default(),
            last_accepted_us: AtomicU64::new(0),
        }
    }
}

impl Recorder {
    /// The time of a request, to be passed to [`record`](Self::record).
    #[must_use]
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Records an operation that ends now.
    pub fn record(&self, client: u32, invoked_us: u64, call: Call, outcome: Outcome) {
        if matches!(outcome, Outcome::Accepted { .. }) {
            self.last_accepted_us.fetch_max(invoked_us, Ordering::Relaxed);
        }
        let operation = Operation { client, invoked_us, returned_us: self.now_us(), call, outcome };
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }

    /// When the latest request was made that was accepted: later than a fault's end, and the ledger works again.
    #[must_use]
    pub fn last_accepted_us(&self) -> u64 {
        self.last_accepted_us.load(Ordering::Relaxed)
    }

    /// Everything so far.
    #[must_use]
    pub fn history(&self) -> Vec<Operation> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Writes a history, an operation a line.
///
/// # Errors
///
/// If the writer fails.
pub fn write(history: &[Operation], mut to: impl Write) -> io::Result<()> {
    for operation in history {
        serde_json::to_writer(&mut to, operation)?;
        to.write_all(b"\n")?;
    }
    to.flush()
}

/// Reads a history.
///
/// # Errors
///
/// If the reader fails, or a line is no operation.
pub fn read(from: impl BufRead) -> io::Result<Vec<Operation>> {
    from.lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}
