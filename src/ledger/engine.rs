//! What an engine of the ledger must do, whatever it stands on: one machine's files or a replicated log.

use std::{path::PathBuf, sync::Arc};

use jiff::{Timestamp, civil::Date};

use super::{
    Position,
    keys::HouseKeys,
    proof::{Digest, Tree},
    receipt::ReceiptCode,
    record::{Channel, Header},
    seal::{Claim, KeyHash, Subject},
};
use crate::{application::Application, schemes::Outcome};

/// An application on its way into the ledger.
pub struct Submission {
    /// What may exist once.
    pub claim: Claim,
    /// The client's idempotency key, hashed in its scope.
    pub key: KeyHash,
    /// SHA-256 of the application's bytes as they were sent.
    pub digest: Digest,
    /// By which way it came.
    pub channel: Channel,
    /// The day it counts from.
    pub received_on: Date,
    /// Whose data it is.
    pub subject: Subject,
    /// Who handed it in, and whom its receipt is for.
    pub principal: Subject,
    /// The sealed record.
    pub record: Vec<u8>,
    /// The application itself, for the judges, once it is durable.
    pub application: Box<Application>,
}

impl Submission {
    /// Seals `body`, whose digest and meaning are given, for the subject of `header`; the claim is theirs, in the
    /// application's campaign.
    #[must_use]
    pub fn sealed(
        keys: &HouseKeys,
        header: &Header,
        key: KeyHash,
        digest: Digest,
        body: &[u8],
        application: Application,
    ) -> Self {
        let Header { channel, received_on, subject, principal, .. } = *header;
        let campaign = application.campaign();
        Self {
            claim: keys.claim(subject, campaign),
            key,
            digest,
            channel,
            received_on,
            subject,
            principal,
            record: keys.seal_record(campaign, header, body),
            application: Box::new(application),
        }
    }
}

/// A decision on its way into the ledger.
pub struct Ruling {
    /// Which application.
    pub position: Position,
    /// [`FIRST`], or [`AGAIN`] when it takes the place of a pending one.
    pub turn: u8,
    /// What was decided.
    pub outcome: Outcome,
    /// The decision, sealed for its subject.
    pub decision: Vec<u8>,
}

impl Ruling {
    /// The change that it asks for.
    #[must_use]
    pub fn change(&self) -> Change {
        if self.turn == FIRST {
            Change::Decided(self.outcome)
        } else {
            Change::Revised(self.outcome)
        }
    }
}

/// The turn of an application's first decision.
pub const FIRST: u8 = 0;
/// The turn of the decision that takes the place of a pending one.
pub const AGAIN: u8 = 1;

/// What may happen to a durable application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A judge decided it.
    Decided(Outcome),
    /// It was pending, and what it waited for came: a judge decided it again.
    Revised(Outcome),
    /// Its person withdrew it; what was decided before, if anything.
    Withdrawn(Option<Outcome>),
    /// What it says was erased: it is no longer shown, its claim and its receipt's digest stay.
    Erased,
}

/// What is written together, with one sync.
#[derive(Default)]
pub struct Batch {
    /// New applications.
    pub submissions: Vec<Submission>,
    /// Decisions.
    pub rulings: Vec<Ruling>,
    /// Withdrawals.
    pub withdrawals: Vec<Position>,
    /// Erasures.
    pub erasures: Vec<Position>,
    /// When it is written.
    pub at: Timestamp,
}

/// What became of a submission.
#[derive(Clone)]
pub enum Verdict {
    /// It is durable; for whom its receipt is.
    Accepted(Position, Arc<SignedBatch>, Subject),
    /// The same key with the same body was accepted before: its receipt holds.
    Replayed(Position),
    /// The same key was used with another body.
    KeyReused,
    /// The person has an application in this campaign.
    AlreadyApplied(Position),
}

/// What became of a batch.
#[derive(Default)]
pub struct Written {
    /// One a submission, in order.
    pub verdicts: Vec<Verdict>,
    /// One a ruling: the change, or nothing if it was decided or withdrawn before.
    pub rulings: Vec<Option<Change>>,
    /// One a withdrawal, likewise.
    pub withdrawals: Vec<Option<Change>>,
    /// One an erasure: nothing if it is undecided or was erased before.
    pub erasures: Vec<Option<Change>>,
}

/// The signed tree over a batch, from which its receipts take their proofs.
pub struct SignedBatch {
    pub(super) first: Position,
    /// Of its receipts, in the order of their positions.
    pub(super) codes: Vec<ReceiptCode>,
    pub(super) tree: Tree,
    pub(super) signature: String,
}

