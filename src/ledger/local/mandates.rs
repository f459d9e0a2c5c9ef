//! Mandates of this machine: the registry's file in memory, and revocations in a file of their own next to the ledgers.

use std::{path::Path, sync::Arc};

use futures_util::future::{BoxFuture, ready};
use jiff::{Timestamp, civil::Date};
use tokio::task::spawn_blocking;

use super::revocations::Revocations;
use crate::{
    civic::local_time,
    ledger::{
        fault::{OpenFault, StorageFault},
        mandates::{Acting, Holder, MandatePage, Mandates},
    },
    metrics as list,
    registry::mandates::{Held, Mandate, MandateFile, MandateTable},
    vault::{HouseKeys, Subject},
};

/// The mandates of this machine.
pub struct LocalMandates {
    registry: Option<MandateFile>,
    revocations: Arc<Revocations>,
}

impl LocalMandates {
    /// Opens or creates the file of revocations in the ledgers' directory, which must be locked for this process. Without
    /// a registry no office has a mandate.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        directory: &Path,
        keys: Arc<HouseKeys>,
        registry: Option<MandateFile>,
    ) -> Result<Self, OpenFault> {
        let revocations = Arc::new(Revocations::open(directory, keys)?);
        if let Some(file) = &registry {
            let table = file.current();
            count(&table);
            // Not at `info`: the first lines of a demo are for newcomers.
            tracing::debug!(mandates = table.len(), "the mandates are loaded");
        } else {
            tracing::info!(
                "no file of mandates (identity.mandates): no office can act for anybody"
            );
        }
        Ok(Self { registry, revocations })
    }

    fn table(&self) -> Option<Arc<MandateTable>> {
        self.registry.as_ref().map(MandateFile::current)
    }

    fn covers(&self, acting: Acting<'_>, on: Date) -> bool {
        let Acting { office, person, campaign, reference } = acting;
        let Some(table) = self.table() else { return false };
        table
            .of_person(person, None)
            .filter(|held| reference.is_none_or(|named| named == held.reference()))
            .filter(|held| held.is_of(office) && held.campaign() == campaign && held.holds_on(on))
            .any(|held| self.revocations.of(person, held.reference()).is_none())
    }

    /// All of a mandate; the earlier of two revocations counts.
    fn mandate(&self, held: Held<'_>) -> Mandate {
        let mut mandate = held.mandate();
        let by_grantor = self.revocations.of(mandate.grantor, &mandate.reference);
        let by_grantor = by_grantor.map(local_time::date_at);
        mandate.revoked_on = [mandate.revoked_on, by_grantor].into_iter().flatten().min();
        mandate
    }

    fn found(&self, holder: Holder, reference: &str) -> Option<Mandate> {
        let table = self.table()?;
        let held = match holder {
            Holder::Grantor(person) => given(&table, person, reference)?,
            Holder::Office(office) => table.named(office, reference)?,
        };
        Some(self.mandate(held))
    }

    fn page(&self, holder: Holder, after: Option<&str>, most: usize) -> MandatePage {
        let Some(table) = self.table() else {
            return MandatePage { mandates: Vec::new(), has_more: false };
        };
        let some = |held: &mut dyn Iterator<Item = Held<'_>>| {
            let mandates: Vec<_> = held.take(most).map(|held| self.mandate(held)).collect();
            MandatePage { mandates, has_more: held.next().is_some() }
        };
        match holder {
            Holder::Grantor(person) => some(&mut table.of_person(person, after)),
            Holder::Office(office) => some(&mut table.of_office(office, after)),
        }
    }
}

impl Mandates for LocalMandates {
    fn cover<'a>(
        &'a self,
        acting: Acting<'a>,
        on: Date,
    ) -> BoxFuture<'a, Result<bool, StorageFault>> {
        Box::pin(ready(Ok(self.covers(acting, on))))
    }

    fn find<'a>(
        &'a self,
        holder: Holder,
        reference: &'a str,
    ) -> BoxFuture<'a, Result<Option<Mandate>, StorageFault>> {
        Box::pin(ready(Ok(self.found(holder, reference))))
    }

    fn list<'a>(
        &'a self,
        holder: Holder,
        after: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<MandatePage, StorageFault>> {
        Box::pin(ready(Ok(self.page(holder, after, most))))
    }

    fn revoke<'a>(
        &'a self,
        person: Subject,
        reference: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StorageFault>> {
        Box::pin(async move {
            let Some(table) = self.table() else { return Ok(false) };
            if given(&table, person, reference).is_none() {
                return Ok(false);
            }
            let (revocations, reference) = (Arc::clone(&self.revocations), reference.to_owned());
            let written = spawn_blocking(move || revocations.add(person, &reference, at)).await;
            match written {
                Ok(written) => written.map(|()| true),
                Err(fault) => std::panic::resume_unwind(fault.into_panic()),
            }
        })
    }

    fn refresh(&self) {
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
