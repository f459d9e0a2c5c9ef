//! Mandates of this machine: the registry's file in memory, revocations and what was given by telephone in files of their
//! own next to the ledgers.

use std::{path::Path, sync::Arc};

use futures_util::future::{BoxFuture, ready};
use jiff::{Timestamp, civil::Date};
use tokio::task::spawn_blocking;

use super::{revocations::Revocations, telephone::Telephone};
use crate::{
    civic::Office,
    ledger::{
        fault::{OpenFault, StorageFault},
        mandates::{Acting, Holder, MandatePage, Mandates},
        telephone::{ContactCenters, MadePin, PinFault, PinStanding, RedeemFault, Redeeming},
    },
    metrics as list,
    registry::mandates::{Held, Mandate, MandateFile, MandateTable},
    vault::{HouseKeys, Subject},
};

/// The mandates of this machine.
pub struct LocalMandates {
    registry: Option<MandateFile>,
    revocations: Arc<Revocations>,
    telephone: Arc<Telephone>,
    contact_centers: ContactCenters,
}

impl LocalMandates {
    /// Opens or creates the files of revocations and of telephone PINs in the ledgers' directory, which must be locked for
    /// this process. Without a registry no office has a signed mandate.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        directory: &Path,
        (keys, contact_centers): (Arc<HouseKeys>, &[Office]),
        registry: Option<MandateFile>,
    ) -> Result<Self, OpenFault> {
        let contact_centers = ContactCenters::of(&keys, contact_centers);
        let revocations = Arc::new(Revocations::open(directory, Arc::clone(&keys))?);
        let telephone = Arc::new(Telephone::open(directory, keys)?);
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
        Ok(Self { registry, revocations, telephone, contact_centers })
    }

    fn table(&self) -> Option<Arc<MandateTable>> {
        self.registry.as_ref().map(MandateFile::current)
    }

    /// Whether a mandate of the registry counts: a Contact Center has none there.
    fn counts(&self, held: &Held<'_>) -> bool {
        !self.contact_centers.has(held.office())
    }

    fn covers(&self, acting: Acting<'_>, on: Date) -> bool {
        let Acting { office, person, campaign, reference } = acting;
        let Some(table) = self.table() else { return false };
        table
            .of_person(person, None)
            .filter(|held| reference.is_none_or(|named| named == held.reference()))
            .filter(|held| held.office() == office && held.campaign() == campaign)
            .filter(|held| held.holds_on(on))
            .any(|held| self.revocations.of(person, held.reference()).is_none())
    }

    fn found(&self, holder: Holder, reference: &str) -> Option<Mandate> {
        let table = self.table()?;
        let held = match holder {
            Holder::Grantor(person) => given(&table, person, reference)?,
            Holder::Office(office) => table.named(office, reference)?,
        };
        self.counts(&held).then(|| self.revocations.apply(held.mandate()))
    }

    /// Some mandates of the registry, and one more if there are more.
    fn listed(&self, holder: Holder, after: Option<&str>, most: usize) -> Vec<Mandate> {
        let Some(table) = self.table() else { return Vec::new() };
        let some = |held: &mut dyn Iterator<Item = Held<'_>>| {
            let counting = held.filter(|held| self.counts(held)).take(most + 1);
            counting.map(|held| self.revocations.apply(held.mandate())).collect()
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
        if !self.contact_centers.has(acting.office) {
            return Box::pin(ready(Ok(self.covers(acting, on))));
        }
        Box::pin(async move {
            let (telephone, person) = (Arc::clone(&self.telephone), acting.person);
            let reference = acting.reference.map(ToOwned::to_owned);
            let Acting { office, campaign, .. } = acting;
            let covering = blocking(move || {
                let reference = reference.as_deref();
                telephone.covering(Acting { office, person, campaign, reference }, on)
            });
            let mut covering = covering.await?.into_iter();
            Ok(covering.any(|mandate| self.revocations.of(person, &mandate.reference).is_none()))
        })
    }

    fn find<'a>(
        &'a self,
        holder: Holder,
        reference: &'a str,
    ) -> BoxFuture<'a, Result<Option<Mandate>, StorageFault>> {
        Box::pin(async move {
            if let Some(mandate) = self.found(holder, reference) {
                return Ok(Some(mandate));
            }
            let (telephone, reference) = (Arc::clone(&self.telephone), reference.to_owned());
            let found = blocking(move || telephone.find(holder, &reference)).await?;
            Ok(found.map(|mandate| self.revocations.apply(mandate)))
        })
    }

    fn list<'a>(
        &'a self,
        holder: Holder,
        after: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<MandatePage, StorageFault>> {
        Box::pin(async move {
            let (telephone, begins_after) = (Arc::clone(&self.telephone), after.map(str::to_owned));
            let given =
                blocking(move || telephone.list(holder, begins_after.as_deref(), most + 1)).await?;
            let mut mandates = self.listed(holder, after, most);
            mandates.extend(given.into_iter().map(|mandate| self.revocations.apply(mandate)));
            mandates.sort_by(|one, other| one.reference.cmp(&other.reference));
            let has_more = mandates.len() > most;
            mandates.truncate(most);
            Ok(MandatePage { mandates, has_more })
        })
    }

    fn revoke<'a>(
        &'a self,
        person: Subject,
        reference: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StorageFault>> {
        Box::pin(async move {
            let is_signed = self.found(Holder::Grantor(person), reference).is_some();
            let (revocations, telephone) =
                (Arc::clone(&self.revocations), Arc::clone(&self.telephone));
            let reference = reference.to_owned();
            blocking(move || {
                let is_theirs = is_signed || telephone.revoke_pin_of(person, &reference)?;
                if is_theirs {
                    revocations.add(person, &reference, at)?;
                }
                Ok(is_theirs)
            })
            .await
        })
    }

    fn is_contact_center(&self, office: Subject) -> bool {
        self.contact_centers.has(office)
    }

    fn make_pin(&self, person: Subject, at: Timestamp) -> BoxFuture<'_, Result<MadePin, PinFault>> {
        let telephone = Arc::clone(&self.telephone);
        Box::pin(blocking(move || telephone.make(person, at)))
    }

    fn pin(
        &self,
        person: Subject,
        at: Timestamp,
    ) -> BoxFuture<'_, Result<Option<PinStanding>, StorageFault>> {
        let telephone = Arc::clone(&self.telephone);
        Box::pin(blocking(move || telephone.standing(person, at)))
    }

    fn revoke_pin(&self, person: Subject) -> BoxFuture<'_, Result<(), StorageFault>> {
        let telephone = Arc::clone(&self.telephone);
        Box::pin(blocking(move || telephone.revoke_pin(person)))
    }

    fn redeem<'a>(
        &'a self,
        redeeming: Redeeming<'a>,
    ) -> BoxFuture<'a, Result<Mandate, RedeemFault>> {
        let (telephone, office) = (Arc::clone(&self.telephone), redeeming.office.clone());
        let Redeeming { clerk, person, pin, campaign, at, .. } = redeeming;
        Box::pin(blocking(move || {
            telephone.redeem(Redeeming { office: &office, clerk, person, pin, campaign, at })
        }))
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

/// Runs what may wait for the disk.
async fn blocking<T: Send + 'static, F: Send + 'static>(
    work: impl FnOnce() -> Result<T, F> + Send + 'static,
) -> Result<T, F> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(fault) => std::panic::resume_unwind(fault.into_panic()),
    }
}

/// Publishes how many there are, and whether one is left out.
fn count(table: &MandateTable) {
    #[expect(clippy::cast_precision_loss, reason = "ten million are exact")]
    list::MANDATES.gauge(&[]).set(table.len() as f64);
    if table.is_unfinished() {
        tracing::warn!("the last line of the mandates is unfinished: left out until it is whole");
    }
}
