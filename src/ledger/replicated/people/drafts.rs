//! Drafts in the database, the same on any node.
//!
//! A change is one transaction in the turn of its person (see [`turns`]): what is expected to be stored and the number
//! of drafts are looked at there, and the answer follows a commit that a majority has. If the commit is unknown, so is
//! what is stored, and the client tries again.
//!
//! A draft is forgotten by the version that was found after the submission, so that a removal that arrives late never
//! takes a draft that was saved since. The submissions of a node are asked about in groups: most people have no draft.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Either, ready},
};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    super::{
        fault::Setback,
        house::{House, HouseLink},
    },
    gatherer::{Asked, Gatherer},
    turns,
};
use crate::{
    ledger::{
        drafts::{DRAFTS_MAX, Draft, DraftFault, Drafts, Expected, Forgetting, Slot, sealed},
        fault::ReadFault,
    },
    trace::{Part, time as timed},
    vault::{DraftKey, HouseKeys, Subject},
};

/// Saves and removals under way or waiting for a link: three seconds of 700 a second, as on one machine. A further one is
/// refused.
const CHANGES_MAX: usize = 2048;
/// Drafts that may wait to be forgotten, and those that are asked about together.
const FORGETS_MAX: usize = 8192;
const FORGET_GROUP_MAX: usize = 1024;
/// How long the answer to a submission waits until its draft is forgotten. Then the draft remains: a receipt is more urgent.
const FORGET_WAIT: Duration = Duration::from_secs(1);

const LOAD: &str = "SELECT sealed FROM drafts WHERE key = $1";
/// Whether there is a draft; itself if it is asked for; and how many its person has for its principal, whom the header of
/// a sealed draft names after its version and its key.
const LOOK: &str = "SELECT EXISTS (SELECT FROM drafts WHERE key = $1), \
    CASE WHEN $2 THEN (SELECT sealed FROM drafts WHERE key = $1) END, \
    (SELECT count(*) FROM drafts WHERE person = $3 AND substring(sealed FROM 18 FOR 16) = $4)";
const SAVE: &str = "INSERT INTO drafts (key, person, sealed) VALUES ($1, $2, $3) \
    ON CONFLICT (key) DO UPDATE SET sealed = EXCLUDED.sealed";
const REMOVE: &str = "DELETE FROM drafts WHERE key = $1";
/// Which of these drafts there are, and the transaction that stored each.
const SEEN: &str = "SELECT key, xmin::text::bigint FROM drafts WHERE key = ANY($1)";
/// Removes drafts that no other transaction has stored since. In one order, so that no two nodes wait for each other.
const FORGET: &str = "DELETE FROM drafts WHERE ctid = ANY(ARRAY(SELECT d.ctid FROM drafts d \
    JOIN unnest($1::bytea[], $2::bigint[]) AS seen(key, stored_by) \
    ON d.key = seen.key AND d.xmin::text::bigint = seen.stored_by ORDER BY d.key FOR UPDATE OF d))";

/// The drafts in the database.
pub struct ReplicatedDrafts {
    house: House,
    keys: Arc<HouseKeys>,
    /// Places of saves and removals; each is held until its end.
    places: Arc<Semaphore>,
    forgetting: Gatherer<DraftKey, ()>,
}

/// A change of one draft: what is stored then, nothing if it is removed.
struct Change {
    slot: Slot,
    content: Option<Bytes>,
    expected: Expected,
}

impl ReplicatedDrafts {
    /// The drafts that `house` leads to.
    #[must_use]
    pub fn new(house: House, keys: Arc<HouseKeys>) -> Self {
        let own = house.clone();
        let bounds = (FORGET_GROUP_MAX, FORGETS_MAX);
        let forgetting =
            Gatherer::start(house.runtime(), bounds, move |group| forget(own.clone(), group));
        Self { house, keys, places: Arc::new(Semaphore::new(CHANGES_MAX)), forgetting }
    }

    /// Makes a change; whether there was a draft.
    async fn change(&self, change: Change) -> Result<bool, DraftFault> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| DraftFault::Busy)?;
        let keys = Arc::clone(&self.keys);
        let changed = self.house.with(move |link| {
            Box::pin(async move {
                let changed = changed(link, &keys, change).await;
                drop(place);
                changed
            })
        });
        changed.await.unwrap_or_else(|setback| {
            tracing::warn!(%setback, "a draft was perhaps not changed");
            Err(DraftFault::Away)
        })
    }
}

