//! Drafts: what people have begun and not submitted, sealed like everything else.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::fault::{ReadFault, Untraced};
use crate::vault::{DraftKey, Subject};

/// Drafts of one person for one principal; a further one is refused.
pub const DRAFTS_MAX: usize = 64;

/// Where a draft is kept, and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Which draft.
    pub key: DraftKey,
    /// Who writes it.
    pub person: Subject,
    /// For whom they act: the person themselves, or an office. Only their sessions for this principal may see it.
    pub principal: Subject,
}

/// A stored draft.
pub struct Draft {
    /// The principal for whom it was stored, according to the draft itself.
    pub principal: Subject,
    /// Its content.
    pub content: Vec<u8>,
}

/// Which version must be stored for a change to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Any, also none.
    Anything,
    /// Any.
    Something,
    /// One of these.
    OneOf(Vec<String>),
}

/// Why a draft is not changed. What was stored remains.
#[derive(Debug, thiserror::Error)]
pub enum DraftFault {
    /// Another version is stored than the expected one.
    #[error("another device has changed the draft")]
    Changed,
    /// There are [`DRAFTS_MAX`] others.
    #[error("there are {DRAFTS_MAX} drafts already")]
    TooMany,
    /// What is stored cannot be read.
    #[error(transparent)]
    Read(#[from] ReadFault),
    /// Too many changes wait for the disk: try again in a moment.
    #[error("too many changes of drafts wait for the disk")]
    Busy,
    /// An earlier write of drafts failed: none is made until a restart.
    #[error("drafts cannot be written until a restart")]
    Failed,
    /// The disk has no room for the audit trail.
    #[error(transparent)]
    Untraced(#[from] Untraced),
}

/// Where drafts are kept. Unlike the ledger it forgets: a draft is replaced by the next one and removed after its
/// submission.
pub trait Drafts: Send + Sync {
    /// Stores a draft in place of an earlier one; it is durable when this returns.
    ///
    /// # Errors
    /// [`DraftFault`].
    fn save(
        &self,
        slot: Slot,
        content: Bytes,
        expected: Expected,
    ) -> BoxFuture<'_, Result<(), DraftFault>>;

    /// The draft in a slot; `None` if there is none.
    ///
    /// # Errors
    /// [`ReadFault`].
    fn load(&self, slot: Slot) -> BoxFuture<'_, Result<Option<Draft>, ReadFault>>;

    /// Removes the draft in a slot; whether there was one.
    ///
    /// # Errors
    /// [`DraftFault`].
    fn remove(&self, slot: Slot, expected: Expected) -> BoxFuture<'_, Result<bool, DraftFault>>;

    /// Whether a person has drafts for a principal. Answers from memory.
    fn has_some(&self, person: Subject, principal: Subject) -> bool;

    /// Removes the draft in a slot without waiting for the disk. It is no longer loaded once this returns, and soon
    /// durably gone. If it cannot be removed, that is logged and the draft remains.
    fn forget(&self, slot: Slot);

    /// Writes what waits, and closes. Blocks until that is done.
    fn close(&self);
}

/// The version of a draft: a hash of its content.
#[must_use]
pub fn version_of(content: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&blake3::hash(content).as_bytes()[..16])
}

impl Expected {
    /// Whether this content is stored now, or nothing.
    #[must_use]
    pub fn is_met_by(&self, stored: Option<&[u8]>) -> bool {
        match (self, stored) {
            (Self::Anything, _) | (Self::Something, Some(_)) => true,
            (Self::OneOf(versions), Some(content)) => versions.contains(&version_of(content)),
            (_, None) => false,
        }
    }
}
