//! Mandates of many nodes: each has the registry's file in memory; revocations and what was given by telephone are in the
//! database.
//!
//! Whether a mandate counts is asked of the database each time, and answered after a commit that follows the look-up: a
//! revocation counts on every node once it was acknowledged, and a primary that was deposed cannot answer. All
//! questions of a node that come during one such round trip share the next one.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::BoxFuture;
use jiff::{Timestamp, civil::Date};

use super::{
    super::{
        fault::Setback,
        house::{House, HouseLink},
    },
    columns::{bytes_of, subject_of},
    gatherer::{Asked, Gatherer},
    telephone, turns,
};
use crate::{
    civic::Office,
    ledger::{
        fault::{OpenFault, StorageFault},
        mandates::{
            Acting, Holder, MandatePage, Mandates,
            revocation::{Revocation, applied},
            signed::{Signed, page},
        },
        telephone::{MadePin, PinFault, PinStanding, RedeemFault, Redeeming},
    },
    registry::mandates::{Mandate, MandateFile},
    vault::{HouseKeys, MandateKey, Subject},
};

/// Checks that may wait, and those that are answered together: each names the mandates of one person, mostly one.
const CHECKS_MAX: usize = 8192;
const CHECK_GROUP_MAX: usize = 256;
/// Revocations that are read with one statement when a node starts.
const PAGE_MAX: i64 = 1000;

const OF_KEYS: &str = "SELECT key, person, sealed FROM revocations WHERE key = ANY($1)";
const ALL: &str =
    "SELECT key, person, sealed FROM revocations WHERE key > $1 ORDER BY key LIMIT $2";
const ADD: &str = "INSERT INTO revocations (key, person, sealed) VALUES ($1, $2, $3) \
    ON CONFLICT (key) DO NOTHING";

/// When each of some mandates was revoked.
type Answer = Result<Vec<Option<Timestamp>>, StorageFault>;
type Check = Asked<Vec<MandateKey>, Answer>;

/// The mandates of a node.
pub struct ReplicatedMandates {
    house: House,
    keys: Arc<HouseKeys>,
    signed: Signed,
    checks: Gatherer<Vec<MandateKey>, Answer>,
}

impl ReplicatedMandates {
    /// Reads every revocation once, to find those that were changed.
    ///
    /// # Errors
    /// [`OpenFault`], also if a revocation cannot be read: without it an office could read on.
    pub fn open(
        house: House,
        (keys, contact_centers): (Arc<HouseKeys>, &[Office]),
        registry: Option<MandateFile>,
    ) -> Result<Self, OpenFault> {
        let own = Arc::clone(&keys);
        let read = house.wait_for(move |link| Box::pin(async move { all_open(link, &own).await }));
        match read {
            Ok(true) => {}
            Ok(false) => {
                let what = "a revocation does not open for its person".to_owned();
                return Err(OpenFault::Damaged { path: "revocations".into(), what });
            }
            Err(setback) => return Err(OpenFault::Database { what: setback.to_string() }),
        }
        let (own, bounds) = ((house.clone(), Arc::clone(&keys)), (CHECK_GROUP_MAX, CHECKS_MAX));
        let checks = Gatherer::start(house.runtime(), bounds, move |group| {
            check(own.0.clone(), Arc::clone(&own.1), group)
        });
        let signed = Signed::new(&keys, contact_centers, registry);
        Ok(Self { house, keys, signed, checks })
    }

    /// When each of these mandates was revoked by its grantor, as a majority of servers has it.
    async fn revoked(&self, mandates: Vec<MandateKey>) -> Answer {
        if mandates.is_empty() {
            return Ok(Vec::new());
        }
        let asked = self.checks.ask(mandates);
        let asked =
            asked.ok_or_else(|| Setback::Away("too many checks of mandates wait".to_owned()))?;
        asked.await.unwrap_or_else(|_| Err(Setback::Away("nobody answered".to_owned()).into()))
    }

