//! The way from those who record to the one thread that writes: the same on every engine.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    config::Config,
    event::{Action, Actor, Event, Object, Who},
    gathered::{RowWriter, run},
    pending::{Awaited, LaterQueue, Message, QueueFull, lost, lost_control},
};
use crate::{
    clock::Clock,
    metrics as list,
    vault::{HouseKeys, Subject},
};

/// The queue of a trail and its writer thread. Dropping it closes it.
pub(in crate::ledger) struct Recorder {
    keys: Arc<HouseKeys>,
    clock: Clock,
    messages: mpsc::Sender<Message>,
    later: Arc<LaterQueue>,
    failed: Arc<AtomicBool>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
    wait_max: Option<Duration>,
}

/// An event that was not written, or that nobody knows to be.
pub(in crate::ledger) struct Unwritten(Event);

impl Unwritten {
    /// Logs and counts the event as lost.
    pub(in crate::ledger) fn lost(&self) {
        lost(&self.0);
    }
}

impl Recorder {
    /// Starts the thread. `wait_max`: how long the sender of an event waits for it at most.
    ///
    /// # Errors
    /// The I/O error if no thread can be started.
    pub(in crate::ledger) fn start(
        (keys, clock): (Arc<HouseKeys>, Clock),
        config: Config,
        writer: impl RowWriter,
        wait_max: Option<Duration>,
    ) -> io::Result<Self> {
        let (messages, inbox) = mpsc::channel(config.queue_events_max);
        let later = Arc::new(LaterQueue::new(config.queue_events_max));
        // The writer only needs its timer.
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let failed = Arc::new(AtomicBool::new(false));
        let own_wait = Duration::from_millis(config.own_wait_ms);
        list::AUDIT_FAILED.gauge(&[]).set(0.0);
        let thread = thread::Builder::new().name("audit".to_owned()).spawn({
            let (later, failed) = (Arc::clone(&later), Arc::clone(&failed));
            move || runtime.block_on(run(writer, own_wait, inbox, &later, &failed))
        })?;
        let thread = Mutex::new(Some(thread));
        Ok(Self { keys, clock, messages, later, failed, thread, wait_max })
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

    /// Records an event; it is durable when this returns.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub(in crate::ledger) async fn note(
        &self,
        action: Action,
        subject: Subject,
        who: Who<'_>,
        object: Object,
    ) -> Result<(), Unwritten> {
        let (written, answer) = oneshot::channel();
        let (event, actor) = self.event(action, subject, who, object);
        let until = self.wait_max.map(|wait_max| Instant::now() + wait_max);
        let message = Message::Event(Awaited { event, actor, written, until });
        let recording = async { self.messages.send(message).await.is_ok() && answer.await.is_ok() };
        let is_written = match until {
            None => recording.await,
            Some(until) => timeout_at(until, recording).await.unwrap_or(false),
        };
        if is_written { Ok(()) } else { Err(Unwritten(event)) }
    }

    /// As [`Trail::note_soon`](super::Trail::note_soon).
    ///
    /// # Errors
    /// [`QueueFull`].
    pub(in crate::ledger) fn note_soon(
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

    /// As [`Trail::control`](super::Trail::control).
    pub(in crate::ledger) fn control(&self, what: &str) {
        if self.messages.try_send(Message::Control(self.clock.now(), what.to_owned())).is_err() {
            lost_control(what);
        }
    }

    /// Waits until everything that was recorded is durable, if that can be.
    pub(in crate::ledger) async fn flush(&self) {
        let (written, answer) = oneshot::channel();
        let flushing = async {
            if self.messages.send(Message::Flush(written)).await.is_ok() {
                // If the trail has failed meanwhile, what it has is searched.
                let _failed = answer.await;
            }
        };
        match self.wait_max {
            None => flushing.await,
            Some(wait_max) => {
                let _late = timeout_at(Instant::now() + wait_max, flushing).await;
            }
        }
    }

    pub(in crate::ledger) fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(in crate::ledger) fn close(&self) {
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

impl Drop for Recorder {
    fn drop(&mut self) {
        self.close();
    }
}
