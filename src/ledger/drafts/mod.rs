//! Drafts: what people have begun and not submitted, sealed like everything else.

pub(super) mod sealed;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, Ready};

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

/// What becomes of a draft that is forgotten. Ready at once where nothing has to be asked.
pub type Forgetting<'a> = Either<Ready<()>, BoxFuture<'a, ()>>;

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

/// Why a draft is not changed. What was stored remains, except perhaps after [`DraftFault::Away`].
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
    /// The store of the drafts cannot be reached at present: try again in a moment. The change may have been made, so what
    /// was expected may be stored no more.
    #[error("the store of the drafts is not available")]
    Away,
    /// The audit trail takes nothing at present.
    #[error(transparent)]
    Untraced(#[from] Untraced),
}

/// Where drafts are kept. Unlike the ledger it forgets: a draft is replaced by the next one and removed after its
/// submission. It may be on another machine: dropping the future of a change does not undo the change.
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

    /// Removes a draft after its submission, without waiting until that is durable. It is no longer loaded once the returned
    /// future is done, and soon durably gone; a draft that is saved later is never removed. If it cannot be removed, that
    /// is logged and the draft remains.
    ///
    /// `key` names the draft; it is not called if the person is known to have none for the principal.
    fn forget(
        &self,
        person: Subject,
        principal: Subject,
        key: &dyn Fn() -> DraftKey,
    ) -> Forgetting<'_>;

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
