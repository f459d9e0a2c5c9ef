//! Summaries of the journal: what a node that starts reads instead of nearly all rows.
//!
//! About every ten minutes one node takes the latest summary and the rows after it, and writes the next summary in one
//! transaction: what is [living](super::living), and up to which number of each node that goes. Visits whose session is over
//! are written once, and kept for a day.
//!
//! No row is removed for it. So a node that runs reads on in the rows, however far behind it is, and a node that finds no
//! summary of its version, of its keys or of the last day reads all rows, as if there were none. A summary of the last day
//! is followed by rows alone that are still there, because rows are kept for two.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tokio_postgres::Row;

use super::{
    super::{
        fault::Setback,
        house::{House, HouseLink},
        lock_keys::SUMMARISING,
    },
    living::{Living, Written},
    reader::Reader,
    row::{Kind, open_as, seal_as},
};
use crate::{
    clock::Clock,
    ledger::{
        fault::{OpenFault, StorageFault},
        journal::Event,
    },
    vault::{HouseKeys, Subject},
};

/// What a summary holds, and how. Raise it when an event gets a further field or kind: an earlier release drops what it does
/// not know, so its summaries are not enough for a later one.
const VERSION: i32 = 1;
/// Pause between two looks whether a summary is due.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// Time that one may take. The first one reads all rows.
const LASTS_MAX: Duration = Duration::from_mins(30);
/// Bytes of one part, from which another one begins.
const PART_BYTES: usize = 1 << 20;
/// Bytes of a node and the number up to which its rows were read.
const PLACE_BYTES: usize = 12;

/// The next parts of ended visits.
const PARTS: &str = "SELECT part, sealed, number FROM journal_ended \
     WHERE (number, part) > ($1, $2) AND number <= $3 ORDER BY number, part LIMIT 16";
const IS_DUE: &str = "SELECT NOT EXISTS (SELECT FROM journal_summaries \
     WHERE version = $1 AND written_at > now() - interval '10 minutes' \
        OR version > $1 AND written_at > now() - interval '1 day')";
const LATEST: &str = "SELECT part, sealed, number FROM journal_summaries \
     WHERE version = $1 AND written_at > now() - interval '1 day' \
        AND number = (SELECT max(number) FROM journal_summaries) ORDER BY part";
const ALONE: &str = "SELECT pg_try_advisory_lock($1)";
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, \
     coalesce((SELECT max(number) FROM journal_summaries), 0), \
     array(SELECT node FROM journal_nodes)";
const ADD: &str =
    "INSERT INTO journal_summaries (number, part, version, sealed) VALUES ($1, $2, $3, $4)";
const ADD_ENDED: &str = "INSERT INTO journal_ended (number, part, sealed) VALUES ($1, $2, $3)";
const REMOVE: &str = "DELETE FROM journal_summaries WHERE number < $1";
/// What ended more than a day ago: no session lasts longer, so no opening is left that could come after it. And all of
/// before, if this summary begins with all rows again.
const REMOVE_ENDED: &str = "DELETE FROM journal_ended WHERE number < $1 \
     AND ($2 OR written_at < now() - interval '25 hours')";

/// What a start has learned of a summary.
#[derive(Default)]
pub(super) struct Recalled {
    /// The number up to which each node's rows are in it.
    pub(super) known: HashMap<i32, i64>,
    /// How many events there were.
    pub(super) events: usize,
}

