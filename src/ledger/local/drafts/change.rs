//! What the writer of drafts is asked to do.

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::ledger::drafts::{DraftFault, Expected, Slot};

/// A message to the writer.
pub(super) enum Message {
    Change(Change),
    Close,
}

/// What becomes of a change: whether there was a draft before.
pub(super) type Outcome = Result<bool, DraftFault>;

/// A change of one draft.
pub(super) struct Change {
    pub(super) slot: Slot,
    pub(super) what: What,
    pub(super) expected: Expected,
    /// Who waits for the outcome, and their place in the queue; nobody waits until a draft is forgotten.
    pub(super) waiting: Option<(oneshot::Sender<Outcome>, OwnedSemaphorePermit)>,
}

/// What is done to the draft.
pub(super) enum What {
    Save(Bytes),
    Remove,
}

impl Change {
    /// Bytes of the draft that is to be stored.
    pub(super) fn bytes(&self) -> usize {
        match &self.what {
            What::Save(content) => content.len(),
            What::Remove => 0,
        }
    }
}
