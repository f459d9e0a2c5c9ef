//! Drafts: what people have begun and not submitted, one a person, sealed like everything else.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::fault::{ReadFault, StorageFault};
use crate::vault::Subject;

/// Where drafts are kept. Unlike the ledger it forgets: a draft is replaced by the next one and removed after its
/// submission.
pub trait Drafts: Send + Sync {
    /// Stores a draft in place of an earlier one; it is durable when this returns.
    ///
    /// # Errors
    /// [`StorageFault`]; the earlier draft remains.
    fn save(&self, person: Subject, draft: Bytes) -> BoxFuture<'_, Result<(), StorageFault>>;

    /// A person's draft; `None` if there is none.
    ///
    /// # Errors
    /// [`ReadFault`].
    fn load(&self, person: Subject) -> BoxFuture<'_, Result<Option<Vec<u8>>, ReadFault>>;

    /// Removes a person's draft, if there is one.
    ///
    /// # Errors
    /// [`StorageFault`]; the draft remains.
    fn remove(&self, person: Subject) -> BoxFuture<'_, Result<(), StorageFault>>;
}
