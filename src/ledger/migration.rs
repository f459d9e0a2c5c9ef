//! Moving what a server keeps from files into the database, and back.

use super::{
    audit::SearchFault,
    fault::{OpenFault, StorageFault},
};

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the files of a directory.
    IntoDatabase,
    /// Into the files of a directory.
    IntoFiles,
}

/// One thing that was moved as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What it is.
    pub what: String,
    /// What was moved of it, in words.
    pub how_much: String,
    /// Whether an earlier run had moved it already.
    pub was_there: bool,
}

/// What was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was moved, in its order.
    pub moved: Vec<Moved>,
    /// What stays where it is.
    pub left: &'static [&'static str],
}

/// Why something was not moved. What was moved before is whole, and another run goes on after it.
#[derive(Debug, thiserror::Error)]
pub enum MigrationFault {
    /// One of the two sides cannot be opened or written.
    #[error(transparent)]
    Open(#[from] OpenFault),
    /// One of the two sides cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// The trail or the messages cannot be read.
    #[error(transparent)]
    Trail(#[from] SearchFault),
    /// The target holds something else.
    #[error("{what}: the target holds something else than the source: choose an empty one")]
    NotEmpty {
        /// What it holds.
        what: String,
    },
    /// There is nothing to move.
    #[error("there is nothing to move")]
    Nothing,
    /// The copy is not what was copied.
    #[error("{what}: the copy differs from its source: do not use it, and report this as a bug")]
    Different {
        /// What was copied.
        what: String,
    },
    /// The settings name no database.
    #[error("the settings name no database")]
    NoDatabase,
}
