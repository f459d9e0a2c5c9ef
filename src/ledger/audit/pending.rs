//! What waits to be written to the trail.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::{sync::oneshot, time::Instant};

use super::event::{Actor, Event};
use crate::{log::EVIDENCE, metrics as list};

/// A message to the writer.
pub(super) enum Message {
    Event(Awaited),
    Control(Timestamp, String),
    /// Where to report that everything that waits is durable.
    Flush(oneshot::Sender<()>),
    /// Wakes the writer: an event came that nobody waits for, the first since it last took the queue.
    Later,
    Close,
}

/// An event that must be durable before something happens.
pub(super) struct Awaited {
    pub(super) event: Event,
    pub(super) actor: Actor,
    /// Where to report that it is durable.
    pub(super) written: oneshot::Sender<()>,
    /// Until when its sender waits; what it stands for does not happen after that. `None`: for as long as it takes.
    pub(super) until: Option<Instant>,
}

/// Events that nobody waits for and that are not written yet: what people did with their own data. They are kept apart from the messages, so
/// that a thousand of them wake the writer once.
pub(super) struct LaterQueue {
    waiting: Mutex<Vec<(Event, Actor)>>,
    events_max: usize,
}

/// As many events wait for the writer as may; this one was not taken.
pub struct QueueFull(Event);

impl QueueFull {
    /// Logs and counts the event as lost.
    pub fn lost(self) {
        lost(&self.0);
    }
}

impl LaterQueue {
    pub(super) fn new(events_max: usize) -> Self {
        Self { waiting: Mutex::default(), events_max }
    }

    /// Adds an event, and returns whether the queue was empty.
    ///
    /// # Errors
    /// [`QueueFull`].
    pub(super) fn put(&self, event: Event, actor: Actor) -> Result<bool, QueueFull> {
        let mut waiting = self.lock();
        if waiting.len() >= self.events_max {
            return Err(QueueFull(event));
        }
        waiting.push((event, actor));
        Ok(waiting.len() == 1)
    }

    pub(super) fn take(&self) -> Vec<(Event, Actor)> {
        std::mem::take(&mut self.lock())
    }

    /// Logs everything in the queue as lost.
    pub(super) fn lose(&self) {
        self.take().iter().for_each(|(event, _)| lost(event));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Event, Actor)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs and counts an event that the trail could not take. The log line holds keyed hashes, no names.
pub(super) fn lost(event: &Event) {
    list::AUDIT_LOST.counter(&[]).increment(1);
    tracing::error!(target: EVIDENCE, ?event, "the audit trail could not record this event");
}

/// Logs and counts a control action that the trail could not take.
pub(super) fn lost_control(what: &str) {
    list::AUDIT_LOST.counter(&[]).increment(1);
    tracing::error!(target: EVIDENCE, what, "the audit trail could not record this action");
}