/// Why the ledger cannot be opened. Nothing was changed; mend it and start again.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// Another process holds the ledger.
    #[error(
        "the data in {path} is in use by another process: stop that one first, or choose another --data"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory cannot be made, read or written.
    #[error("{path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store itself refused.
    #[error("ledger {path}: {source}{}", hint(source))]
    Store {
        /// The file.
        path: PathBuf,
        /// What the store said.
        source: rusqlite::Error,
    },
    /// It was written with another key.
    #[error(
        "ledger {path} was written with another key: restore the ledger.key that belongs to it"
    )]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// It is not ours, or of a later release. It was not touched.
    #[error("{path} cannot be used as a ledger: {what}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
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
    /// Whether the ledger itself is at fault, and not how it was asked for.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Store { source, .. } => !is_of_the_disk(source),
            _ => false,
        }
    }
}

/// Whether it was the disk that refused, and not what is on it.
fn is_of_the_disk(fault: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    let of_the_disk = [CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure];
    fault.sqlite_error_code().is_some_and(|code| of_the_disk.contains(&code))
}

fn hint(fault: &rusqlite::Error) -> &'static str {
    if is_of_the_disk(fault) { "; look for a full, read-only or failing disk" } else { "" }
}

/// The ledger's storage failed. Writing has ended for this process; a restart recovers what is on disk.
#[derive(Debug, thiserror::Error)]
pub enum StorageFault {
    /// The store refused a read or a write.
    #[error("storage: {0}")]
    Store(#[from] rusqlite::Error),
    /// What is stored is not what was signed; `sportello verify` tells how far it goes.
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
        use rusqlite::ErrorCode::{DiskFull, SystemIoFailure};
        let Self::Store(fault) = self else { return false };
        matches!(fault.sqlite_error_code(), Some(DiskFull | SystemIoFailure))
    }
}

/// The writing side, owned by the one committer.
pub trait Engine: Send {
    /// Decides uniqueness, writes everything, syncs once. Only then does it return.
    ///
    /// # Errors
    /// Any error is final: the caller must not write again, for what is on disk is known only after a restart.
    fn write(&mut self, batch: &Batch) -> Result<Written, StorageFault>;

    /// Bounds what a restart has to replay; called between batches. Whether [`Reader::checkpoint`] is wanted now.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    fn tidy(&mut self) -> Result<bool, StorageFault>;
}

/// The reading side; sees durable data only. Calls may wait for the disk: keep them off the event loops.
pub trait Reader: Send + Sync {
    /// The stored record at a position.
    ///
    /// # Errors
    /// [`StorageFault`] when the disk does not answer.
    fn record(&self, position: Position) -> Result<Option<Vec<u8>>, StorageFault>;

    /// The sealed decision that holds on a position, and its turn.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    fn decision(&self, position: Position) -> Result<Option<(u8, Vec<u8>)>, StorageFault>;

    /// How many batches were written.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    fn batches(&self) -> Result<u32, StorageFault>;

    /// The batch of a number, from 1 to [`batches`](Self::batches); nothing if it is missing or damaged.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    fn batch(&self, number: u32) -> Result<Option<StoredBatch>, StorageFault>;

    /// The batch that a position was written in.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    fn batch_of(&self, position: Position) -> Result<Option<StoredBatch>, StorageFault>;

    /// Moves what is written ahead into its final place, as far as that goes without holding up the writer.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    fn checkpoint(&self) -> Result<(), StorageFault>;
}

/// One entry of the narrow table: what the index and the proofs need of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What may exist once.
    pub claim: Claim,
    /// The idempotency key's hash.
    pub key: KeyHash,
    /// SHA-256 of the application's bytes.
    pub digest: Digest,
    /// By which way it came.
    pub channel: Channel,
    /// The day it counts from.
    pub received_on: Date,
}

/// A batch as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// The position of its first entry; where there is none, that of the next.
    pub first: Position,
    /// When it was written, seconds since 1970.
    pub written_at: i64,
    /// Its entries, in the order of positions.
    pub entries: Vec<Entry>,
    /// What changed with it.
    pub changes: Vec<(Position, Change)>,
    /// The root of the batch before; zeros for the first.
    pub previous_root: Digest,
    /// Its own root.
    pub root: Digest,
    /// The signature over the root.
    pub signature: String,
}
