//! What a person sees of everything in their name: their applications, whoever filed them, and who was shown their data.

use jiff::{Timestamp, civil::Date};

use super::{opening::Intake, reading::LookupFault};
use crate::{
    gate::limits::TooOften,
    identity::{Audience, Office},
    ledger::{
        Channel, ReceiptCode, State,
        audit::{Action, Line, SearchFault},
        book::record::RecordFault,
        fault::{ReadFault, Untraced},
        mandates::Holder,
    },
    registry::mandates::PERSON_MANDATES_MAX,
    session::scope::{Personal, Scope},
    vault::Subject,
};

/// Disclosures in one answer.
const PAGE_DISCLOSURES_MAX: usize = 500;

/// A person's application in a list.
pub struct ListedApplication {
    /// Its receipt code.
    pub receipt: ReceiptCode,
    /// Its state.
    pub state: State,
    /// The filing date, Europe/Rome.
    pub received_on: Date,
    /// Who filed it.
    pub channel: Channel,
    /// The office that filed it, if the registry of mandates names it.
    pub office: Option<Office>,
}

/// Who was shown or changed a person's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The person.
    Themselves,
    /// Somebody at an office; who it was is in the trail only.
    Office,
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
    /// A citizen's latest application in each campaign, whoever filed it, in the order of receipts. Earlier ones, all
    /// withdrawn, are in the disclosures only.
    ///
    /// # Errors
    /// [`LookupFault`]; [`LookupFault::NotFound`] for an office.
    pub async fn applications<'s>(
        &self,
        scope: Scope<'s>,
    ) -> Result<Personal<'s, Vec<ListedApplication>>, LookupFault> {
        if scope.audience() != Audience::Citizens {
            return Err(LookupFault::NotFound);
        }
        let person = scope.subject();
        let offices = self.offices_of(person).await?;
        let mut listed = Vec::new();
        for ledger in self.shelf.all() {
            let campaign = ledger.campaign();
            let found = ledger.latest(self.keys.claim(person, campaign)).await;
            let Some((position, state)) = found.map_err(LookupFault::Read)? else { continue };
            let header = match ledger.header(position).await {
                Ok(header) => header,
                Err(ReadFault::Record(RecordFault::Erased)) => continue,
                Err(fault) => return Err(LookupFault::Read(fault)),
            };
            let office = offices.iter().find(|(subject, _)| *subject == header.principal);
            listed.push(ListedApplication {
                receipt: ReceiptCode::of(&self.keys, campaign, position),
                state,
                received_on: header.received_on,
                channel: header.channel,
                office: office.map(|(_, office)| office.clone()),
            });
        }
        listed.sort_by_key(|one| one.receipt.to_string());
        let noted = self.note(scope, Action::ApplicationsListed, person, None).await;
        noted.map_err(LookupFault::Untraced)?;
        Ok(scope.personal(person, listed))
    }

    /// The offices to which a person has given mandates.
    async fn offices_of(&self, person: Subject) -> Result<Vec<(Subject, Office)>, LookupFault> {
        let page = self.mandates.list(Holder::Grantor(person), None, PERSON_MANDATES_MAX).await;
        let page = page.map_err(|fault| LookupFault::Read(fault.into()))?;
        let offices = page.mandates.into_iter().map(|mandate| mandate.office);
        Ok(offices.map(|office| (self.keys.office(office.as_str()), office)).collect())
    }

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
fn disclosure(Line { at, what, receipt, by, office }: Line) -> Disclosure {
    let who = match (by, &office) {
        (None, _) => By::Institute,
        (Some(_), None) => By::Themselves,
        (Some(_), Some(_)) => By::Office,
    };
    // An office whose name is no longer in the trail is a hash there.
    let office = office.and_then(|office| Office::parse(&office).ok());
    Disclosure { at, what, receipt, by: who, office }
}
