//! What may come between a batch and its commit.

use super::super::fault::{StorageFault, StoreError, StoreErrorKind};

/// Why something did not happen at the database.
#[derive(Debug, thiserror::Error)]
pub(super) enum Setback {
    /// The database did not answer, refused, or answered too late. A commit that was under way is unknown.
    #[error("{0}")]
    Away(String),
    /// The settings of the primary do not make a commit durable. What to set, a line each.
    #[error("the settings of the primary make no commit durable: {}", .0.join("; "))]
    Unsafe(Vec<String>),
    /// Another node was first: decide again.
    #[error("another node was first")]
    Raced,
    /// What is stored contradicts itself.
    #[error(transparent)]
    Storage(#[from] StorageFault),
}

/// States of the server in which nothing was written and the same transaction may succeed: deadlock, serialization.
const RACED: [&str; 2] = ["40P01", "40001"];

impl From<tokio_postgres::Error> for Setback {
    fn from(fault: tokio_postgres::Error) -> Self {
        match fault.code() {
            Some(code) if RACED.contains(&code.code()) => Self::Raced,
            // The server's own words and its code: they hold no data of ours, because every value is a parameter.
            Some(code) => {
                let said = fault.as_db_error().map(tokio_postgres::error::DbError::message);
                Self::Away(format!("{} ({})", said.unwrap_or_default(), code.code()))
            }
            None => Self::Away(with_causes(&fault)),
        }
    }
}

/// A fault and what caused it, in one line.
pub(super) fn with_causes(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

impl From<Setback> for StorageFault {
    /// For reads: what could not be read now may be readable in a moment.
    fn from(setback: Setback) -> Self {
        match setback {
            Setback::Storage(fault) => fault,
            other => Self::Store(StoreError::new(other, StoreErrorKind::Other)),
        }
    }
}
