//! Saving, reading and deleting a draft.

use bytes::Bytes;

use super::opening::Intake;
use crate::{
    gate::limits::TooOften,
    identity::Audience,
    ledger::{
        audit::Action,
        drafts::{DraftFault, Expected, Slot},
    },
    schemes::Scheme,
    session::scope::{Personal, Scope},
};

/// Which draft of a session: that of a scheme, and under a mandate if an office acts for somebody.
#[derive(Clone, Copy, Debug)]
pub struct DraftOf<'d> {
    /// The scheme.
    pub scheme: Scheme,
    /// The office's reference to the mandate.
    pub mandate: Option<&'d str>,
}

impl Intake {
    /// Counts a draft that is to be saved or deleted against the rate limit of its person.
    ///
    /// # Errors
    /// [`TooOften`]: refuse the request.
    pub fn limit_drafts(&self, scope: Scope<'_>) -> Result<(), TooOften> {
        self.limits.draft_of(scope.session().person)
    }

    /// Stores a draft in place of an earlier one; it is durable when this returns.
    ///
    /// # Errors
    /// [`DraftFault`]; the earlier draft remains.
    pub async fn save_draft(
        &self,
        scope: Scope<'_>,
        which: DraftOf<'_>,
        draft: Bytes,
        expected: Expected,
    ) -> Result<(), DraftFault> {
        self.note(scope, Action::DraftSaved, scope.session().person, None).await?;
        self.drafts.save(self.slot(scope, which), draft, expected).await
    }

    /// A draft, for the principal for whom it was stored; `None` if there is none.
    ///
    /// # Errors
    /// [`DraftFault::Read`] or [`DraftFault::Untraced`].
    pub async fn draft<'s>(
        &self,
        scope: Scope<'s>,
        which: DraftOf<'_>,
    ) -> Result<Option<Personal<'s, Vec<u8>>>, DraftFault> {
        self.note(scope, Action::DraftShown, scope.session().person, None).await?;
        let draft = self.drafts.load(self.slot(scope, which)).await?;
        Ok(draft.map(|draft| scope.personal(draft.principal, draft.content)))
    }

    /// Deletes a draft; whether there was one.
    ///
    /// # Errors
    /// [`DraftFault`]; the draft remains.
    pub async fn delete_draft(
        &self,
        scope: Scope<'_>,
        which: DraftOf<'_>,
        expected: Expected,
    ) -> Result<bool, DraftFault> {
        self.note(scope, Action::DraftDeleted, scope.session().person, None).await?;
        self.drafts.remove(self.slot(scope, which), expected).await
    }

    /// Removes the draft of an application after its submission; does not wait for the disk.
    pub(super) fn forget_draft(&self, scope: Scope<'_>, which: DraftOf<'_>) {
        if self.drafts.has_some(scope.session().person, scope.subject()) {
            self.drafts.forget(self.slot(scope, which));
        }
    }

    fn slot(&self, scope: Scope<'_>, which: DraftOf<'_>) -> Slot {
        let (person, principal) = (scope.session().person, scope.subject());
        // A citizen acts under no mandate.
        let mandate = which.mandate.filter(|_| scope.audience() == Audience::Intermediaries);
        Slot { key: self.keys.draft(person, principal, which.scheme, mandate), person, principal }
    }
}
