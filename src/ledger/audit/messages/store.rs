//! The writer of messages: one sync for all sign-ins that wait, a new file for each month.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    super::{
        super::{fault::OpenFault, local::sqlite_fault::store_error, proof::Digest},
        month::Month,
    },
    file::{self, MessageRow},
};
use crate::{
    civic::FiscalCode,
    clock::Clock,
    metrics as list,
    vault::{HouseKeys, Place, Subject},
};

/// Sign-ins that may wait for the writer; a further one is refused. As many conversations with providers are allowed.
const WAITING_MAX: usize = 512;
/// Sign-ins written with one sync.
const ROWS_MAX: usize = 128;
/// How often months that are too old are looked for while nobody signs in.
const RETIRE_EVERY: Duration = Duration::from_hours(1);
/// The header of sealed messages: their version.
pub(super) const HEADER: [u8; 1] = [1];

/// The messages of one attempt to sign in.
pub struct LoginMessages<'a> {
    /// The visit that begins with it.
    pub visit: &'a str,
    /// The person whom they name; `None` if the attempt was refused before that was sure.
    pub person: Option<&'a FiscalCode>,
    /// The messages, as JSON.
    pub content: &'a [u8],
}

/// The messages could not be recorded: refuse the sign-in, and let the person come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRecorded;

/// Keeps messages. One thread writes them. Dropping it closes it.
pub struct MessageStore {
    keys: Arc<HouseKeys>,
    clock: Clock,
    waiting: Mutex<Option<Sender<Waiting>>>,
    failed: Arc<AtomicBool>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

/// An attempt that waits for its sync.
struct Waiting {
    at: Timestamp,
    handle: String,
    owner: Subject,
    sealed: Vec<u8>,
    written: oneshot::Sender<()>,
}

impl MessageStore {
    /// Opens the store in the ledgers' directory, which must be locked for this process, and removes months that are
    /// too old.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(directory: &Path, keys: Arc<HouseKeys>, clock: Clock) -> Result<Self, OpenFault> {
        file::retire(directory, clock.now())?;
        let (waiting, inbox) = bounded(WAITING_MAX);
        let failed = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            directory: directory.to_owned(),
            keys: Arc::clone(&keys),
            clock: clock.clone(),
            open: None,
        };
        let thread = thread::Builder::new()
            .name("messages".to_owned())
            .spawn({
                let failed = Arc::clone(&failed);
                move || writer.run(&inbox, &failed)
            })
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        let (waiting, thread) = (Mutex::new(Some(waiting)), Mutex::new(Some(thread)));
        Ok(Self { keys, clock, waiting, failed, thread })
    }

    /// Records the messages of an attempt; they are durable when this returns.
    ///
    /// # Errors
    /// [`NotRecorded`].
    pub async fn record(&self, messages: LoginMessages<'_>) -> Result<(), NotRecorded> {
        let LoginMessages { visit, person, content } = messages;
        let visit = self.keys.visit(visit);
        let owner = person.map_or(visit, |code| self.keys.subject(code));
        let (written, answer) = oneshot::channel();
        let waiting = Waiting {
            at: self.clock.now(),
            handle: self.keys.session_handle(visit),
            owner,
            sealed: self.keys.seal(Place::Messages, owner, &HEADER, content),
            written,
        };
        let sent = match &*self.waiting.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(sender) => sender.try_send(waiting).map_err(|fault| match fault {
                TrySendError::Full(_) => "too many sign-ins wait for the disk",
                TrySendError::Disconnected(_) => "the store of messages has failed",
            }),
            None => Err("the store of messages is closed"),
        };
        let lost = |fault| {
            list::AUDIT_LOST.counter(&[]).increment(1);
            tracing::error!(fault, "the messages of a sign-in could not be recorded");
            NotRecorded
        };
        sent.map_err(lost)?;
        answer.await.map_err(|_| lost("the store of messages has failed"))
    }

    /// Whether nothing can be recorded any more.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Writes what waits, and closes the store. Blocks until that is done.
    pub fn close(&self) {
        drop(self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that keeps messages panicked and has ended");
        }
    }
}

impl Drop for MessageStore {
    fn drop(&mut self) {
        self.close();
    }
}

struct Writer {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    clock: Clock,
    /// The month that is written; `None` before the first attempt.
    open: Option<OpenMonth>,
}

struct OpenMonth {
    month: Month,
    connection: Connection,
    number: i64,
    root: Digest,
}

impl Writer {
    /// Runs until the store is closed. A failed write is final: nothing is written after it.
    fn run(mut self, inbox: &Receiver<Waiting>, failed: &AtomicBool) {
        loop {
            let first = match inbox.recv_timeout(RETIRE_EVERY) {
                Ok(first) => first,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(fault) = file::retire(&self.directory, self.clock.now()) {
                        tracing::error!(%fault, "messages that are too old cannot be removed");
                    }
                    continue;
                }
            };
            let gathered: Vec<_> =
                std::iter::once(first).chain(inbox.try_iter()).take(ROWS_MAX).collect();
            if let Err(fault) = self.write(&gathered) {
                failed.store(true, Ordering::Release);
                list::AUDIT_FAILED.gauge(&[]).set(1.0);
                tracing::error!(%fault, "the store of messages has failed: repair the storage and restart");
                // Closing would sync again; what is on disk after a failed sync is known only after a restart.
                std::mem::forget(self);
                drop(gathered);
                // An attempt that is sent while this ends would wait for ever: each is refused here until the store closes.
                inbox.iter().for_each(drop);
                return;
            }
            for waiting in gathered {
                let _gone = waiting.written.send(());
            }
        }
    }

    fn write(&mut self, gathered: &[Waiting]) -> Result<(), OpenFault> {
        let Some(now) = gathered.iter().map(|waiting| waiting.at).max() else { return Ok(()) };
        let month = Month::of(now);
        if self.open.as_ref().is_none_or(|open| open.month != month) {
            self.turn_to(month, now)?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let store = |source| store_error(&self.directory.join(open.month.to_string()), source);
        let transaction = open.connection.unchecked_transaction().map_err(store)?;
        let (mut number, mut root) = (open.number, open.root);
        for Waiting { at, handle, owner, sealed, .. } in gathered {
            number += 1;
            let mut row = MessageRow {
                number,
                written_at: at.as_second(),
                handle: handle.clone(),
                owner: *owner,
                sealed: sealed.clone(),
                root,
                signature: String::new(),
            };
            root = row.root_after(&root);
            (row.root, row.signature) = (root, self.keys.sign(&root));
            row.insert(&transaction).map_err(store)?;
        }
        transaction.commit().map_err(store)?;
        (open.number, open.root) = (number, root);
        Ok(())
    }

    fn turn_to(&mut self, month: Month, now: Timestamp) -> Result<(), OpenFault> {
        let (connection, number, root) = file::open(&self.directory, &month, &self.keys, now)?;
        self.open = Some(OpenMonth { month, connection, number, root });
        file::retire(&self.directory, now)
    }
}
