//! Who was shown or changed a person's data.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    found::{By, Disclosure},
    opening::Intake,
};
use crate::{
    gate::limits::TooOften,
    identity::{Audience, Office},
    ledger::{
        Channel,
        audit::{Action, Line, SearchFault},
        fault::Untraced,
    },
    session::scope::{Personal, Scope},
};

/// Disclosures in one answer.
const PAGE_DISCLOSURES_MAX: usize = 500;

/// Some disclosures.
pub struct Disclosures {
    /// When they were searched for.
    pub at: Timestamp,
    /// The disclosures.
    pub disclosures: Vec<Disclosure>,
    /// How many came before the next page; `None` at the end.
    pub next: Option<usize>,
}

/// Why disclosures are not shown.
#[derive(Debug)]
pub enum DisclosureFault {
    /// Only a citizen sees them, and only their own.
    NotFound,
    /// The person asked less than a minute ago.
    TooOften(TooOften),
    /// Somebody else's search is under way.
    Busy,
    /// The trail or a ledger cannot be read.
    Search(SearchFault),
    /// The audit trail takes nothing at present.
    Untraced(Untraced),
}

impl Intake {
    /// Who was shown or changed a citizen's data, oldest first, after the first `after` disclosures. Searches the whole
    /// trail, so a person may ask once a minute.
    ///
    /// # Errors
    /// [`DisclosureFault`].
    pub async fn disclosures<'s>(
        &self,
        scope: Scope<'s>,
        after: usize,
    ) -> Result<Personal<'s, Disclosures>, DisclosureFault> {
        let (at, found) = self.search(scope).await?;
        let shown = self.some(scope, at, found.iter(), (after, PAGE_DISCLOSURES_MAX)).await?;
        Ok(scope.personal(scope.subject(), shown))
    }

    /// The same, latest first and `page_max` at a time. Within the minute it shows what was found last, so that a person can
    /// read it page by page.
    ///
    /// # Errors
    /// [`DisclosureFault`].
    pub async fn latest_disclosures<'s>(
        &self,
        scope: Scope<'s>,
        after: usize,
        page_max: usize,
    ) -> Result<Personal<'s, Disclosures>, DisclosureFault> {
        let (at, found) = match self.found.of(scope.subject(), self.clock.now()) {
            Some(found) if scope.audience() == Audience::Citizens => found,
            _ => self.search(scope).await?,
        };
        let shown = self.some(scope, at, found.iter().rev(), (after, page_max)).await?;
        Ok(scope.personal(scope.subject(), shown))
    }

    /// Everything that was disclosed of a citizen's data, oldest first.
    async fn search(
        &self,
        scope: Scope<'_>,
    ) -> Result<(Timestamp, Arc<[Disclosure]>), DisclosureFault> {
        if scope.audience() != Audience::Citizens {
            return Err(DisclosureFault::NotFound);
        }
        let _searching = self.searches.try_acquire().map_err(|_| DisclosureFault::Busy)?;
        self.limits.load().disclosures_of(scope.subject()).map_err(DisclosureFault::TooOften)?;
        let at = self.clock.now();
        let campaigns = self.rules.campaigns().map(|window| window.campaign).collect();
        let found = self.trail.done_to(scope.fiscal_code(), campaigns).await;
        let found = found.map_err(DisclosureFault::Search)?;
        let found: Arc<[Disclosure]> = found.into_iter().map(disclosure).collect();
        self.found.keep(scope.subject(), at, &found);
        Ok((at, found))
    }

    /// Some of what was found, noted in the trail as shown.
    async fn some<'d>(
        &self,
        scope: Scope<'_>,
        at: Timestamp,
        found: impl ExactSizeIterator<Item = &'d Disclosure>,
        (after, page_max): (usize, usize),
    ) -> Result<Disclosures, DisclosureFault> {
        let end = after.saturating_add(page_max);
        let next = (found.len() > end).then_some(end);
        let disclosures = found.skip(after).take(page_max).cloned().collect();
        let noted = self.note(scope, Action::DisclosuresShown, scope.subject(), None).await;
        noted.map_err(DisclosureFault::Untraced)?;
        Ok(Disclosures { at, disclosures, next })
    }
}

/// A line of the trail without the name of any person.
fn disclosure(Line { at, what, receipt, office, channel, .. }: Line) -> Disclosure {
    let who = match channel {
        None => By::Institute,
        Some(Channel::Citizen | Channel::Canary) => By::Themselves,
        Some(Channel::Intermediary) => By::Office,
        Some(Channel::ContactCenter) => By::ContactCenter,
    };
    // An office whose name is no longer in the trail is a hash there.
    let office = office.and_then(|office| Office::parse(&office).ok());
    Disclosure { at, what, receipt, by: who, office }
}
