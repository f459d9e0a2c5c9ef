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
        mandates::{
            Acting, Holder, MandatePage, Mandates,
            signed::{Signed, page},
        },
        telephone::{MadePin, PinFault, PinStanding, RedeemFault, Redeeming},
    },
    registry::mandates::{Mandate, MandateFile},
    vault::{HouseKeys, Subject},
};

/// The mandates of this machine.
pub struct LocalMandates {
    signed: Signed,
    revocations: Arc<Revocations>,
    telephone: Arc<Telephone>,
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
        let revocations = Arc::new(Revocations::open(directory, Arc::clone(&keys))?);
        let telephone = Arc::new(Telephone::open(directory, Arc::clone(&keys))?);
        Ok(Self { signed: Signed::new(&keys, contact_centers, registry), revocations, telephone })
    }

    fn covers(&self, acting: Acting<'_>, on: Date) -> bool {
        let is_revoked = |reference: &str| self.revocations.of(acting.person, reference).is_some();
        self.signed.covers(acting, on, |reference| !is_revoked(reference))
    }

    fn found(&self, holder: Holder, reference: &str) -> Option<Mandate> {
        let found = self.signed.found(holder, reference);
        found.map(|mandate| self.revocations.apply(mandate))
    }
}

impl Mandates for LocalMandates {
    fn cover<'a>(
        &'a self,
        acting: Acting<'a>,
        on: Date,
    ) -> BoxFuture<'a, Result<bool, StorageFault>> {
        if !self.signed.is_contact_center(acting.office) {
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
            let mut mandates = self.signed.listed(holder, after, most + 1);
            mandates.extend(given);
            let applied = mandates.into_iter().map(|mandate| self.revocations.apply(mandate));
            Ok(page(applied.collect(), most))
        })
    }

    fn revoke<'a>(
        &'a self,
        person: Subject,
        reference: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StorageFault>> {
        Box::pin(async move {
            let is_signed = self.signed.found(Holder::Grantor(person), reference).is_some();
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
        self.signed.is_contact_center(office)
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
        self.signed.refresh();
    }
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
