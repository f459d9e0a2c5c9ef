//! Events that are written with one sync, and the rows that they become: the same on every engine.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    super::fault::OpenFault,
    chain::End,
    event::{Actor, Event},
    pending::{Awaited, LaterQueue, Message, lost, lost_control},
    row::TrailRow,
};
use crate::{
    metrics as list,
    vault::{HouseKeys, Subject},
};

/// People remembered as named in this month; beyond this bound names are written again, which only costs bytes.
const NAMED_MAX: usize = 100_000;
/// Events written with one sync, not counting those that nobody waits for.
const ROW_EVENTS_MAX: usize = 1024;

/// Writes rows of the trail, on a thread of its own.
pub(in crate::ledger) trait RowWriter: Send + 'static {
    /// Writes what was gathered; it is durable when this returns.
    ///
    /// # Errors
    /// [`OpenFault`], which is final: nothing is written after it.
    fn write(&mut self, gathered: &Gathered) -> Result<(), OpenFault>;
}

/// What is written with one sync.
#[derive(Default)]
pub(in crate::ledger) struct Gathered {
    events: Vec<(Event, Actor)>,
    later: Vec<(Event, Actor)>,
    waiters: Vec<oneshot::Sender<()>>,
    controls: Vec<(Timestamp, String)>,
    close: bool,
}

/// The people whom the rows of this month and chain name already.
#[derive(Default)]
pub(in crate::ledger) struct Names(HashSet<(Subject, Subject)>);

impl Gathered {
    fn add(&mut self, message: Message) {
        match message {
            // Its sender has been refused, and nothing happened.
            Message::Event(Awaited { until: Some(until), .. }) if until <= Instant::now() => {}
            Message::Event(Awaited { event, actor, written, .. }) => {
                self.events.push((event, actor));
                self.waiters.push(written);
            }
            Message::Control(at, what) => self.controls.push((at, what)),
            Message::Flush(written) => self.waiters.push(written),
            Message::Later => {}
            Message::Close => self.close = true,
        }
    }

    /// Whether a caller waits for the sync, or for the thread to end.
    fn urgent(&self) -> bool {
        !self.waiters.is_empty() || !self.controls.is_empty() || self.close
    }

    /// When the latest of it happened; `None` if there is nothing to write.
    pub(in crate::ledger) fn at(&self) -> Option<Timestamp> {
        let controls = self.controls.iter().map(|(at, _)| *at);
        self.all().map(|(event, _)| event.at).chain(controls).max()
    }

    fn all(&self) -> impl Iterator<Item = &(Event, Actor)> {
        self.later.iter().chain(&self.events)
    }

    /// The rows that continue a chain after `end`: one with all events of the moment `now`, and one for each control action.
    pub(in crate::ledger) fn rows(
        &self,
        keys: &HouseKeys,
        now: Timestamp,
        end: &mut End,
        names: &mut Names,
    ) -> Vec<TrailRow> {
        let mut rows = Vec::with_capacity(1 + self.controls.len());
        if self.all().next().is_some() {
            let mut row = TrailRow::at(now);
            let mut new = HashSet::new();
            for (event, actor) in self.all() {
                event.encode(&mut row.events);
                let who = (actor.person, actor.principal);
                if !names.0.contains(&who) && new.insert(who) {
                    actor.encode(keys, &mut row.actors);
                }
            }
            if names.0.len() + new.len() > NAMED_MAX {
                names.0.clear();
            }
            names.0.extend(new);
            rows.push(row.chained(end, keys));
        }
        for (at, what) in &self.controls {
            let row = TrailRow { control: what.clone(), ..TrailRow::at(*at) };
            rows.push(row.chained(end, keys));
        }
        rows
    }

    /// Logs as lost what nobody waits for. Who waits learns it by the end of their channel.
    fn lose(&self) {
        self.later.iter().for_each(|(event, _)| lost(event));
        self.controls.iter().for_each(|(_, what)| lost_control(what));
    }
}

/// Gathers and writes until the trail is closed, or until a write fails, which is final. `own_wait`: how long events that
/// nobody waits for wait for others.
pub(super) async fn run(
    mut writer: impl RowWriter,
    own_wait: Duration,
    mut messages: mpsc::Receiver<Message>,
    later: &LaterQueue,
    failed: &AtomicBool,
) {
    while let Some(first) = messages.recv().await {
        let mut gathered = Gathered::default();
        gathered.add(first);
        wait_for_more(&mut gathered, own_wait, &mut messages).await;
        while gathered.events.len() < ROW_EVENTS_MAX
            && let Ok(message) = messages.try_recv()
        {
            gathered.add(message);
        }
        gathered.later = later.take();
        if let Err(fault) = writer.write(&gathered) {
            failed.store(true, Ordering::Release);
            list::AUDIT_FAILED.gauge(&[]).set(1.0);
            tracing::error!(%fault, "the audit trail has failed: repair the storage and restart");
            gathered.lose();
            later.lose();
            // Closing would sync again; what is on disk after a failed sync is known only after a restart.
            std::mem::forget(writer);
            return;
        }
        for waiter in gathered.waiters {
            let _gone = waiter.send(());
        }
        if gathered.close {
            return;
        }
    }
}

/// Waits for more while only events are to be written that nobody waits for.
async fn wait_for_more(
    gathered: &mut Gathered,
    own_wait: Duration,
    messages: &mut mpsc::Receiver<Message>,
) {
    let deadline = Instant::now() + own_wait;
    while !gathered.urgent()
        && let Ok(Some(message)) = timeout_at(deadline, messages.recv()).await
    {
        gathered.add(message);
    }
}
