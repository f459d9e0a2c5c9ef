//! The audit trail: who was shown or changed whose data, and when, in an order that shows every tampering.
//!
//! What changes an application is in its campaign's ledger already, with its time and its actor, under the ledger's signed
//! chain. The trail holds the rest: every showing, every draft, every request to withdraw, and what operators did. It is
//! written and synced *before* the data leaves, and [`Search`] puts both together.
//!
//! One file a month (Europe/Rome), beside the ledgers; a month that is older than the law asks for is removed whole. A row
//! is one commit: some events, the people who appear for the first time, the root that chains it to the row before, and
//! the house's signature. People are keyed hashes; who is behind one is sealed.
//!
//! Like everything else, the trail follows promise 1: a failed write or sync is final for this process. Reading goes on
//! then, as the promise says; what the trail could not take is told in the log, and the alarm rings.

mod event;
mod month;
mod search;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use jiff::Timestamp;
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
};

pub use self::month::note_command;
pub(super) use self::month::{FORM, copy};
use self::{event::Actor, writer::Writer};
pub use self::{
    event::{Action, Event, Object},
    search::{Line, Search, SearchFault, controls, inspect},
};
use super::{engine::OpenFault, keys::HouseKeys, seal::Subject};
use crate::{civic::FiscalCode, clock::Clock, metrics as list};

/// The bounds of the trail.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Full months that are kept besides the current one.
    pub months_kept: u64,
    /// Events that wait for the writer; whoever brings one more waits with it.
    pub queue_events_max: usize,
    /// How long an entering waits to be written together with others, milliseconds; nobody waits for it.
    pub entered_wait_ms: u64,
}

/// Somebody who looks or changes.
#[derive(Clone, Copy, Debug)]
pub struct Who<'w> {
    /// The person.
    pub fiscal_code: FiscalCode,
    /// The office they act for.
    pub office: Option<&'w str>,
}

/// The trail, open. Shared by all runtimes; one thread writes.
pub struct Trail {
    keys: Arc<HouseKeys>,
    clock: Clock,
    notes: mpsc::Sender<Note>,
    entered: Arc<Entered>,
    failed: Arc<AtomicBool>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

enum Note {
    /// And whoever waits for it.
    Event(Event, Actor, oneshot::Sender<()>),
    Control(Timestamp, String),
    /// Somebody entered, the first since the writer took those who had.
    Entered,
    Close,
}

/// Who entered and is not written yet. Beside the queue, so that a thousand of them wake the writer once.
struct Entered {
    waiting: Mutex<Vec<(Event, Actor)>>,
    events_max: usize,
}

impl Entered {
    /// Whether it is the first; the event comes back when there is no room.
    fn put(&self, event: Event, actor: Actor) -> Result<bool, Event> {
        let mut waiting = self.lock();
        if waiting.len() >= self.events_max {
            return Err(event);
        }
        waiting.push((event, actor));
        Ok(waiting.len() == 1)
    }

    fn take(&self) -> Vec<(Event, Actor)> {
        std::mem::take(&mut self.lock())
    }

    fn lose(&self) {
        self.take().iter().for_each(|(event, _)| lost(event));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Event, Actor)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trail {
    /// Opens the trail in the ledgers' directory, which must have been taken before, and removes months that are too old.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        directory: &Path,
        keys: Arc<HouseKeys>,
        clock: Clock,
        config: Config,
    ) -> Result<Self, OpenFault> {
        let writer = Writer::open(directory, Arc::clone(&keys), clock.now(), config)?;
        let (notes, waiting) = mpsc::channel(config.queue_events_max);
        let entered = Entered { waiting: Mutex::default(), events_max: config.queue_events_max };
        let entered = Arc::new(entered);
        // For its timer alone.
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        let failed = Arc::new(AtomicBool::new(false));
        list::AUDIT_FAILED.gauge(&[]).set(0.0);
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn({
                let (entered, failed) = (Arc::clone(&entered), Arc::clone(&failed));
                move || runtime.block_on(writer.run(waiting, &entered, &failed))
            })
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        Ok(Self { keys, clock, notes, entered, failed, thread: Mutex::new(Some(thread)) })
    }

    /// Notes that `who` does `action` to the data of `subject`; it is on disk when this returns, so call it before the data
    /// leaves. Should the trail have failed, it is told in the log instead, and this returns all the same.
    pub async fn note(&self, action: Action, subject: Subject, who: Who<'_>, object: Object) {
        let (written, answer) = oneshot::channel();
        let (event, actor) = self.event(action, subject, who, object);
        let note = Note::Event(event, actor, written);
        if self.notes.send(note).await.is_err() || answer.await.is_err() {
            lost(&event);
        }
    }

    /// Notes that `who` was let in, without waiting for the disk: written within [`Config::entered_wait_ms`].
    pub fn entered(&self, who: Who<'_>) {
        let subject = self.keys.subject(&who.fiscal_code);
        let (event, actor) = self.event(Action::Entered, subject, who, None);
        match self.entered.put(event, actor) {
            // A queue without room holds what wakes the writer as well.
            Ok(true) => {
                let _full = self.notes.try_send(Note::Entered);
            }
            Ok(false) => {}
            Err(event) => lost(&event),
        }
        if self.failed() {
            self.entered.lose();
        }
    }

    fn event(
        &self,
        action: Action,
        subject: Subject,
        who: Who<'_>,
        object: Object,
    ) -> (Event, Actor) {
        let actor = Actor::of(&self.keys, who);
        let (at, principal) = (self.clock.now(), actor.principal);
        let event = Event { at, action, subject, actor: actor.person, principal, object };
        (event, actor)
    }

    /// Notes what an operator, or the server itself, did.
    pub fn control(&self, what: &str) {
        if self.notes.try_send(Note::Control(self.clock.now(), what.to_owned())).is_err() {
            list::AUDIT_LOST.counter(&[]).increment(1);
            tracing::error!(what, "the audit trail did not take this: it is in the log alone");
        }
    }

    /// Whether the trail cannot be written any more.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Writes what was handed in and stops the thread.
    pub fn close(&self) {
        let Some(thread) = self.thread.lock().ok().and_then(|mut thread| thread.take()) else {
            return;
        };
        let mut note = Note::Close;
        // Outside a runtime; the queue empties by itself.
        while let Err(mpsc::error::TrySendError::Full(back)) = self.notes.try_send(note) {
            note = back;
            thread::yield_now();
        }
        if thread.join().is_err() {
            tracing::error!("the audit thread had panicked");
        }
    }
}

fn lost(event: &Event) {
    list::AUDIT_LOST.counter(&[]).increment(1);
    tracing::error!(?event, "the audit trail did not take this event: it is in the log alone");
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.close();
    }
}
