//! Lists of applications: a citizen's own, whoever filed them, and what an office handed in for people.

use std::sync::Arc;

use jiff::civil::Date;

use super::{
    opening::Intake,
    reading::{LookupFault, owner},
};
use crate::{
    identity::{Audience, Office},
    ledger::{
        Channel, Ledger, Position, ReceiptCode, State,
        audit::Action,
        book::record::RecordFault,
        fault::ReadFault,
        filings::{Filing, FilingPage},
        mandates::Holder,
    },
    registry::mandates::PERSON_MANDATES_MAX,
    schemes::Campaign,
    session::scope::{Personal, Scope},
    vault::Subject,
};

/// Applications in one answer to a program.
pub const PAGE_APPLICATIONS_MAX: usize = 100;
/// Filings of an office that are looked at for one answer, with those whose mandate has ended: about 1 ms.
const PAGE_FILINGS_MAX: usize = 1000;

/// An application in a list.
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

/// Some applications in the order of receipts.
pub struct ListedApplications {
    /// The applications.
    pub applications: Vec<ListedApplication>,
    /// After which receipt the list continues; `None` at its end.
    pub next: Option<ReceiptCode>,
}

impl Intake {
    /// A page of at most `page_max` of the applications in a citizen's name, whoever filed them, withdrawn ones included;
    /// or of what an office handed in for people whose mandates hold today, which may lack the filings of the last seconds.
    /// A page may be short, or empty, and not the last one.
    ///
    /// # Errors
    /// [`LookupFault`], except for [`LookupFault::NotFound`] and [`LookupFault::Commit`].
    pub async fn applications<'s>(
        &self,
        scope: Scope<'s>,
        after: Option<ReceiptCode>,
        page_max: usize,
    ) -> Result<Personal<'s, ListedApplications>, LookupFault> {
        let session = scope.session();
        self.limits.load().list_of(session.person).map_err(LookupFault::TooOften)?;
        let listed = match &session.office {
            None => self.of_person(scope.subject(), after, page_max).await,
            Some(office) => self.of_office(scope, office, (after, page_max)).await,
        }?;
        let noted = self.note(scope, Action::ApplicationsListed, session.person, None).await;
        noted.map_err(LookupFault::Untraced)?;
        Ok(scope.personal(scope.subject(), listed))
    }

    /// The receipt of the latest application in a campaign: a citizen's own, or the one that the office has filed for the
    /// grantor of a mandate that holds today.
    ///
    /// # Errors
    /// [`LookupFault`]; [`LookupFault::NotFound`] for an office without such a mandate.
    pub async fn latest<'s>(
        &self,
        scope: Scope<'s>,
        campaign: Campaign,
        mandate: Option<&str>,
    ) -> Result<Personal<'s, Option<ReceiptCode>>, LookupFault> {
        let person = match (scope.audience(), mandate) {
            (Audience::Citizens, _) => Some(scope.subject()),
            (Audience::Intermediaries, None) => None,
            (Audience::Intermediaries, Some(mandate)) => {
                self.grantor(scope, mandate, |covered| covered == campaign).await?
            }
        };
        let person = person.ok_or(LookupFault::NotFound)?;
        let mut latest = None;
        if let Some(ledger) = self.shelf.get(campaign) {
            for (position, _) in ledger.of_claim(self.keys.claim(person, campaign)).await? {
                let header = ledger.header(position).await?;
                if owner(scope, &header) == scope.subject() {
                    latest = Some(ReceiptCode::of(&self.keys, campaign, position));
                }
            }
        }
        let noted = self.note(scope, Action::ApplicationsListed, person, None).await;
        noted.map_err(LookupFault::Untraced)?;
        Ok(scope.personal(scope.subject(), latest))
    }

    /// Adds new filings to the lists of offices. May wait for the disk.
    pub fn index_filings(&self) {
        self.shelf.all().iter().for_each(|ledger| ledger.index_filings());
    }

    async fn of_person(
        &self,
        person: Subject,
        after: Option<ReceiptCode>,
        page_max: usize,
    ) -> Result<ListedApplications, LookupFault> {
        let mut found = Vec::new();
        for ledger in self.shelf.all() {
            let campaign = ledger.campaign();
            let theirs = ledger.of_claim(self.keys.claim(person, campaign)).await?;
            found.extend(theirs.into_iter().map(|(position, state)| {
                let receipt = ReceiptCode::of(&self.keys, campaign, position);
                Found { ledger: Arc::clone(&ledger), position, receipt, state }
            }));
        }
        found.retain(|one| after < Some(one.receipt));
        found.sort_unstable_by_key(|one| one.receipt);
        let next = found.get(page_max - 1).map(|last| last.receipt);
        let next = next.filter(|_| found.len() > page_max);
        found.truncate(page_max);
        let offices = self.offices_of(person).await?;
        let mut applications = Vec::with_capacity(found.len());
        for Found { ledger, position, receipt, state } in found {
            let header = match ledger.header(position).await {
                Ok(header) => header,
                Err(ReadFault::Record(RecordFault::Erased)) => continue,
                Err(fault) => return Err(fault.into()),
            };
            let office = offices.iter().find(|(subject, _)| *subject == header.principal);
            applications.push(ListedApplication {
                receipt,
                state,
                received_on: header.received_on,
                channel: header.channel,
                office: office.map(|(_, office)| office.clone()),
            });
        }
        Ok(ListedApplications { applications, next })
    }

    /// The offices to which a person has given mandates.
    async fn offices_of(&self, person: Subject) -> Result<Vec<(Subject, Office)>, LookupFault> {
        let page = self.mandates.list(Holder::Grantor(person), None, PERSON_MANDATES_MAX).await?;
        let offices = page.mandates.into_iter().map(|mandate| mandate.office);
        Ok(offices.map(|office| (self.keys.office(office.as_str()), office)).collect())
    }

    /// What an office sees ends with its mandate, so each filing is checked before it is listed.
    async fn of_office(
        &self,
        scope: Scope<'_>,
        office: &Office,
        (after, page_max): (Option<ReceiptCode>, usize),
    ) -> Result<ListedApplications, LookupFault> {
        let mut ledgers = self.shelf.all();
        ledgers.sort_unstable_by_key(|ledger| ReceiptCode::place_of(ledger.campaign()));
        let mut page = ListedApplications { applications: Vec::new(), next: None };
        let mut looked_at = 0;
        for ledger in ledgers {
            let campaign = ledger.campaign();
            let place = ReceiptCode::place_of(campaign);
            let mut from = match after {
                Some(after) if place < ReceiptCode::place_of(after.campaign()) => continue,
                after => after.filter(|after| after.campaign() == campaign),
            };
            loop {
                // One more than a page shows whether another one follows.
                let read = ledger.filings(scope.subject(), from, page_max + 1).await?;
                let FilingPage { filings, next } = read;
                for Filing { receipt, person, received_on, state } in filings {
                    looked_at += 1;
                    if self.is_covered(scope, person, campaign, None).await? {
                        if page.applications.len() == page_max {
                            page.next = page.applications.last().map(|last| last.receipt);
                            return Ok(page);
                        }
                        page.applications.push(ListedApplication {
                            receipt,
                            state,
                            received_on,
                            channel: self.channel(scope),
                            office: Some(office.clone()),
                        });
                    }
                    if looked_at == PAGE_FILINGS_MAX {
                        page.next = Some(receipt);
                        return Ok(page);
                    }
                }
                from = next;
                if from.is_none() {
                    break;
                }
            }
        }
        Ok(page)
    }
}

/// A citizen's application before its record is read.
struct Found {
    ledger: Arc<dyn Ledger>,
    position: Position,
    receipt: ReceiptCode,
    state: State,
}
