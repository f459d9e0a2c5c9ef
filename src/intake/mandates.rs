//! Mandates: what an office may do for a person, and how a person sees and revokes the mandates in their name.

use super::opening::Intake;
use crate::{
    civic::local_time,
    identity::Audience,
    ledger::{
        StorageFault,
        audit::Action,
        fault::Untraced,
        mandates::{Acting, Holder, MandatePage},
    },
    registry::mandates::Mandate,
    schemes::Campaign,
    session::scope::{Personal, Scope},
    vault::Subject,
};

/// Mandates in one answer to a program.
pub const PAGE_MANDATES_MAX: usize = 100;

/// Why a mandate is not shown or revoked.
#[derive(Debug)]
pub enum MandateFault {
    /// The person or office has no mandate of this reference.
    NotFound,
    /// Only the person who gave a mandate revokes it.
    NotGrantor,
    /// The store does not answer, or did not take the revocation.
    Storage(StorageFault),
    /// The audit trail takes nothing at present.
    Untraced(Untraced),
}

/// A mandate, and whether the office may act under it today.
pub struct ShownMandate {
    /// The mandate.
    pub mandate: Mandate,
    /// Whether it holds today.
    pub holds: bool,
}

/// Some of the mandates of a person or an office.
pub struct ShownMandates {
    /// The mandates, in the order of their references.
    pub mandates: Vec<ShownMandate>,
    /// Whether more follow.
    pub has_more: bool,
}

impl Intake {
    /// Whether this session's office may act for `person` in `campaign` today: under the mandate that it names, or under
    /// any if it names none. Ask in sessions of intermediaries.
    pub(super) async fn is_covered(
        &self,
        scope: Scope<'_>,
        person: Subject,
        campaign: Campaign,
        reference: Option<&str>,
    ) -> Result<bool, StorageFault> {
        let acting = Acting { office: scope.subject(), person, campaign, reference };
        let today = local_time::date_at(self.clock.now());
        self.mandates.cover(acting, today).await
    }

    /// Whose draft an office keeps under a mandate: the grantor, if the mandate holds today.
    pub(super) async fn grantor(
        &self,
        scope: Scope<'_>,
        reference: &str,
        is_of_scheme: impl Fn(Campaign) -> bool,
    ) -> Result<Option<Subject>, StorageFault> {
        let found = self.mandates.find(Holder::Office(scope.subject()), reference).await?;
        let today = local_time::date_at(self.clock.now());
        let holding = found.filter(|found| found.holds_on(today) && is_of_scheme(found.campaign));
        Ok(holding.map(|mandate| mandate.grantor))
    }

    /// At most `page_max` of the mandates in a citizen's name, or of those of an office, after a reference or from the first
    /// one.
    ///
    /// # Errors
    /// [`MandateFault::Storage`], [`MandateFault::Untraced`].
    pub async fn mandates<'s>(
        &self,
        scope: Scope<'s>,
        after: Option<&str>,
        page_max: usize,
    ) -> Result<Personal<'s, ShownMandates>, MandateFault> {
        let page = self.mandates.list(holder(scope), after, page_max).await;
        let MandatePage { mandates, has_more } = page.map_err(MandateFault::Storage)?;
        let noted = self.note(scope, Action::MandatesShown, scope.session().person, None).await;
        noted.map_err(MandateFault::Untraced)?;
        let mandates = mandates.into_iter().map(|mandate| self.shown(mandate)).collect();
        Ok(scope.personal(scope.subject(), ShownMandates { mandates, has_more }))
    }

    /// One of them.
    ///
    /// # Errors
    /// [`MandateFault`].
    pub async fn mandate<'s>(
        &self,
        scope: Scope<'s>,
        reference: &str,
    ) -> Result<Personal<'s, ShownMandate>, MandateFault> {
        let found = self.mandates.find(holder(scope), reference).await;
        let mandate = found.map_err(MandateFault::Storage)?.ok_or(MandateFault::NotFound)?;
        let noted = self.note(scope, Action::MandatesShown, mandate.grantor, None).await;
        noted.map_err(MandateFault::Untraced)?;
        Ok(scope.personal(scope.subject(), self.shown(mandate)))
    }

    /// Revokes a mandate in a citizen's name, for good: it is durable when this returns. A second revocation changes
    /// nothing.
    ///
    /// # Errors
    /// [`MandateFault`].
    pub async fn revoke(&self, scope: Scope<'_>, reference: &str) -> Result<(), MandateFault> {
        if scope.audience() != Audience::Citizens {
            return Err(MandateFault::NotGrantor);
        }
        let found = self.mandates.find(holder(scope), reference).await;
        found.map_err(MandateFault::Storage)?.ok_or(MandateFault::NotFound)?;
        self.space.admits_events().map_err(MandateFault::Untraced)?;
        let person = scope.subject();
        // Every revocation is an event of its own, also if it follows another one at once.
        let who = self.who(scope.session());
        let noted = self.trail.note(Action::RevocationAsked, person, who, None).await;
        noted.map_err(MandateFault::Untraced)?;
        let revoked = self.mandates.revoke(person, reference, self.clock.now()).await;
        let revoked = revoked.map_err(MandateFault::Storage)?;
        if revoked { Ok(()) } else { Err(MandateFault::NotFound) }
    }

    fn shown(&self, mandate: Mandate) -> ShownMandate {
        let holds = mandate.holds_on(local_time::date_at(self.clock.now()));
        ShownMandate { mandate, holds }
    }
}

/// Whose mandates a session may see.
fn holder(scope: Scope<'_>) -> Holder {
    match scope.audience() {
        Audience::Citizens => Holder::Grantor(scope.subject()),
        Audience::Intermediaries => Holder::Office(scope.subject()),
    }
}
