//! Saving, reading and deleting a draft.

use bytes::Bytes;

use super::opening::Intake;
use crate::{
    gate::limits::TooOften,
    identity::Audience,
    ledger::{
        StorageFault,
        audit::Action,
        drafts::{DraftFault, Expected, Forgetting, Slot},
        fault::ReadFault,
    },
    schemes::Scheme,
    session::scope::{Personal, Scope},
    trace::{Part, time},
    vault::Subject,
};

/// Which draft of a session: that of a scheme, and under a mandate if an office acts for somebody.
#[derive(Clone, Copy, Debug)]
pub struct DraftOf<'d> {
    /// The scheme.
    pub scheme: Scheme,
    /// The office's reference to the mandate.
    pub mandate: Option<&'d str>,
}

/// Why a draft is not stored.
#[derive(Debug)]
pub enum DraftingFault {
    /// An office keeps drafts only under a mandate that holds today.
    NoMandate,
    /// It is not changed.
    Draft(DraftFault),
}

impl Intake {
    /// Counts a draft that is to be saved or deleted against the rate limit of its person. The canary has none.
    ///
    /// # Errors
    /// [`TooOften`]: refuse the request.
    pub fn limit_drafts(&self, scope: Scope<'_>) -> Result<(), TooOften> {
        if scope.session().is_canary() {
            return Ok(());
        }
        self.limits.load().draft_of(scope.session().person)
    }

    /// Stores a draft in place of an earlier one; it is durable when this returns.
    ///
    /// # Errors
    /// [`DraftingFault`]; the earlier draft remains.
    pub async fn save_draft(
        &self,
        scope: Scope<'_>,
        which: DraftOf<'_>,
        draft: Bytes,
        expected: Expected,
    ) -> Result<(), DraftingFault> {
        let whose = self.whose_draft(scope, which).await;
        let whose = whose.map_err(|fault| DraftingFault::Draft(DraftFault::Read(fault.into())))?;
        let whose = whose.ok_or(DraftingFault::NoMandate)?;
        let noted = self.note(scope, Action::DraftSaved, whose, None).await;
        noted.map_err(|untraced| DraftingFault::Draft(untraced.into()))?;
        let _committing = time(Part::Commit);
        let saved = self.drafts.save(self.slot(scope, which), draft, expected).await;
        saved.map_err(DraftingFault::Draft)
    }

    /// A draft, for the principal for whom it was stored; `None` if there is none, or if the office's mandate has ended.
    ///
    /// # Errors
    /// [`DraftFault::Read`] or [`DraftFault::Untraced`].
    pub async fn draft<'s>(
        &self,
        scope: Scope<'s>,
        which: DraftOf<'_>,
    ) -> Result<Option<Personal<'s, Vec<u8>>>, DraftFault> {
        let whose = self.whose_draft(scope, which).await;
        let Some(whose) = whose.map_err(ReadFault::from)? else { return Ok(None) };
        self.note(scope, Action::DraftShown, whose, None).await?;
        let draft = self.drafts.load(self.slot(scope, which)).await?;
        Ok(draft.map(|draft| scope.personal(draft.principal, draft.content)))
    }

    /// Deletes a draft; whether there was one. Its writer may do so also after the end of the mandate.
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

    /// Removes the draft of an application after its submission; does not wait until that is durable.
    pub(super) fn forget_draft(&self, scope: Scope<'_>, which: DraftOf<'_>) -> Forgetting<'_> {
        let (person, principal) = (scope.session().person, scope.subject());
        self.drafts.forget(person, principal, &|| self.slot(scope, which).key)
    }

    /// Whose data the draft holds: the citizen's own, or the grantor's if the office's mandate holds today.
    async fn whose_draft(
        &self,
        scope: Scope<'_>,
        which: DraftOf<'_>,
    ) -> Result<Option<Subject>, StorageFault> {
        match (scope.audience(), which.mandate) {
            (Audience::Citizens, _) => Ok(Some(scope.subject())),
            (Audience::Intermediaries, None) => Ok(None),
            (Audience::Intermediaries, Some(mandate)) => {
                self.grantor(scope, mandate, |campaign| campaign.scheme == which.scheme).await
            }
        }
    }

    fn slot(&self, scope: Scope<'_>, which: DraftOf<'_>) -> Slot {
        let (person, principal) = (scope.session().person, scope.subject());
        // A citizen acts under no mandate.
        let mandate = which.mandate.filter(|_| scope.audience() == Audience::Intermediaries);
        Slot { key: self.keys.draft(person, principal, which.scheme, mandate), person, principal }
    }
}
