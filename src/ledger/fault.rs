//! Why the ledger cannot be opened, read or written. No type of a store appears here.

use std::{error::Error, path::PathBuf};

use super::book::record::RecordFault;

/// What a store reported: its own words, and which kind of fault it is.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct StoreError {
    source: Box<dyn Error + Send + Sync>,
    kind: StoreErrorKind,
}

/// The kinds of fault of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreErrorKind {
    /// The disk failed or is full: what is on it is known only after a restart.
    Disk,
    /// The file cannot be opened or written by this process.
    Access,
    /// Anything else, such as damaged contents.
    Other,
}

impl StoreError {
    pub(super) fn new(source: impl Error + Send + Sync + 'static, kind: StoreErrorKind) -> Self {
        Self { source: Box::new(source), kind }
    }

    fn hint(&self) -> &'static str {
        match self.kind {
            StoreErrorKind::Disk | StoreErrorKind::Access => {
                "; look for a full, read-only or failing disk"
            }
            StoreErrorKind::Other => "",
        }
    }
}

/// Why the ledger cannot be opened. Nothing was changed; correct the cause and start again.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// Another process uses the ledger.
    #[error(
        "the data in {path} are in use by another process: stop it first, or choose another --data"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory cannot be created, read or written.
    #[error("{path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The store reported an error.
    #[error("ledger {path}: {source}{}", source.hint())]
    Store {
        /// The file.
        path: PathBuf,
        /// What the store reported.
        source: StoreError,
    },
    /// It was written with another key.
    #[error(
        "ledger {path} was written with another key: restore the ledger.key that belongs to it"
    )]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a ledger, or a later release wrote it. It was not changed.
    #[error("{path} cannot be used as a ledger: {what}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The database of the ledgers cannot be used.
    #[error("PostgreSQL: {what}")]
    Database {
        /// What was found, and what to do.
        what: String,
    },
    /// The ledger contradicts itself.
    #[error("ledger {path} is damaged: {what}; restore it from your backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
}

impl OpenFault {
    /// Whether the ledger itself is damaged, as opposed to unreachable or wrongly addressed.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Store { source, .. } => source.kind == StoreErrorKind::Other,
            _ => false,
        }
    }
}

/// The ledger's storage failed. Writing has ended for this process; a restart recovers what is on disk.
#[derive(Debug, thiserror::Error)]
pub enum StorageFault {
    /// The store refused a read or a write.
    #[error("storage: {0}")]
    Store(#[from] StoreError),
    /// The stored data do not match their signature; `sportello verify` names the records.
    #[error("the ledger is damaged: run sportello verify, and restore it from your backup")]
    Damaged,
    /// The ledger holds as many records as positions exist.
    #[error("the ledger of this campaign is full")]
    Full,
}

impl StorageFault {
    /// Whether the disk itself failed, so that what is on it is known only after a restart.
    #[must_use]
    pub fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Store(fault) if fault.kind == StoreErrorKind::Disk)
    }
}

/// Why a submission was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitFault {
    /// The commit queue is full: try again in a moment.
    #[error("the commit queue is full")]
    Busy,
    /// The ledger cannot be reached at present: try again in a moment with the same key, because it may have been kept.
    /// Nothing is wrong with what the ledger holds.
    #[error("the ledger is not available")]
    Away,
    /// The storage failed; intake has stopped until a restart.
    #[error("the ledger's storage has failed")]
    Storage,
    /// Free disk space is below the reserve; intake resumes when there is space again.
    #[error("the disk is nearly full")]
    NoRoom,
}

/// What must be recorded in the audit trail is refused: the disk has no room left for the trail, or the database of the trail
/// does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit trail takes nothing at present")]
pub struct Untraced;

/// Why something cannot be read from the ledger.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The storage did not answer.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// The record is damaged, or not this subject's.
    #[error(transparent)]
    Record(#[from] RecordFault),
}
