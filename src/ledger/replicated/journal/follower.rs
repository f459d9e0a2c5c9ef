//! The task that reads what other nodes note, often while that is wanted, and hardly ever while nobody is inside.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use metrics::Gauge;
use tokio::{
    sync::{Notify, oneshot},
    time::{sleep, timeout},
};

use super::{
    super::{fault::Setback, house::House, lock_keys::TIDYING},
    living::Written,
    reader::{Found, Reader, node_of},
};
use crate::{
    clock::Stopwatch,
    ledger::journal::{Event, Node},
    metrics::JOURNAL_LAG,
};

/// Pause between two looks while somebody is inside here, or something was noted here or elsewhere lately.
const BUSY_PAUSE: Duration = Duration::from_millis(250);
/// Pause otherwise.
const IDLE_PAUSE: Duration = Duration::from_secs(2);
/// How long something noted makes this node look often.
const BUSY_LASTS: Duration = Duration::from_secs(10);
/// Time between the beginnings of two looks at least, also if somebody waits for one: one look serves all who wait.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Waiters for a look. One more is refused.
const WAITERS_MAX: usize = 65_536;
/// Interval in which old rows are removed.
const TIDY_EVERY: Duration = Duration::from_mins(10);
/// Times that rows are removed in one interval.
const TIDY_ROUNDS_MAX: usize = 20;
/// Rows that are removed at a time.
const TIDY_ROWS: u64 = 2000;
/// Removes what no session, round or quota needs any more.
const REMOVE: &str = "WITH alone AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($1) AS is_held), \
     old AS (SELECT node, number FROM journal WHERE (SELECT is_held FROM alone) \
        AND written_at < now() - interval '2 days' ORDER BY written_at LIMIT 2000) \
     DELETE FROM journal USING old WHERE journal.node = old.node AND journal.number = old.number";
/// Removes who was let in as long ago.
const REMOVE_ENTRIES: &str = "WITH old AS (SELECT ctid FROM entries \
        WHERE entered_at < now() - interval '2 days' LIMIT 2000 FOR UPDATE SKIP LOCKED) \
     DELETE FROM entries USING old WHERE entries.ctid = old.ctid";
/// A node that notes nothing is seen nevertheless.
const LIVE: &str = "UPDATE journal_nodes SET seen_at = clock_timestamp() WHERE node = $1";
const REMOVE_NODES: &str = "DELETE FROM journal_nodes AS nodes \
     WHERE seen_at < now() - interval '2 days' \
     AND NOT EXISTS (SELECT FROM journal WHERE journal.node = nodes.node)";
const NODES: &str = "SELECT node FROM journal_nodes";

/// What is wanted of the follower.
#[derive(Default)]
pub(super) struct Asked {
    waiters: Mutex<Waiters>,
    wake: Notify,
    /// Somebody is inside here.
    pub(super) is_attended: AtomicBool,
    /// Something was noted here since the last look.
    pub(super) has_noted: AtomicBool,
    /// The last look that found everything began then; `None` before the first one.
    whole: Mutex<Option<Stopwatch>>,
}

#[derive(Default)]
struct Waiters {
    waiting: Vec<oneshot::Sender<()>>,
    is_over: bool,
}

impl Asked {
    /// Completes after a look that begins from now on.
    pub(super) fn ask(&self) -> oneshot::Receiver<()> {
        let (reply, waiter) = oneshot::channel();
        let mut waiters = self.lock();
        if !waiters.is_over && waiters.waiting.len() < WAITERS_MAX {
            waiters.waiting.push(reply);
            self.wake.notify_one();
        }
        waiter
    }

    /// Whether a look that began within the `last` time found everything.
    pub(super) fn has_looked_within(&self, last: Duration) -> bool {
        let whole = *self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        whole.is_some_and(|whole| whole.elapsed() <= last)
    }

    fn has_looked(&self, begun: Stopwatch) {
        *self.whole.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
    }

    /// No look follows.
    pub(super) fn end(&self) {
        *self.lock() = Waiters { is_over: true, ..Waiters::default() };
    }