    /// These mandates with their revocations.
    async fn applied(&self, mandates: Vec<Mandate>) -> Result<Vec<Mandate>, StorageFault> {
        let keys = mandates.iter().map(|one| self.keys.mandate(one.grantor, &one.reference));
        let revoked = self.revoked(keys.collect()).await?;
        Ok(mandates.into_iter().zip(revoked).map(|(one, revoked)| applied(one, revoked)).collect())
    }

    /// The mandates that cover what an office wants to do on a day, if they are not revoked.
    async fn covering(
        &self,
        acting: Acting<'_>,
        on: Date,
    ) -> Result<Vec<MandateKey>, StorageFault> {
        let key_of = |reference: &str| self.keys.mandate(acting.person, reference);
        if !self.signed.is_contact_center(acting.office) {
            let mut covering = Vec::new();
            self.signed.covers(acting, on, |reference| {
                covering.push(key_of(reference));
                false
            });
            return Ok(covering);
        }
        let Acting { office, person, campaign, reference } = acting;
        let given = self.with(move |link| Box::pin(telephone::on(link, person, office, on)));
        let given = telephone::covering(&given.await?, &self.keys, campaign, reference);
        Ok(given.iter().map(|mandate| key_of(&mandate.reference)).collect())
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl for<'l> FnOnce(&'l HouseLink) -> BoxFuture<'l, Result<T, Setback>> + Send + 'static,
    ) -> Result<T, StorageFault> {
        Ok(self.house.with(work).await?)
    }
}

impl Mandates for ReplicatedMandates {
    fn cover<'a>(
        &'a self,
        acting: Acting<'a>,
        on: Date,
    ) -> BoxFuture<'a, Result<bool, StorageFault>> {
        Box::pin(async move {
            let covering = self.covering(acting, on).await?;
            Ok(self.revoked(covering).await?.iter().any(Option::is_none))
        })
    }

    fn find<'a>(
        &'a self,
        holder: Holder,
        reference: &'a str,
    ) -> BoxFuture<'a, Result<Option<Mandate>, StorageFault>> {
        Box::pin(async move {
            let mut found = self.signed.found(holder, reference);
            if found.is_none() {
                let (keys, reference) = (Arc::clone(&self.keys), reference.to_owned());
                found = self
                    .with(move |link| {
                        Box::pin(async move {
                            let row = telephone::find(link, holder, &reference).await?;
                            Ok(row.and_then(|row| row.open(&keys)))
                        })
                    })
                    .await?;
            }
            Ok(self.applied(found.into_iter().collect()).await?.pop())
        })
    }

    fn list<'a>(
        &'a self,
        holder: Holder,
        after: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<MandatePage, StorageFault>> {
        Box::pin(async move {
            let (keys, begins_after) =
                (Arc::clone(&self.keys), after.unwrap_or_default().to_owned());
            let given = self.with(move |link| {
                Box::pin(async move {
                    let rows = telephone::list(link, holder, &begins_after, most + 1).await?;
                    Ok(rows.iter().filter_map(|row| row.open(&keys)).collect::<Vec<_>>())
                })
            });
            let given = given.await?;
            let mut page =
                page([self.signed.listed(holder, after, most + 1), given].concat(), most);
            page.mandates = self.applied(page.mandates).await?;
            Ok(page)
        })
    }

    fn revoke<'a>(
        &'a self,
        person: Subject,
        reference: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StorageFault>> {
        let is_signed = self.signed.found(Holder::Grantor(person), reference).is_some();
        let revocation = Revocation::new(&self.keys, person, reference, at);
        let (keys, reference) = (Arc::clone(&self.keys), reference.to_owned());
        Box::pin(self.with(move |link| {
            Box::pin(async move {
                turns::begin(link, person).await?;
                let is_theirs =
                    is_signed || telephone::revoke_pin_of(link, &keys, person, &reference).await?;
                if is_theirs {
                    let Revocation { key, person, sealed } = &revocation;
                    link.change(ADD, &[&key.0.as_slice(), &person.0.as_slice(), sealed]).await?;
                }
                turns::settle(link).await?;
                Ok(is_theirs)
            })
        }))
    }

    fn is_contact_center(&self, office: Subject) -> bool {
        self.signed.is_contact_center(office)
    }

    fn make_pin(&self, person: Subject, at: Timestamp) -> BoxFuture<'_, Result<MadePin, PinFault>> {
        let keys = Arc::clone(&self.keys);
        let making = self.with(move |link| {
            Box::pin(async move { telephone::make(link, &keys, person, at).await })
        });
        Box::pin(async move { making.await?.ok_or(PinFault::UsedUp) })
    }

    fn pin(
        &self,
        person: Subject,
        at: Timestamp,
    ) -> BoxFuture<'_, Result<Option<PinStanding>, StorageFault>> {
        let keys = Arc::clone(&self.keys);
        Box::pin(self.with(move |link| {
            Box::pin(async move {
                let pin = telephone::pin(link, &keys, person).await?;
                turns::confirm(link).await?;
                Ok(pin.and_then(|pin| pin.standing(at)))
            })
        }))
    }

    fn revoke_pin(&self, person: Subject) -> BoxFuture<'_, Result<(), StorageFault>> {
        let keys = Arc::clone(&self.keys);
        Box::pin(self.with(move |link| {
            Box::pin(async move { telephone::revoke_pin(link, &keys, person).await })
        }))
    }

    fn redeem<'a>(
        &'a self,
        redeeming: Redeeming<'a>,
    ) -> BoxFuture<'a, Result<Mandate, RedeemFault>> {
        let (keys, office) = (Arc::clone(&self.keys), redeeming.office.clone());
        let Redeeming { clerk, person, pin, campaign, at, .. } = redeeming;
        let redeeming = self.with(move |link| {
            Box::pin(async move {
                let own = Redeeming { office: &office, clerk, person, pin, campaign, at };
                telephone::redeem(link, &keys, own).await
            })
        });
        Box::pin(async move { redeeming.await? })
    }

    fn refresh(&self) {
        self.signed.refresh();
    }
}

