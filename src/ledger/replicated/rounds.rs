//! The rounds of the waiting room in the database: one sealed row, which one node at a time replaces.
//!
//! The node that draws holds an advisory lock, and each step demands the version that it has seen: a node that lost the lock
//! without noticing changes nothing.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    super::{
        fault::{OpenFault, StorageFault},
        rounds::{DrawnRound, Outlook, Rounds},
        secret_rounds::{CHAIN_ROUNDS, SealFault, SecretRounds},
    },
    fault::Setback,
    house::{House, HouseLink},
    lock::Lock,
    lock_keys::DRAWING,
};
use crate::vault::HouseKeys;

/// Reads the row and waits until a majority of servers has it: what is merely visible may be lost, and must not be published.
const READ: &str = "UPDATE rounds SET confirmed = confirmed + 1 RETURNING version, sealed";
const BEGIN: &str = "INSERT INTO rounds (version, sealed) VALUES (0, $1) ON CONFLICT DO NOTHING RETURNING version, sealed";
const REPLACE: &str = "UPDATE rounds SET version = version + 1, sealed = $2 WHERE version = $1 \
     RETURNING version, sealed";

/// The rounds in the database.
pub struct ReplicatedRounds {
    house: House,
    keys: Arc<HouseKeys>,
    lock: Lock,
    version: i64,
    kept: SecretRounds,
}

impl ReplicatedRounds {
    /// Reads the rounds, or begins with the first one.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        house: House,
        keys: Arc<HouseKeys>,
        real_now: Timestamp,
    ) -> Result<Self, OpenFault> {
        let first = SecretRounds::beginning(real_now, CHAIN_ROUNDS).seal(&keys);
        let row = house.wait_for(move |link| {
            Box::pin(async move {
                let begun = link.durably(BEGIN, &[&first]).await?;
                if begun.is_empty() { read(link).await } else { one(begun) }
            })
        });
        let row = row.map_err(|setback| OpenFault::Database { what: setback.to_string() })?;
        let (version, kept) = opened(&keys, &row)?;
        Ok(Self { lock: Lock::new(house.clone(), DRAWING), house, keys, version, kept })
    }

    /// Replaces the row if it is still the one that this node has seen.
    fn replace(&mut self, kept: SecretRounds) -> Result<(), StorageFault> {
        let (version, sealed) = (self.version, kept.seal(&self.keys));
        let replaced = self.house.wait_for(move |link| {
            Box::pin(async move { link.durably(REPLACE, &[&version, &sealed]).await })
        })?;
        if replaced.is_empty() {
            self.refresh()?;
            return Err(Setback::Away("another node was first".to_owned()).into());
        }
        (self.version, self.kept) = (version + 1, kept);
        Ok(())
    }
}

impl Rounds for ReplicatedRounds {
    fn leads(&mut self) -> bool {
        self.lock.is_held()
    }

    fn refresh(&mut self) -> Result<(), StorageFault> {
        let row = self.house.wait_for(|link| Box::pin(read(link)))?;
        let (version, kept) = opened(&self.keys, &row).map_err(|_| StorageFault::Damaged)?;
        (self.version, self.kept) = (version, kept);
        Ok(())
    }

    fn outlook(&self) -> Outlook {
        self.kept.outlook()
    }

    fn name_beacon(&mut self, beacon_round: u64) -> Result<(), StorageFault> {
        // Unknown before, perhaps: the name that was stored is the one that counts.
        self.refresh()?;
        self.replace(self.kept.naming(beacon_round))
    }

    fn end(&mut self, drawn: &DrawnRound) -> Result<(), StorageFault> {
        self.replace(self.kept.ending(drawn, CHAIN_ROUNDS))
    }
}

async fn read(link: &HouseLink) -> Result<Row, Setback> {
    one(link.durably(READ, &[]).await?)
}

fn one(rows: Vec<Row>) -> Result<Row, Setback> {
    rows.into_iter().next().ok_or(Setback::Storage(StorageFault::Damaged))
}

fn opened(keys: &HouseKeys, row: &Row) -> Result<(i64, SecretRounds), OpenFault> {
    let fault =
        |what: String| OpenFault::Database { what: format!("table sportello.rounds: {what}") };
    let read = || -> Result<_, tokio_postgres::Error> { Ok((row.try_get(0)?, row.try_get(1)?)) };
    let (version, sealed): (i64, &[u8]) = read().map_err(|found| fault(found.to_string()))?;
    let kept = SecretRounds::open(keys, sealed).map_err(|found| match found {
        SealFault::OtherKey => OpenFault::OtherKey { path: "sportello.rounds".into() },
        SealFault::Version => fault("a later release wrote it".to_owned()),
        SealFault::Damaged(what) => fault(what),
    })?;
    Ok((version, kept))
}