    fn take(&self) -> Vec<oneshot::Sender<()>> {
        std::mem::take(&mut self.lock().waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the task works with.
pub(super) struct Follower {
    house: House,
    reader: Reader,
    asked: Arc<Asked>,
    lag: Gauge,
    /// The last look that found everything began then.
    whole: Stopwatch,
    /// Something was last noted, here or elsewhere; `None` before the first time.
    busy: Option<Stopwatch>,
    /// Rows were last removed; `None` before the first time.
    tidied: Option<Stopwatch>,
    /// Why looks fail, if they do.
    reason: Option<String>,
}

impl Follower {
    pub(super) fn new(house: House, reader: Reader, asked: Arc<Asked>) -> Self {
        let (lag, whole) = (JOURNAL_LAG.gauge(&[]), Stopwatch::start());
        Self { house, reader, asked, lag, whole, busy: None, tidied: None, reason: None }
    }

    /// Calls `learn` with everything that other nodes note, until it is aborted.
    pub(super) async fn run(mut self, learn: Box<dyn Fn(Node, Event) + Send + Sync>) {
        loop {
            let begun = Stopwatch::start();
            // Before the look: it shows what was committed before they asked.
            let waiters = self.asked.take();
            let looked = self.look(&*learn).await;
            self.note(begun, looked.err());
            if self.reason.is_none() {
                for waiter in waiters {
                    let _gone: Result<(), ()> = waiter.send(());
                }
                self.tidy().await;
            } else {
                drop(waiters);
            }
            let is_wanted = timeout(self.pause(), self.asked.wake.notified()).await.is_ok();
            if is_wanted {
                sleep(LOOK_EVERY.saturating_sub(begun.elapsed())).await;
            }
        }
    }

    /// Learns everything that is there.
    async fn look(&mut self, learn: &(dyn Fn(Node, Event) + Send + Sync)) -> Result<(), Setback> {
        loop {
            let each = &mut |Written { node, event, .. }| {
                if let Some(node) = node_of(node) {
                    learn(node, event);
                }
            };
            let found = self.reader.read_on(&self.house, each).await?;
            if found.rows > 0 {
                self.busy = Some(Stopwatch::start());
            }
            if let Found { has_more: false, .. } = found {
                return found.whole().map(drop);
            }
        }
    }

    /// Notes how far behind this node is.
    fn note(&mut self, begun: Stopwatch, setback: Option<Setback>) {
        let reason = setback.map(|setback| setback.to_string());
        match &reason {
            None => {
                self.whole = begun;
                self.asked.has_looked(begun);
            }
            Some(reason) if self.reason.as_ref() != Some(reason) => {
                tracing::error!(%reason, "what other nodes note cannot be read: sessions that ended there may still work here; it is tried again");
            }
            Some(_) => {}
        }
        if reason.is_none() && self.reason.is_some() {
            tracing::warn!("what other nodes note is read again");
        }
        let lag = if reason.is_none() { Duration::ZERO } else { self.whole.elapsed() };
        self.lag.set(lag.as_secs_f64());
        self.reason = reason;
    }

    fn pause(&mut self) -> Duration {
        if self.asked.has_noted.swap(false, Ordering::Relaxed) {
            self.busy = Some(Stopwatch::start());
        }
        let is_busy = self.asked.is_attended.load(Ordering::Relaxed)
            || self.busy.is_some_and(|busy| busy.elapsed() < BUSY_LASTS);
        if is_busy { BUSY_PAUSE } else { IDLE_PAUSE }
    }

    /// Removes old rows now and then. What fails is done the next time.
    async fn tidy(&mut self) {
        if self.tidied.is_some_and(|last| last.elapsed() < TIDY_EVERY) {
            return;
        }
        self.tidied = Some(Stopwatch::start());
        match remove_old(&self.house, self.reader.node).await {
            Ok(nodes) => self.reader.retain(&nodes),
            Err(setback) => tracing::warn!(%setback, "old rows of the journal are not removed yet"),
        }
    }
}

/// Removes rows of more than two days, and nodes without any. Returns the nodes that are left.
async fn remove_old(house: &House, node: i32) -> Result<Vec<i32>, Setback> {
    for _ in 0..TIDY_ROUNDS_MAX {
        let removed = house.with(|link| Box::pin(link.change(REMOVE, &[&TIDYING]))).await?;
        if removed < TIDY_ROWS {
            break;
        }
    }
    for _ in 0..TIDY_ROUNDS_MAX {
        let removed = house.with(|link| Box::pin(link.change(REMOVE_ENTRIES, &[]))).await?;
        if removed < TIDY_ROWS {
            break;
        }
    }
    let nodes = house.with(move |link| {
        Box::pin(async move {
            link.begin().await?;
            link.change(LIVE, &[&node]).await?;
            link.change(REMOVE_NODES, &[]).await?;
            let nodes = link.rows(NODES, &[]).await?;
            link.commit().await?;
            Ok(nodes)
        })
    });
    nodes.await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
