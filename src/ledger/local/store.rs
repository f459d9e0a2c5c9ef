//! What the bookkeeper asks of a store: to write one batch durably, and to bound its write-ahead log.

use super::super::{
    book::{batch::Batch, decide::Plan},
    fault::StorageFault,
    position::Position,
    proof::Digest,
};

/// The rows of one batch.
pub(super) struct Rows<'b> {
    /// The number of the batch, from 1.
    pub(super) number: u32,
    /// Its parts.
    pub(super) batch: &'b Batch,
    /// What was decided on each part.
    pub(super) plan: &'b Plan<'b>,
    /// Its row in the narrow table.
    pub(super) narrow: Narrow<'b>,
}

/// The row of a batch in the narrow table, whose columns are encoded.
pub(super) struct Narrow<'b> {
    pub(super) first: Position,
    /// Seconds since 1970.
    pub(super) written_at: i64,
    pub(super) entries: &'b [u8],
    pub(super) changes: &'b [u8],
    pub(super) root: &'b Digest,
    pub(super) signature: &'b str,
}

/// The writing side of one campaign's store, owned by the one committer.
pub(super) trait Store: Send {
    /// Writes every row in one transaction and syncs once before it returns.
    ///
    /// # Errors
    /// Any error is final: do not write again, because what is on disk is known only after a restart.
    fn write(&mut self, rows: &Rows<'_>) -> Result<(), StorageFault>;

    /// Bounds what a restart has to replay; called between batches. Returns whether a checkpoint is due.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    fn tidy(&mut self) -> Result<bool, StorageFault>;
}