/// Calls `each` with the events of the latest summary, if there is one that can be read, while this thread waits.
///
/// # Errors
/// [`OpenFault::Database`].
pub(super) fn recall(
    house: &House,
    keys: &HouseKeys,
    each: &mut dyn FnMut(Written),
) -> Result<Recalled, OpenFault> {
    let away = |setback: Setback| OpenFault::Database { what: setback.to_string() };
    let parts = house.wait_for(|link| Box::pin(link.rows(LATEST, &[&VERSION])));
    let Some(latest) = Latest::open(keys, &parts.map_err(away)?).map_err(away)? else {
        return Ok(Recalled::default());
    };
    let mut events = latest.events.len();
    let (until, mut last) = (latest.number, (0_i64, 0_i32));
    loop {
        let (number, part) = last;
        let parts = house
            .wait_for(move |link| {
                Box::pin(async move { link.rows(PARTS, &[&number, &part, &until]).await })
            })
            .map_err(away)?;
        let Some(row) = parts.last() else { break };
        let at = |row: &Row| Ok::<_, Setback>((row.try_get(2)?, row.try_get(0)?));
        last = at(row).map_err(away)?;
        for row in &parts {
            let (number, part) = at(row).map_err(away)?;
            let sealed = row.try_get(1).map_err(|fault| away(fault.into()))?;
            let Some(visits) = open_as(Kind::Ended, keys, (part, number), sealed) else {
                tracing::error!("a summary of the journal is damaged: all rows are read");
                return Ok(Recalled::default());
            };
            let (visits, _) = visits.as_chunks::<16>();
            events += visits.len();
            for visit in visits {
                let event = Event::Ended { visit: Subject(*visit) };
                each(Written { node: 0, at: 0, times: 1, event });
            }
        }
    }
    // Later than those that ended: none of them opens again.
    latest.events.into_iter().for_each(each);
    Ok(Recalled { known: latest.known, events })
}

/// The latest summary.
struct Latest {
    number: i64,
    known: HashMap<i32, i64>,
    events: Vec<Written>,
}

impl Latest {
    /// Opens its parts; `None` if there are none, or they do not open with these keys.
    fn open(keys: &HouseKeys, parts: &[Row]) -> Result<Option<Self>, Setback> {
        let mut bytes = Vec::new();
        let mut latest = None;
        for (nth, row) in parts.iter().enumerate() {
            let (part, number): (i32, i64) = (row.try_get(0)?, row.try_get(2)?);
            let is_next = usize::try_from(part) == Ok(nth);
            let opened = open_as(Kind::Living, keys, (part, number), row.try_get(1)?);
            let Some(opened) = opened.filter(|_| is_next) else {
                tracing::error!("a summary of the journal does not open: all rows are read");
                return Ok(None);
            };
            bytes.extend(opened);
            latest = Some(number);
        }
        let read = latest.and_then(|number| Some((number, decode(&bytes)?)));
        Ok(read.map(|(number, (known, events))| Self { number, known, events }))
    }
}

/// The places up to which the rows of nodes are in a summary, and its events.
fn decode(bytes: &[u8]) -> Option<(HashMap<i32, i64>, Vec<Written>)> {
    let (places, rest) = bytes.split_first_chunk::<4>()?;
    let places = usize::try_from(u32::from_be_bytes(*places)).ok()?;
    let (places, mut rest) = rest.split_at_checked(places.checked_mul(PLACE_BYTES)?)?;
    let place = |place: &[u8; PLACE_BYTES]| {
        let (node, number) = place.split_first_chunk::<4>()?;
        Some((i32::from_be_bytes(*node), i64::from_be_bytes(number.try_into().ok()?)))
    };
    let known = places.as_chunks::<PLACE_BYTES>().0.iter().map(place).collect::<Option<_>>()?;
    let mut events = Vec::new();
    while !rest.is_empty() {
        events.push(Written::decode(&mut rest)?);
    }
    Some((known, events))
}

fn encode(known: &HashMap<i32, i64>, events: &[Written]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(u32::try_from(known.len()).unwrap_or(u32::MAX).to_be_bytes());
    for (node, number) in known {
        bytes.extend(node.to_be_bytes());
        bytes.extend(number.to_be_bytes());
    }
    for event in events {
        event.encode(&mut bytes);
    }
    bytes
}

/// What makes summaries, at each node; one at a time does.
pub(super) struct Summariser {
    pub(super) house: House,
    pub(super) keys: Arc<HouseKeys>,
    pub(super) clock: Clock,
}

