//! What waits to be written to the trail.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::event::{Actor, Event};
use crate::metrics as list;

/// A message to the writer.
pub(super) enum Message {
    /// An event, and where to report that it is durable.
    Event(Event, Actor, oneshot::Sender<()>),
    Control(Timestamp, String),
    /// Wakes the writer: a person was let in, the first since it last took the queue.
    Entered,
    Close,
}

/// People who were let in and are not written yet. They are kept apart from the messages, so that a thousand of them
/// wake the writer once.
pub(super) struct EnteredQueue {
    waiting: Mutex<Vec<(Event, Actor)>>,
    events_max: usize,
}

impl EnteredQueue {
    pub(super) fn new(events_max: usize) -> Self {
        Self { waiting: Mutex::default(), events_max }
    }

    /// Adds a person who was let in, and returns whether the queue was empty.
    ///
    /// # Errors
    /// The event, if the queue is full: log it with [`lost`].
    pub(super) fn put(&self, event: Event, actor: Actor) -> Result<bool, Event> {
        let mut waiting = self.lock();
        if waiting.len() >= self.events_max {
            return Err(event);
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
    tracing::error!(?event, "the audit trail could not record this event");
}
