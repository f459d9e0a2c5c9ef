//! Saving and reading a draft.

use bytes::Bytes;

use super::opening::Intake;
use crate::{
    ledger::{
        audit::Action,
        fault::{ReadFault, StorageFault},
    },
    session::scope::{Personal, Scope},
};

impl Intake {
    /// Stores a person's draft in place of an earlier one; it is durable when this returns.
    ///
    /// # Errors
    /// [`StorageFault`]; the earlier draft remains.
    pub async fn save_draft(&self, scope: Scope<'_>, draft: Bytes) -> Result<(), StorageFault> {
        let person = scope.session().person;
        self.note(scope, Action::DraftSaved, person, None).await;
        self.drafts.save(person, draft).await
    }

    /// A person's draft; `None` if there is none.
    ///
    /// # Errors
    /// [`ReadFault`].
    pub async fn draft<'s>(
        &self,
        scope: Scope<'s>,
    ) -> Result<Option<Personal<'s, Vec<u8>>>, ReadFault> {
        let person = scope.session().person;
        self.note(scope, Action::DraftShown, person, None).await;
        let draft = self.drafts.load(person).await?;
        Ok(draft.map(|draft| scope.personal(scope.subject(), draft)))
    }

    /// Removes the draft after its submission. If that fails, the draft is replaced or removed another time.
    pub(super) async fn forget_draft(&self, scope: Scope<'_>) {
        if let Err(fault) = self.drafts.remove(scope.session().person).await {
            tracing::warn!(%fault, "a draft was not removed after its submission");
        }
    }
}