impl Drafts for ReplicatedDrafts {
    fn save(
        &self,
        slot: Slot,
        content: Bytes,
        expected: Expected,
    ) -> BoxFuture<'_, Result<(), DraftFault>> {
        let change = Change { slot, content: Some(content), expected };
        self.change(change).map(|saved| saved.map(drop)).boxed()
    }

    fn load(&self, slot: Slot) -> BoxFuture<'_, Result<Option<Draft>, ReadFault>> {
        Box::pin(async move {
            let _reading = timed(Part::Read);
            let loading = self.house.with(move |link| Box::pin(loaded(link, slot)));
            let Some(stored) =
                loading.await.map_err(|setback| ReadFault::Storage(setback.into()))?
            else {
                return Ok(None);
            };
            sealed::open(&self.keys, slot, &stored).map(Some)
        })
    }

    fn remove(&self, slot: Slot, expected: Expected) -> BoxFuture<'_, Result<bool, DraftFault>> {
        self.change(Change { slot, content: None, expected }).boxed()
    }

    fn forget(
        &self,
        _person: Subject,
        _principal: Subject,
        key: &dyn Fn() -> DraftKey,
    ) -> Forgetting<'_> {
        let Some(forgotten) = self.forgetting.ask(key()) else {
            not_forgotten();
            return Either::Left(ready(()));
        };
        Either::Right(Box::pin(async move {
            if !timeout(FORGET_WAIT, forgotten).await.is_ok_and(|answer| answer.is_ok()) {
                not_forgotten();
            }
        }))
    }

    fn close(&self) {}
}

fn not_forgotten() {
    tracing::warn!("a draft was perhaps not removed after its submission");
}

async fn loaded(link: &HouseLink, slot: Slot) -> Result<Option<Vec<u8>>, Setback> {
    let rows = link.rows(LOAD, &[&slot.key.0.as_slice()]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}

/// Makes a change unless what is stored forbids it.
async fn changed(
    link: &HouseLink,
    keys: &HouseKeys,
    change: Change,
) -> Result<Result<bool, DraftFault>, Setback> {
    let Change { slot, content, expected } = change;
    turns::begin(link, slot.person).await?;
    let is_looked_at = expected != Expected::Anything;
    let (key, person, principal) =
        (slot.key.0.as_slice(), slot.person.0.as_slice(), slot.principal.0.as_slice());
    let rows = link.rows(LOOK, &[&key, &is_looked_at, &person, &principal]).await?;
    let Some(row) = rows.first() else { return Err(Setback::Away("no answer".to_owned())) };
    let (is_there, stored): (bool, Option<Vec<u8>>) = (row.try_get(0)?, row.try_get(1)?);
    let count: i64 = row.try_get(2)?;
    if let Err(fault) = meets(keys, slot, stored, &expected) {
        link.commit().await?;
        return Ok(Err(fault));
    }
    let Some(content) = content else {
        link.change(REMOVE, &[&key]).await?;
        // That there is none is a promise, too.
        turns::settle(link).await?;
        return Ok(Ok(is_there));
    };
    if !is_there && usize::try_from(count).is_ok_and(|count| count >= DRAFTS_MAX) {
        link.commit().await?;
        return Ok(Err(DraftFault::TooMany));
    }
    let sealed = sealed::seal(keys, slot, &content);
    link.change(SAVE, &[&key, &person, &sealed]).await?;
    link.commit().await?;
    Ok(Ok(is_there))
}

/// Whether what is stored is what was expected.
fn meets(
    keys: &HouseKeys,
    slot: Slot,
    stored: Option<Vec<u8>>,
    expected: &Expected,
) -> Result<(), DraftFault> {
    if *expected == Expected::Anything {
        return Ok(());
    }
    let stored = stored.map(|stored| sealed::open(keys, slot, &stored)).transpose()?;
    let is_met = expected.is_met_by(stored.as_ref().map(|draft| draft.content.as_slice()));
    if is_met { Ok(()) } else { Err(DraftFault::Changed) }
}

/// Forgets the drafts of some submissions.
async fn forget(house: House, group: Vec<Asked<DraftKey, ()>>) {
    let keys: Vec<Vec<u8>> = group.iter().map(|asked| asked.question.0.to_vec()).collect();
    let seeing = house.with(move |link| Box::pin(seen(link, keys)));
    let Ok(mut seen) = seeing.await else { return };
    // Somebody who was answered meanwhile may have saved what was just seen.
    let waiting = group.iter().filter(|asked| !asked.is_abandoned());
    let waiting: HashSet<_> = waiting.map(|asked| asked.question.0.as_slice()).collect();
    seen.retain(|(key, _)| waiting.contains(key.as_slice()));
    if !seen.is_empty() {
        let (keys, stored_by): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        let forgetting = house.with(move |link| {
            Box::pin(async move { link.durably(FORGET, &[&keys, &stored_by]).await })
        });
        if forgetting.await.is_err() {
            return;
        }
    }
    for asked in group {
        asked.answer(());
    }
}

async fn seen(link: &HouseLink, keys: Vec<Vec<u8>>) -> Result<Vec<(Vec<u8>, i64)>, Setback> {
    let rows = link.rows(SEEN, &[&keys]).await?;
    let seen = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    seen.collect()
}
