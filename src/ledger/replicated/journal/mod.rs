//! The journal of all nodes: sealed rows in the database, which each node reads of the others.
//!
//! A [`queue`] takes what is noted, and a [`flusher`] writes it in rows, one synchronous commit each. A row has the number
//! of its node, and is sent again with the same number until it is known to be on a majority of servers, so the rows of a
//! node are whole and in order. A [`follower`] reads the rows of other nodes. A node that starts reads a [`summary`] of all
//! rows but the latest, which holds only what is [`living`].

mod flusher;
mod follower;
mod living;
mod queue;
mod reader;
mod row;
mod summary;

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::Ordering},
    time::Duration,
};

use crossbeam::channel::{Receiver, bounded};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use metrics::Gauge;
use tokio::{sync::oneshot, task::AbortHandle, time::timeout};

use self::{
    flusher::Flusher,
    follower::{Asked, Follower},
    living::Written,
    queue::{Noted, Queue},
    reader::{Reader, node_of},
    summary::Summariser,
};
use super::{fault::Setback, house::House};
use crate::{
    clock::{Clock, Stopwatch},
    ledger::{
        fault::OpenFault,
        journal::{Claimed, Event, Journal, Node, OutOfReach, SeatEntry, Seated},
    },
    metrics as list,
    vault::{HouseKeys, Subject},
};

const REGISTER: &str = "INSERT INTO journal_nodes DEFAULT VALUES RETURNING node";

/// Writes in each case but that of another visit: an earlier claim may be visible and not replicated yet, and is durable
/// once this commit is.
const CLAIM: &str = "INSERT INTO entries (round, person, for_office, visit) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (round, person, for_office) DO UPDATE SET visit = excluded.visit \
     WHERE entries.visit = excluded.visit RETURNING xmax = 0";

/// The journal in the database.
pub struct ReplicatedJournal {
    house: House,
    queue: Arc<Queue>,
    flusher: AbortHandle,
    /// Disconnected when the flusher has ended.
    flushed: Receiver<()>,
    /// Reads on where the opening stopped; taken by the first call of `follow`.
    reader: Mutex<Option<Reader>>,
    /// What the summariser works with.
    keys: Arc<HouseKeys>,
    clock: Clock,
    asked: Arc<Asked>,
    /// The follower, and what is disconnected when it has ended.
    follower: OnceLock<(AbortHandle, Receiver<()>)>,
    summariser: OnceLock<AbortHandle>,
    wait_max: Duration,
    failed: Gauge,
}

impl ReplicatedJournal {
    /// Registers this node, and calls `each` with every event of other nodes that still matters, of the last two days at most.
    /// Those of one node come in their order. The moment that is returned, until which it holds everything, never comes: no
    /// session is handed out whose opening it does not hold. `clock` tells which sessions are over.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        house: House,
        keys: Arc<HouseKeys>,
        clock: Clock,
        each: &mut dyn FnMut(Option<Node>, Event),
    ) -> Result<(Self, Timestamp), OpenFault> {
        let started = Stopwatch::start();
        let away = |setback: Setback| OpenFault::Database { what: setback.to_string() };
        let registered = house.wait_for(|link| Box::pin(link.durably(REGISTER, &[])));
        let rows = registered.map_err(away)?;
        let node = rows.first().map(|row| row.try_get(0)).transpose();
        let node: i32 = node.map_err(|fault| away(fault.into()))?.unwrap_or_default();
        let mut each = |Written { node, times, event, .. }| {
            (0..times).for_each(|_| each(node_of(node), event));
        };
        let recalled = summary::recall(&house, &keys, &mut each)?;
        let mut reader = Reader::new(node, Arc::clone(&keys), recalled.known);
        let mut rows = 0;
        loop {
            let found = reader.read_on_waiting(&house, &mut each)?;
            rows += found.rows;
            if !found.has_more {
                break;
            }
        }
        let (events, ms) = (recalled.events, started.elapsed().as_millis());
        tracing::info!(events, rows, %ms, "the journal was read: events of its summary, and rows after it");
        let wait_max = house.wait_max();
        let failed = list::JOURNAL_FAILED.gauge(&[]);
        failed.set(0.0);
        list::JOURNAL_LAG.gauge(&[]).set(0.0);
        let queue = Arc::new(Queue::default());
        let (ended, flushed) = bounded::<()>(0);
        let own = (house.clone(), Arc::clone(&keys), Arc::clone(&queue));
        let task = Flusher { house: own.0, keys: own.1, node, queue: own.2 };
        let task = house.runtime().spawn(async move {
            task.run().await;
            drop(ended);
        });
        let journal = Self {
            house,
            queue,
            flusher: task.abort_handle(),
            flushed,
            reader: Mutex::new(Some(reader)),
            keys,
            clock,
            asked: Arc::default(),
            follower: OnceLock::new(),
            summariser: OnceLock::new(),
            wait_max,
            failed,
        };
        Ok((journal, Timestamp::MAX))
    }

    /// What a waiter waits for, within the bound.
    fn within<'a>(&self, waiter: oneshot::Receiver<()>) -> BoxFuture<'a, Result<(), OutOfReach>> {
        let wait_max = self.wait_max;
        Box::pin(async move {
            timeout(wait_max, waiter).await.ok().and_then(Result::ok).ok_or(OutOfReach)
        })
    }
}

