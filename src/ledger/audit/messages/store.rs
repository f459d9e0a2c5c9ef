//! The store of messages: a queue of sign-ins, and the thread that writes them, with one sync for all that wait.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use tokio::{sync::oneshot, time::timeout};

use super::{
    super::{super::fault::OpenFault, state::WriterState},
    attempt::{Attempt, HEADER, MessageWriter},
    writer::Writer,
};
use crate::{
    civic::FiscalCode,
    clock::Clock,
    metrics as list,
    vault::{HouseKeys, Place},
};

/// Sign-ins that may wait for the writer; a further one is refused. As many conversations with providers are allowed.
const WAITING_MAX: usize = 512;
/// Sign-ins written with one sync.
const ROWS_MAX: usize = 128;
/// How often months that are too old are looked for while nobody signs in.
const RETIRE_EVERY: Duration = Duration::from_hours(1);
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
    waiting: Mutex<Option<Sender<Attempt>>>,
    failed: Arc<AtomicBool>,
    state: Arc<WriterState>,
    wait_max: Option<Duration>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl MessageStore {
    /// Opens the store in the ledgers' directory, which must be locked for this process, and removes months that are
    /// too old.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(directory: &Path, keys: Arc<HouseKeys>, clock: Clock) -> Result<Self, OpenFault> {
        let writer = Writer::open(directory, Arc::clone(&keys), clock.clone())?;
        Self::over(writer, (keys, clock), Arc::default(), None)
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })
    }

    /// A store that `writer` writes. `wait_max`: how long an attempt waits for it at most.
    ///
    /// # Errors
    /// The I/O error if no thread can be started.
    pub(in crate::ledger) fn over(
        writer: impl MessageWriter,
        (keys, clock): (Arc<HouseKeys>, Clock),
        state: Arc<WriterState>,
        wait_max: Option<Duration>,
    ) -> io::Result<Self> {
        let (waiting, inbox) = bounded(WAITING_MAX);
        let failed = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("messages".to_owned()).spawn({
            let failed = Arc::clone(&failed);
            move || run(writer, &inbox, &failed)
        })?;
        let (waiting, thread) = (Mutex::new(Some(waiting)), Mutex::new(Some(thread)));
        Ok(Self { keys, clock, waiting, failed, state, wait_max, thread })
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
        let attempt = Attempt {
            at: self.clock.now(),
            handle: self.keys.session_handle(visit),
            owner,
            sealed: self.keys.seal(Place::Messages, owner, &HEADER, content),
            written,
        };
        let sent = match &*self.waiting.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(sender) => sender.try_send(attempt).map_err(|fault| match fault {
                TrySendError::Full(_) => "too many sign-ins wait to be recorded",
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
        let failed = |_| lost("the store of messages has failed");
        match self.wait_max {
            None => answer.await.map_err(failed),
            Some(wait_max) => match timeout(wait_max, answer).await {
                Ok(answer) => answer.map_err(failed),
                Err(_) => Err(lost("the database of messages did not answer in time")),
            },
        }
    }

    /// Whether nothing can be recorded any more.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Whether nothing can be recorded at present; while its database is away, that passes.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.failed() || self.state.is_away()
    }

    /// Writes what waits, and closes the store. Blocks until that is done.
    pub fn close(&self) {
        self.state.close();
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

/// Writes until the store is closed. A failed write is final: nothing is written after it.
fn run(mut writer: impl MessageWriter, inbox: &Receiver<Attempt>, failed: &AtomicBool) {
    loop {
        let first = match inbox.recv_timeout(RETIRE_EVERY) {
            Ok(first) => first,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                if let Err(fault) = writer.retire() {
                    tracing::error!(%fault, "messages that are too old cannot be removed");
                }
                continue;
            }
        };
        let gathered: Vec<_> =
            std::iter::once(first).chain(inbox.try_iter()).take(ROWS_MAX).collect();
        if let Err(fault) = writer.write(&gathered) {
            failed.store(true, Ordering::Release);
            list::AUDIT_FAILED.gauge(&[]).set(1.0);
            tracing::error!(%fault, "the store of messages has failed: repair the storage and restart");
            // Closing would sync again; what is on disk after a failed sync is known only after a restart.
            std::mem::forget(writer);
            drop(gathered);
            // An attempt that is sent while this ends would wait for ever: each is refused here until the store closes.
            inbox.iter().for_each(drop);
            return;
        }
        for attempt in gathered {
            let _gone = attempt.written.send(());
        }
    }
}
