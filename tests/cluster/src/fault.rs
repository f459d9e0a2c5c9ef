//! What can go wrong with a cluster.

use std::{io, time::Duration};

/// A fault of the machine, of a server, or of what was asked of them.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A program could not be run, or a file not be written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A program or a server answered with an error.
    #[error("{what}: {said}")]
    Failed {
        /// What was tried.
        what: String,
        /// The text of the error.
        said: String,
    },
    /// Something did not happen in time.
    #[error("waited {bound:?} in vain until {what}")]
    TimedOut {
        /// What was awaited.
        what: String,
        /// The bound.
        bound: Duration,
    },
    /// A promotion was refused because it could lose acknowledged records.
    #[error("refused: {0}")]
    Unsafe(String),
}

impl Fault {
    pub(crate) fn failed(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), said: said.into() }
    }

    /// Makes the fault of a failed system call, for `map_err`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