impl Journal for ReplicatedJournal {
    fn note(&self, event: Event) {
        self.asked.has_noted.store(true, Ordering::Relaxed);
        if self.queue.note(&event) == Noted::Overflowed {
            self.failed.set(1.0);
            tracing::error!(
                "the journal has failed: the database was away for too long; restart this node, because other nodes learn nothing more of it: sessions that end here may open there again, until they expire"
            );
        }
    }

    fn synced(&self) -> oneshot::Receiver<()> {
        self.queue.synced()
    }

    fn kept(&self) -> BoxFuture<'_, Result<(), OutOfReach>> {
        self.within(self.queue.synced())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn follow(&self, learn: Box<dyn Fn(Node, Event) + Send + Sync>) {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            let follower = Follower::new(self.house.clone(), reader, Arc::clone(&self.asked));
            let (ended, has_ended) = bounded::<()>(0);
            let follower = self.house.runtime().spawn(async move {
                follower.run(learn).await;
                drop(ended);
            });
            let (house, keys) = (self.house.clone(), Arc::clone(&self.keys));
            let summariser = Summariser { house, keys, clock: self.clock.clone() };
            let summariser = self.house.runtime().spawn(summariser.run());
            // Only one call has the reader.
            let _first = self.follower.set((follower.abort_handle(), has_ended));
            let _first = self.summariser.set(summariser.abort_handle());
        }
    }

    fn has_read_within(&self, last: Duration) -> bool {
        self.asked.has_looked_within(last)
    }

    fn caught_up(&self) -> BoxFuture<'_, Result<(), OutOfReach>> {
        self.within(self.asked.ask())
    }

    fn claim_entry(
        &self,
        entry: SeatEntry,
        visit: Subject,
    ) -> BoxFuture<'_, Result<Claimed, OutOfReach>> {
        let SeatEntry { who: Seated { person, for_office }, round } = entry;
        let round = i64::from_be_bytes(round.to_be_bytes());
        let claimed = self.house.with(move |link| {
            Box::pin(async move {
                let (person, visit) = (&person[..], &visit.0[..]);
                let claimed = link.durably(CLAIM, &[&round, &person, &for_office, &visit]).await?;
                let is_new = claimed.first().map(|row| row.try_get(0)).transpose()?;
                Ok(match is_new {
                    Some(true) => Claimed::Now,
                    Some(false) => Claimed::Before,
                    None => Claimed::Elsewhere,
                })
            })
        });
        Box::pin(async { claimed.await.map_err(|_| OutOfReach) })
    }

    fn attend(&self, is_anybody_inside: bool) {
        self.asked.is_attended.store(is_anybody_inside, Ordering::Relaxed);
    }

    fn close(&self) {
        self.queue.close();
        // The channel has no messages: it ends with the flusher.
        if self.flushed.recv_timeout(self.wait_max).is_err_and(|end| end.is_timeout()) {
            tracing::error!("the database is away: what was noted last in the journal is lost");
        }
        self.stop();
        if let Some((_, has_ended)) = self.follower.get() {
            // It may be in the middle of an event, and then holds whatever learns it.
            let _ended = has_ended.recv_timeout(self.wait_max);
        }
    }
}

impl ReplicatedJournal {
    fn stop(&self) {
        self.flusher.abort();
        let follower = self.follower.get().map(|(follower, _)| follower);
        follower.into_iter().chain(self.summariser.get()).for_each(AbortHandle::abort);
        self.queue.end();
        self.asked.end();
    }
}

impl Drop for ReplicatedJournal {
    /// Waits for nothing, as a kill: who must not lose what was noted calls [`close`](Journal::close).
    fn drop(&mut self) {
        self.stop();
    }
}
