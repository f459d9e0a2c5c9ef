//! The trail of this machine, and its writer thread.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use futures_util::future::BoxFuture;
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};

use super::{
    Trail,
    config::Config,
    event::{Action, Actor, Event, Object, Who},
    pending::{LaterQueue, Message, QueueFull, lost},
    search::{Line, Search, SearchFault},
    writer::Writer,
};
use crate::{
    civic::FiscalCode,
    clock::Clock,
    ledger::fault::OpenFault,
    log::EVIDENCE,
    metrics as list,
    schemes::Campaign,
    trace::{Part, time},
    vault::{HouseKeys, Subject},
};

/// The trail of this machine. One thread writes it. Dropping it closes it.
pub struct LocalTrail {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    clock: Clock,
    messages: mpsc::Sender<Message>,
    later: Arc<LaterQueue>,
    failed: Arc<AtomicBool>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl LocalTrail {
    /// Opens the trail in the ledgers' directory, which must be locked for this process, and removes months that are
    /// too old.
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
        let (messages, inbox) = mpsc::channel(config.queue_events_max);
        let later = Arc::new(LaterQueue::new(config.queue_events_max));
        // The writer only needs its timer.
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        let failed = Arc::new(AtomicBool::new(false));
        list::AUDIT_FAILED.gauge(&[]).set(0.0);
        let thread = thread::Builder::new()
            .name("audit".to_owned())
            .spawn({
                let (later, failed) = (Arc::clone(&later), Arc::clone(&failed));
                move || runtime.block_on(writer.run(inbox, &later, &failed))
            })
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        Ok(Self {
            directory: directory.to_owned(),
            keys,
            clock,
            messages,
            later,
            failed,
            thread: Mutex::new(Some(thread)),
        })
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
}

impl Trail for LocalTrail {
    fn note<'a>(
        &'a self,
        action: Action,
        subject: Subject,
        who: Who<'a>,
        object: Object,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let (written, answer) = oneshot::channel();
            let (event, actor) = self.event(action, subject, who, object);
            let message = Message::Event(event, actor, written);
            if self.messages.send(message).await.is_err() || answer.await.is_err() {
                lost(&event);
            }
        })
    }

    fn note_soon(
        &self,
        action: Action,
        subject: Subject,
        who: Who<'_>,
        object: Object,
    ) -> Result<(), QueueFull> {
        let (event, actor) = self.event(action, subject, who, object);
        if self.later.put(event, actor)? {
            // A full queue holds messages that wake the writer as well.
            let _full = self.messages.try_send(Message::Later);
        }
        if self.failed() {
            self.later.lose();
        }
        Ok(())
    }

    fn control(&self, what: &str) {
        if self.messages.try_send(Message::Control(self.clock.now(), what.to_owned())).is_err() {
            list::AUDIT_LOST.counter(&[]).increment(1);
            tracing::error!(target: EVIDENCE, what, "the audit trail could not record this action");
        }
    }

    fn done_to(
        &self,
        person: FiscalCode,
        campaigns: Vec<Campaign>,
    ) -> BoxFuture<'_, Result<Vec<Line>, SearchFault>> {
        let search = Search::of(&self.directory, Arc::clone(&self.keys), &person);
        Box::pin(async move {
            let (written, answer) = oneshot::channel();
            if self.messages.send(Message::Flush(written)).await.is_ok() {
                // If the trail has failed meanwhile, what it has is searched.
                let _failed = answer.await;
            }
            let _reading = time(Part::Read);
            match spawn_blocking(move || search.done_to(campaigns.into_iter())).await {
                Ok(found) => found,
                Err(fault) => std::panic::resume_unwind(fault.into_panic()),
            }
        })
    }

    fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn close(&self) {
        let Some(thread) = self.thread.lock().ok().and_then(|mut thread| thread.take()) else {
            return;
        };
        let mut message = Message::Close;
        // This runs outside a runtime; the writer empties the queue.
        while let Err(mpsc::error::TrySendError::Full(back)) = self.messages.try_send(message) {
            message = back;
            thread::yield_now();
        }
        if thread.join().is_err() {
            tracing::error!("the audit thread panicked and has ended");
        }
    }
}

impl Drop for LocalTrail {
    fn drop(&mut self) {
        self.close();
    }
}
