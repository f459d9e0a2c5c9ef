//! An attempt to sign in on its way to the disk, and what writes it there.

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    super::{super::fault::OpenFault, chain::End},
    file::MessageRow,
};
use crate::vault::{HouseKeys, Subject};

/// The header of sealed messages: their version.
pub(super) const HEADER: [u8; 1] = [1];

/// Writes the rows of messages, on a thread of its own.
pub(in crate::ledger) trait MessageWriter: Send + 'static {
    /// Writes some attempts; they are durable when this returns.
    ///
    /// # Errors
    /// [`OpenFault`], which is final: nothing is written after it.
    fn write(&mut self, attempts: &[Attempt]) -> Result<(), OpenFault>;

    /// Removes the months that are too old.
    ///
    /// # Errors
    /// [`OpenFault`]; another try may succeed.
    fn retire(&mut self) -> Result<(), OpenFault>;
}

/// An attempt to sign in that waits for its sync.
pub(in crate::ledger) struct Attempt {
    pub(in crate::ledger) at: Timestamp,
    pub(super) handle: String,
    pub(super) owner: Subject,
    pub(super) sealed: Vec<u8>,
    pub(super) written: oneshot::Sender<()>,
}

impl Attempt {
    /// Its row, the next one of a chain.
    pub(in crate::ledger) fn row(&self, end: &mut End, keys: &HouseKeys) -> MessageRow {
        let row = MessageRow {
            written_at: self.at.as_second(),
            handle: self.handle.clone(),
            owner: self.owner,
            sealed: self.sealed.clone(),
            number: 0,
            root: end.root,
            signature: String::new(),
        };
        row.chained(end, keys)
    }
}
