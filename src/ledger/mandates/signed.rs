//! The signed mandates of the registry, in the memory of each node, before revocations by their grantors.

use std::sync::Arc;

use jiff::civil::Date;

use super::{Acting, Holder, MandatePage};
use crate::{
    civic::Office,
    ledger::telephone::ContactCenters,
    metrics as list,
    registry::mandates::{Held, Mandate, MandateFile, MandateTable},
    vault::{HouseKeys, Subject},
};

/// The registry's file, if there is one, and the offices for which it does not count.
pub(in crate::ledger) struct Signed {
    registry: Option<MandateFile>,
    contact_centers: ContactCenters,
}

impl Signed {
    /// Publishes how many there are. Without a registry no office has a signed mandate.
    pub(in crate::ledger) fn new(
        keys: &HouseKeys,
        contact_centers: &[Office],
        registry: Option<MandateFile>,
    ) -> Self {
        if let Some(file) = &registry {
            let table = file.current();
            count(&table);
            // Not at `info`: the first lines of a demo are for newcomers.
            tracing::debug!(mandates = table.len(), "the mandates are loaded");
        } else {
            tracing::info!(
                "no file of mandates (identity.mandates): no office can act under a signed one"
            );
        }
        Self { registry, contact_centers: ContactCenters::of(keys, contact_centers) }
    }

    /// Whether an office is a Contact Center.
    pub(in crate::ledger) fn is_contact_center(&self, office: Subject) -> bool {
        self.contact_centers.has(office)
    }

    /// Whether one of the mandates that cover what an office wants to do on a day `counts`, by its reference.
    pub(in crate::ledger) fn covers(
        &self,
        acting: Acting<'_>,
        on: Date,
        mut counts: impl FnMut(&str) -> bool,
    ) -> bool {
        let Acting { office, person, campaign, reference } = acting;
        let Some(table) = self.table() else { return false };
        table
            .of_person(person, None)
            .filter(|held| reference.is_none_or(|named| named == held.reference()))
            .filter(|held| held.office() == office && held.campaign() == campaign)
            .filter(|held| held.holds_on(on))
            .any(|held| counts(held.reference()))
    }

    /// The mandate that a person or an office knows by a reference.
    pub(in crate::ledger) fn found(&self, holder: Holder, reference: &str) -> Option<Mandate> {
        let table = self.table()?;
        let held = match holder {
            Holder::Grantor(person) => given(&table, person, reference)?,
            Holder::Office(office) => table.named(office, reference)?,
        };
        self.is_signed(&held).then(|| held.mandate())
    }

    /// Up to `most` mandates of a person or an office, after a reference or from the first one.
    pub(in crate::ledger) fn listed(
        &self,
        holder: Holder,
        after: Option<&str>,
        most: usize,
    ) -> Vec<Mandate> {
        let Some(table) = self.table() else { return Vec::new() };
        let some = |held: &mut dyn Iterator<Item = Held<'_>>| {
            let signed = held.filter(|held| self.is_signed(held)).take(most);
            signed.map(|held| held.mandate()).collect()
        };
        match holder {
            Holder::Grantor(person) => some(&mut table.of_person(person, after)),
            Holder::Office(office) => some(&mut table.of_office(office, after)),
        }
    }

    /// Takes over changes of the registry, if there are any, and logs the result. May block on the disk for seconds.
    pub(in crate::ledger) fn refresh(&self) {
        match self.registry.as_ref().map(MandateFile::reload) {
            None | Some(Ok(None)) => {}
            Some(Ok(Some(table))) => {
                count(&table);
                tracing::info!(mandates = table.len(), bytes = table.bytes(), "mandates reloaded");
            }
            Some(Err(fault)) => {
                tracing::error!(%fault, "mandates not reloaded: the file has faults; the old mandates stay");
            }
        }
    }

    fn table(&self) -> Option<Arc<MandateTable>> {
        self.registry.as_ref().map(MandateFile::current)
    }

    /// Whether a mandate of the registry counts: a Contact Center has none there.
    fn is_signed(&self, held: &Held<'_>) -> bool {
        !self.is_contact_center(held.office())
    }
}

/// A page of `most` mandates out of all that were found, of which there may be one more.
pub(in crate::ledger) fn page(mut mandates: Vec<Mandate>, most: usize) -> MandatePage {
    mandates.sort_by(|one, other| one.reference.cmp(&other.reference));
    let has_more = mandates.len() > most;
    mandates.truncate(most);
    MandatePage { mandates, has_more }
}

/// The mandate of this reference that a person gave.
fn given<'t>(table: &'t MandateTable, person: Subject, reference: &str) -> Option<Held<'t>> {
    table.of_person(person, None).find(|held| held.reference() == reference)
}

/// Publishes how many there are, and whether one is left out.
fn count(table: &MandateTable) {
    #[expect(clippy::cast_precision_loss, reason = "ten million are exact")]
    list::MANDATES.gauge(&[]).set(table.len() as f64);
    if table.is_unfinished() {
        tracing::warn!("the last line of the mandates is unfinished: left out until it is whole");
    }
}