impl Summariser {
    /// Makes one whenever it is due, until it is aborted. What fails is done the next time.
    pub(super) async fn run(self) {
        loop {
            match timeout(LASTS_MAX, self.summarise_if_due()).await {
                Ok(Ok(())) => {}
                Ok(Err(setback)) => {
                    tracing::warn!(%setback, "the journal has no newer summary: a node that starts reads more of it");
                }
                Err(_) => tracing::warn!("a summary of the journal takes too long"),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn summarise_if_due(&self) -> Result<(), Setback> {
        let due = self.house.with(|link| Box::pin(link.rows(IS_DUE, &[&VERSION]))).await?;
        if !first(&due)? {
            return Ok(());
        }
        // Of its own: the lock ends with it, and what was read on it is durable once its commit is.
        let link = self.house.own_link().await?;
        let is_due = first(&link.rows(ALONE, &[&SUMMARISING]).await?)?
            && first(&link.rows(IS_DUE, &[&VERSION]).await?)?;
        if is_due { self.summarise(&link).await } else { Ok(()) }
    }

    async fn summarise(&self, link: &HouseLink) -> Result<(), Setback> {
        let (mut living, mut known) = (Living::default(), HashMap::new());
        let latest = Latest::open(&self.keys, &link.rows(LATEST, &[&VERSION]).await?)?;
        let is_anew = latest.is_none();
        if let Some(latest) = latest {
            latest.events.into_iter().for_each(|event| living.take(event));
            known = latest.known;
        }
        // All nodes: none has this number.
        let mut reader = Reader::new(0, Arc::clone(&self.keys), known);
        let mut has_more = true;
        while has_more {
            let rows = reader.next(link).await?;
            let taken = self.elsewhere(move || {
                let found = reader.take(&rows, &mut |written| living.take(written));
                found.and_then(|found| Ok((found.whole()?.has_more, reader, living)))
            });
            (has_more, reader, living) = taken.await??;
        }
        let now = link.rows(NOW, &[]).await?;
        let now = now.first().ok_or(StorageFault::Damaged)?;
        let (at, number, nodes): (i64, i64, Vec<i32>) =
            (now.try_get(0)?, now.try_get(1)?, now.try_get(2)?);
        reader.retain(&nodes);
        let (number, keys, clock) = (number + 1, Arc::clone(&self.keys), self.clock.now());
        let sealed = self.elsewhere(move || {
            living.drop_what_is_over(clock, at);
            let ended: Vec<_> = living.take_ended().iter().flat_map(|visit| visit.0).collect();
            let living = encode(reader.known(), &living.events());
            [(Kind::Living, living), (Kind::Ended, ended)].map(|(kind, bytes)| {
                let parts = bytes.chunks(PART_BYTES).zip(0_i32..);
                parts.map(|(part, nth)| seal_as(kind, &keys, (nth, number), part)).collect()
            })
        });
        write(link, (number, is_anew), sealed.await?).await
    }

    /// Does what takes the CPU for a moment on another thread than that of all links.
    async fn elsewhere<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Setback> {
        let done = self.house.runtime().spawn_blocking(work).await;
        done.map_err(|fault| Setback::Away(fault.to_string()))
    }
}

/// Writes the parts of a summary instead of those of the one before.
async fn write(
    link: &HouseLink,
    (number, is_anew): (i64, bool),
    [living, ended]: [Vec<Vec<u8>>; 2],
) -> Result<(), Setback> {
    link.begin().await?;
    for (sealed, part) in living.iter().zip(0_i32..) {
        link.change(ADD, &[&number, &part, &VERSION, sealed]).await?;
    }
    for (sealed, part) in ended.iter().zip(0_i32..) {
        link.change(ADD_ENDED, &[&number, &part, sealed]).await?;
    }
    link.change(REMOVE, &[&number]).await?;
    link.change(REMOVE_ENDED, &[&number, &is_anew]).await?;
    link.commit().await
}

/// The one value of an answer.
fn first(rows: &[Row]) -> Result<bool, Setback> {
    Ok(rows.first().ok_or(StorageFault::Damaged)?.try_get(0)?)
}
