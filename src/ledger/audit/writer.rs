//! The thread that writes the trail: one sync for everything that waits, a new file for each month.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    super::{fault::OpenFault, local::sqlite_fault::store_error, proof::Digest},
    config::Config,
    event::{Actor, Event},
    month::{Month, TrailRow},
    pending::{LaterQueue, Message, lost},
};
use crate::{
    metrics as list,
    vault::{HouseKeys, Subject},
};

/// People remembered as named in this month's file; beyond this bound names are written again, which only costs bytes.
const NAMED_MAX: usize = 100_000;
/// Events written with one sync, not counting those that nobody waits for.
const ROW_EVENTS_MAX: usize = 1024;

pub(super) struct Writer {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    config: Config,
    month: Month,
    connection: Connection,
    number: i64,
    root: Digest,
    /// The people whom this month's file names already.
    named: HashSet<(Subject, Subject)>,
}

/// What is written with one sync.
#[derive(Default)]
struct Gathered {
    events: Vec<(Event, Actor)>,
    later: Vec<(Event, Actor)>,
    waiters: Vec<oneshot::Sender<()>>,
    controls: Vec<(Timestamp, String)>,
    close: bool,
}

impl Gathered {
    fn add(&mut self, message: Message) {
        match message {
            Message::Event(event, actor, written) => {
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

    fn at(&self) -> Option<Timestamp> {
        let controls = self.controls.iter().map(|(at, _)| *at);
        self.all().map(|(event, _)| event.at).chain(controls).max()
    }

    fn all(&self) -> impl Iterator<Item = &(Event, Actor)> {
        self.later.iter().chain(&self.events)
    }
}

impl Writer {
    pub(super) fn open(
        directory: &Path,
        keys: Arc<HouseKeys>,
        now: Timestamp,
        config: Config,
    ) -> Result<Self, OpenFault> {
        let month = Month::of(now);
        retire(directory, now, config)?;
        let earlier = Month::all(directory)?.into_iter().rev().find(|earlier| *earlier < month);
        let root =
            earlier.map(|earlier| earlier.last_root(directory)).transpose()?.unwrap_or_default();
        let (connection, number, root) = month.open(directory, &keys, root, now)?;
        let directory = directory.to_owned();
        Ok(Self { directory, keys, config, month, connection, number, root, named: HashSet::new() })
    }

    /// Runs until it is closed, or until a write fails, which is final.
    pub(super) async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        later: &LaterQueue,
        failed: &AtomicBool,
    ) {
        while let Some(first) = messages.recv().await {
            let mut gathered = Gathered::default();
            gathered.add(first);
            self.wait_for_more(&mut gathered, &mut messages).await;
            while gathered.events.len() < ROW_EVENTS_MAX
                && let Ok(message) = messages.try_recv()
            {
                gathered.add(message);
            }
            gathered.later = later.take();
            if let Err(fault) = self.write(&gathered) {
                failed.store(true, Ordering::Release);
                list::AUDIT_FAILED.gauge(&[]).set(1.0);
                tracing::error!(%fault, "the audit trail has failed: repair the storage and restart");
                gathered.later.iter().for_each(|(event, _)| lost(event));
                later.lose();
                // Closing would sync again; what is on disk after a failed sync is known only after a restart.
                std::mem::forget(self);
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
    async fn wait_for_more(&self, gathered: &mut Gathered, messages: &mut mpsc::Receiver<Message>) {
        let deadline = Instant::now() + Duration::from_millis(self.config.own_wait_ms);
        while !gathered.urgent()
            && let Ok(Some(message)) = timeout_at(deadline, messages.recv()).await
        {
            gathered.add(message);
        }
    }

    fn write(&mut self, gathered: &Gathered) -> Result<(), OpenFault> {
        let Some(now) = gathered.at() else { return Ok(()) };
        if Month::of(now) != self.month {
            self.turn_to(now)?;
        }
        let store = |source| store_error(&self.directory.join(self.month.to_string()), source);
        let transaction = self.connection.unchecked_transaction().map_err(store)?;
        let (mut number, mut root) = (self.number, self.root);
        let mut named = Vec::new();
        let mut append = |mut row: TrailRow| {
            number += 1;
            root = row.root_after(&root);
            (row.number, row.root, row.signature) = (number, root, self.keys.sign(&root));
            row.insert(&transaction)
        };
        if gathered.all().next().is_some() {
            let mut row = TrailRow::at(now);
            for (event, actor) in gathered.all() {
                event.encode(&mut row.events);
                let who = (actor.person, actor.principal);
                if !self.named.contains(&who) && !named.contains(&who) {
                    actor.encode(&self.keys, &mut row.actors);
                    named.push(who);
                }
            }
            append(row).map_err(store)?;
        }
        for (at, what) in &gathered.controls {
            append(TrailRow { control: what.clone(), ..TrailRow::at(*at) }).map_err(store)?;
        }
        transaction.commit().map_err(store)?;
        if self.named.len() + named.len() > NAMED_MAX {
            self.named.clear();
        }
        self.named.extend(named);
        (self.number, self.root) = (number, root);
        Ok(())
    }

    fn turn_to(&mut self, now: Timestamp) -> Result<(), OpenFault> {
        let month = Month::of(now);
        let (connection, number, root) = month.open(&self.directory, &self.keys, self.root, now)?;
        (self.month, self.connection, self.number, self.root) = (month, connection, number, root);
        self.named.clear();
        retire(&self.directory, now, self.config)
    }
}

/// Removes the months that are older than the retention.
fn retire(directory: &Path, now: Timestamp, config: Config) -> Result<(), OpenFault> {
    let oldest = Month::before(now, config.months_kept);
    for month in Month::all(directory)?.into_iter().filter(|month| *month < oldest) {
        month.remove(directory)?;
        tracing::info!(%month, "a month of the audit trail is older than the retention: removed");
    }
    Ok(())
}