/// Answers a group of checks.
async fn check(house: House, keys: Arc<HouseKeys>, group: Vec<Check>) {
    let asked: Vec<Vec<u8>> =
        group.iter().flat_map(|check| &check.question).map(|key| key.0.to_vec()).collect();
    let found = house.with(move |link| {
        Box::pin(async move {
            let rows = link.rows(OF_KEYS, &[&asked]).await?;
            turns::confirm(link).await?;
            rows.iter().map(revocation).collect::<Result<Vec<_>, _>>()
        })
    });
    let found = match found.await {
        Ok(found) => found,
        Err(setback) => {
            let told = setback.to_string();
            for check in group {
                check.answer(Err(Setback::Away(told.clone()).into()));
            }
            return;
        }
    };
    let opened = found.iter().map(|row| (row.key, row.opened(&keys)));
    let opened: HashMap<_, _> = opened.collect();
    for check in group {
        let revoked = check.question.iter().map(|key| match opened.get(key) {
            None => Ok(None),
            Some(Some((_, at))) => Ok(Some(*at)),
            // It was one: nobody may act under this mandate.
            Some(None) => Err(StorageFault::Damaged),
        });
        let revoked = revoked.collect();
        check.answer(revoked);
    }
}

/// Whether every revocation is what its row says.
async fn all_open(link: &HouseLink, keys: &HouseKeys) -> Result<bool, Setback> {
    let mut after: Vec<u8> = Vec::new();
    loop {
        let rows = link.rows(ALL, &[&after, &PAGE_MAX]).await?;
        let Some(last) = rows.last() else { return Ok(true) };
        after = last.try_get(0)?;
        for row in &rows {
            if revocation(row)?.opened(keys).is_none() {
                return Ok(false);
            }
        }
    }
}

fn revocation(row: &tokio_postgres::Row) -> Result<Revocation, Setback> {
    let key = MandateKey(bytes_of(row, 0)?);
    Ok(Revocation { key, person: subject_of(row, 1)?, sealed: row.try_get(2)? })
}
