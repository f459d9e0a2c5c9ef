//! Why a command or a run did not happen: the errors that reach the user.

use std::{io, path::PathBuf};

use crate::{identity::IdentityFault, mandates::MandateFault, preflight::PreflightFault};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Wrong usage; the text says what is allowed.
    #[error("{0}")]
    Usage(String),
    /// A run failed.
    #[error(transparent)]
    Run(#[from] RunFault),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Unwritten {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that the command needs is missing or does not work; the text says what to do.
    #[error("{0}")]
    Needs(String),
}

impl Fault {
    /// True when the command line must change before the command can work.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_))
    }
}

/// Why a run did not start, or why its figures are incomplete.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// The server is not ready for it.
    #[error(transparent)]
    Preflight(#[from] PreflightFault),
    /// The profile plays intermediaries and there are no identities for them.
    #[error(
        "the profile plays intermediaries: make their identities with \
         `sportello mint --office ID --count N > offices.tsv` and give `--office-tokens offices.tsv`"
    )]
    NoOffices,
    /// There are not enough identities.
    #[error(transparent)]
    Identities(#[from] IdentityFault),
    /// The clients have no mandates.
    #[error(transparent)]
    Mandates(#[from] MandateFault),
    /// The receipts file cannot be written.
    #[error("cannot write the receipts to {path}: {source}")]
    Receipts {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operator listener does not answer.
    #[error("cannot read the server's metrics: {0}; leave out --operator to run without them")]
    Operator(io::Error),
    /// The system cannot start a runtime.
    #[error("cannot start a runtime: {0}")]
    Runtime(io::Error),
}
