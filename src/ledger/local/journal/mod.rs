//! The journal of this machine: sealed files next to the ledgers, and a thread that writes them.
//!
//! Backups leave it out: a restored house must not open sessions that have ended since.

mod files;
mod writer;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use jiff::Timestamp;
use tokio::sync::oneshot;

use self::{
    files::Current,
    writer::{Queue, Writer},
};
use crate::{
    clock::Clock,
    ledger::{
        fault::OpenFault,
        journal::{Event, Journal, encoding::encode},
    },
    metrics as list,
    vault::HouseKeys,
};

/// Longest time from a change until it is noted, and the fraction of a second that the journal does not keep, seconds.
const SLACK_SECONDS: i64 = 2;

/// The journal of this machine.
pub struct LocalJournal {
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl LocalJournal {
    /// Opens or creates the journal in the ledgers' directory, which must be locked for this process. Calls `each` with
    /// every event that it holds, in their order. Returns also the moment, in real time, until which it holds everything:
    /// a new one knows nothing of what was before.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        directory: &Path,
        keys: Arc<HouseKeys>,
        clock: Clock,
        mut each: impl FnMut(Event),
    ) -> Result<(Self, Timestamp), OpenFault> {
        let now = clock.real().as_second();
        let (current, until) = Current::open(directory, &keys, now, &mut each)?;
        let whole_until = until.map_or(now + 1, |until| until - SLACK_SECONDS);
        let queue = Arc::new(Queue::default());
        let failed = list::JOURNAL_FAILED.gauge(&[]);
        failed.set(0.0);
        let writer = Writer { queue: Arc::clone(&queue), keys, clock, current };
        let writer = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&failed))
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        let whole_until = Timestamp::from_second(whole_until).unwrap_or(Timestamp::MAX);
        Ok((Self { queue, writer: Mutex::new(Some(writer)) }, whole_until))
    }
}

impl Journal for LocalJournal {
    fn note(&self, event: Event) {
        self.queue.put(|out| encode(&event, out));
    }

    fn synced(&self) -> oneshot::Receiver<()> {
        self.queue.synced()
    }

    fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A panic of it is caught and reported.
            let _ended = writer.join();
        }
    }
}

impl Drop for LocalJournal {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
