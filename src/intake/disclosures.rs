//! Who was shown or changed a person's data.

use jiff::Timestamp;

use super::opening::Intake;
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

/// Who was shown or changed a person's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The person.
    Themselves,
    /// Somebody at an office; who it was is in the trail only.
    Office,
    /// Somebody at a Contact Center, likewise.
    ContactCenter,
    /// The institute.
    Institute,
}

/// One disclosure.
pub struct Disclosure {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub what: String,
    /// The application concerned.
    pub receipt: Option<String>,
    /// By whom.
    pub by: By,
    /// The office.
    pub office: Option<Office>,
}

/// Some disclosures, oldest first.
pub struct Disclosures {
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
    /// The disk has no room for the audit trail.
    Untraced(Untraced),
}

impl Intake {
    /// Who was shown or changed a citizen's data, after the first `after` disclosures. Searches the whole trail, so a person
    /// may ask once a minute.
    ///
    /// # Errors
    /// [`DisclosureFault`].
    pub async fn disclosures<'s>(
        &self,
        scope: Scope<'s>,
        after: usize,
    ) -> Result<Personal<'s, Disclosures>, DisclosureFault> {
        if scope.audience() != Audience::Citizens {
            return Err(DisclosureFault::NotFound);
        }
        let _searching = self.searches.try_acquire().map_err(|_| DisclosureFault::Busy)?;
        self.limits.load().disclosures_of(scope.subject()).map_err(DisclosureFault::TooOften)?;
        let campaigns = self.rules.campaigns().map(|window| window.campaign).collect();
        let found = self.trail.done_to(scope.fiscal_code(), campaigns).await;
        let found = found.map_err(DisclosureFault::Search)?;
        let noted = self.note(scope, Action::DisclosuresShown, scope.subject(), None).await;
        noted.map_err(DisclosureFault::Untraced)?;
        let end = after.saturating_add(PAGE_DISCLOSURES_MAX);
        let next = (found.len() > end).then_some(end);
        let some = found.into_iter().skip(after).take(PAGE_DISCLOSURES_MAX).map(disclosure);
        let disclosures = Disclosures { disclosures: some.collect(), next };
        Ok(scope.personal(scope.subject(), disclosures))
    }
}

/// A line of the trail without the name of any person.
fn disclosure(Line { at, what, receipt, office, channel, .. }: Line) -> Disclosure {
    let who = match channel {
        None => By::Institute,
        Some(Channel::Citizen) => By::Themselves,
        Some(Channel::Intermediary) => By::Office,
        Some(Channel::ContactCenter) => By::ContactCenter,
    };
    // An office whose name is no longer in the trail is a hash there.
    let office = office.and_then(|office| Office::parse(&office).ok());
    Disclosure { at, what, receipt, by: who, office }
}
