//! Drafts in a file of their own, next to the ledgers.
//!
//! One thread writes. It gathers what waits, writes it in one transaction, syncs once and answers all, so that a burst
//! of drafts costs the disk, which the ledger needs too, few syncs. Loads have a connection of their own and never wait
//! for a sync.
//!
//! A failed write or sync is final, as for the ledger, but only for drafts: nothing is written to the file until a
//! restart, drafts that are stored can still be loaded, and applications are accepted.

mod change;
mod file;
mod index;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use bytes::Bytes;
use crossbeam::channel::TrySendError;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Either, ready},
};
use rusqlite::Connection;
use tokio::{
    sync::{Semaphore, oneshot},
    task::spawn_blocking,
};

pub use self::file::DraftsFile;
#[cfg(feature = "postgres")]
pub(in crate::ledger) use self::file::FILE;
pub(in crate::ledger) use self::file::{FORMAT, copy};
use self::{
    change::{Change, Message, What},
    index::Index,
    writer::{Groups, Writer},
};
use super::{
    files::reading,
    mailbox::{Outbox, mailbox},
};
use crate::{
    ledger::{
        drafts::{Draft, DraftFault, Drafts, Expected, Forgetting, Slot},
        fault::{OpenFault, ReadFault},
        local::sqlite_fault::store_error,
    },
    metrics as list,
    trace::{Part, time},
    vault::{DraftKey, HouseKeys, Subject},
};

/// Saves and removals that may wait for the writer: three seconds of 700 drafts a second, and 128 MiB if every draft is
/// as large as a body may be. A further one is refused.
const CHANGES_MAX: usize = 2048;
/// Drafts that may wait to be forgotten after their submissions. They have room of their own, because a submission
/// cannot be refused for a draft.
const FORGETS_MAX: usize = 8192;

/// The drafts of this machine. Dropping it writes what waits and closes the file.
pub struct LocalDrafts {
    reader: Arc<Reader>,
    index: Index,
    messages: Outbox<Message>,
    /// Places of saves and removals; each is held until its answer.
    places: Arc<Semaphore>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

/// Loads drafts while the writer writes.
struct Reader {
    keys: Arc<HouseKeys>,
    connection: Mutex<Connection>,
}

impl LocalDrafts {
    /// Opens or creates the file in the ledgers' directory, which must be locked for this process.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(directory: &Path, keys: Arc<HouseKeys>) -> Result<Self, OpenFault> {
        let file = DraftsFile::open(directory, Arc::clone(&keys))?;
        let index = file.index();
        Self::with(directory, keys, index, Box::new(file))
    }

    fn with(
        directory: &Path,
        keys: Arc<HouseKeys>,
        index: Index,
        file: Box<dyn Groups>,
    ) -> Result<Self, OpenFault> {
        let path = file::file_of(directory);
        let connection = reading(&path).map_err(|source| store_error(&path, source))?;
        let reader = Arc::new(Reader { keys, connection: Mutex::new(connection) });
        let (messages, inbox) = mailbox(CHANGES_MAX + FORGETS_MAX);
        list::DRAFTS_FAILED.gauge(&[]).set(0.0);
        let writer = Writer::new(file, inbox);
        let thread =
            thread::Builder::new()
                .name("drafts".to_owned())
                .spawn(move || writer.run())
                .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        let places = Arc::new(Semaphore::new(CHANGES_MAX));
        Ok(Self { reader, index, messages, places, thread: Mutex::new(Some(thread)) })
    }

    /// Sends a change to the writer, and waits until it is durable or refused; whether there was a draft.
    async fn change(&self, slot: Slot, what: What, expected: Expected) -> Result<bool, DraftFault> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| DraftFault::Busy)?;
        let (reply, answer) = oneshot::channel();
        let change = Change { slot, what, expected, waiting: Some((reply, place)) };
        self.messages.try_send(Message::Change(change)).map_err(|refused| match refused {
            TrySendError::Full(_) => DraftFault::Busy,
            TrySendError::Disconnected(_) => DraftFault::Failed,
        })?;
        // A writer that has ended drops what it was sent.
        answer.await.unwrap_or(Err(DraftFault::Failed))
    }
}

impl Drafts for LocalDrafts {
    fn save(
        &self,
        slot: Slot,
        content: Bytes,
        expected: Expected,
    ) -> BoxFuture<'_, Result<(), DraftFault>> {
        self.change(slot, What::Save(content), expected).map(|saved| saved.map(drop)).boxed()
    }

    fn load(&self, slot: Slot) -> BoxFuture<'_, Result<Option<Draft>, ReadFault>> {
        let reader = Arc::clone(&self.reader);
        let known = self.index.has(slot);
        Box::pin(async move {
            if !known {
                return Ok(None);
            }
            let _reading = time(Part::Read);
            match spawn_blocking(move || reader.load(slot)).await {
                Ok(loaded) => loaded,
                Err(fault) => std::panic::resume_unwind(fault.into_panic()),
            }
        })
    }

    fn remove(&self, slot: Slot, expected: Expected) -> BoxFuture<'_, Result<bool, DraftFault>> {
        self.change(slot, What::Remove, expected).boxed()
    }

    fn forget(
        &self,
        person: Subject,
        principal: Subject,
        key: &dyn Fn() -> DraftKey,
    ) -> Forgetting<'_> {
        let done = Either::Left(ready(()));
        if self.index.count(person, principal) == 0 {
            return done;
        }
        let slot = Slot { key: key(), person, principal };
        let change =
            Change { slot, what: What::Remove, expected: Expected::Anything, waiting: None };
        let send = || self.messages.try_send(Message::Change(change)).is_ok();
        if self.index.remove_if(slot, send) == Some(false) {
            tracing::warn!("a draft was not removed after its submission");
        }
        done
    }

    fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        // Waits while the queue is full: the writer empties it.
        self.messages.send(Message::Close);
        if thread.join().is_err() {
            tracing::error!("the drafts' thread panicked and has ended");
        }
    }
}

impl Drop for LocalDrafts {
    fn drop(&mut self) {
        self.close();
    }
}

impl Reader {
    fn load(&self, slot: Slot) -> Result<Option<Draft>, ReadFault> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        file::load(&connection, &self.keys, slot)
    }
}
