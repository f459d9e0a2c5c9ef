//! The thread that writes the journal: at once while there is little, in groups under load.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use metrics::Gauge;
use tokio::sync::oneshot;

use super::files::Current;
use crate::{
    clock::{Clock, Stopwatch},
    vault::HouseKeys,
};

/// Pause between two groups: bounds the writes a second, and what a kill loses. One of 20 ms halves the CPU of the journal,
/// which is 2.5 % of a visit's, but then a kill under load loses a lease or a seat more often.
const WRITE_EVERY: Duration = Duration::from_millis(5);
/// Until the next sync the disk is left alone for this many times as long as the last one took: the ledger syncs on the
/// same disk.
const PAUSE_FACTOR: u32 = 2;
/// Longest such time, after a sync that took long for once.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// Longest time until what was written is synced although nobody waits for it.
const UNSYNCED_MAX: Duration = Duration::from_millis(500);
/// Bytes of events that wait to be written: a disk that stands still for minutes of a surge.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// What waits to be written.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    events: Vec<u8>,
    synced: Vec<oneshot::Sender<()>>,
    close: bool,
    /// Nothing more is written: it was closed, or it has failed.
    over: bool,
    overflowed: bool,
}

impl Queue {
    /// Appends what `encode` writes.
    pub(super) fn put(&self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = self.lock();
        if waiting.over || waiting.overflowed {
            return;
        }
        let was_empty = waiting.events.is_empty();
        encode(&mut waiting.events);
        waiting.overflowed = waiting.events.len() > QUEUE_BYTES_MAX;
        if was_empty || waiting.overflowed {
            self.wake.notify_one();
        }
    }

    /// Completes when everything that was put before is on disk.
    pub(super) fn synced(&self) -> oneshot::Receiver<()> {
        let (synced, waiter) = oneshot::channel();
        let mut waiting = self.lock();
        if !waiting.over {
            waiting.synced.push(synced);
            self.wake.notify_one();
        }
        waiter
    }

    pub(super) fn close(&self) {
        self.lock().close = true;
        self.wake.notify_one();
    }

    /// Everything that waits. Waits for something, at most for `patience` if there is one.
    fn take(&self, patience: Option<Duration>) -> Waiting {
        let mut waiting = self.lock();
        let is_idle = |waiting: &mut Waiting| {
            waiting.events.is_empty() && waiting.synced.is_empty() && !waiting.close
        };
        waiting = match patience {
            None => self.wake.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.wake.wait_timeout_while(waiting, patience, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        std::mem::take(&mut waiting)
    }

    /// Nothing is put any more; whoever waits is answered with an error.
    fn end(&self) {
        *self.lock() = Waiting { over: true, ..Waiting::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread owns.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) keys: Arc<HouseKeys>,
    pub(super) clock: Clock,
    pub(super) current: Current,
}

impl Writer {
    /// Runs until it is closed. After a failed write, which is final, it removes the files.
    pub(super) fn run(mut self, failed: &Gauge) {
        let written = catch_unwind(AssertUnwindSafe(|| self.write_groups()));
        let written = written.unwrap_or_else(|_| Err(io::Error::other("its thread panicked")));
        if let Err(fault) = written {
            failed.set(1.0);
            tracing::error!(%fault, "the journal has failed: after a restart everybody has to enter again; repair the storage");
            if let Err(fault) = self.current.remove() {
                tracing::error!(%fault, "the journal cannot be removed: remove the files ledger/journal-* before the next start, otherwise sessions that end from now on open again");
            }
        }
        // In each case, so that nobody waits for a thread that is gone.
        self.queue.end();
    }

    fn write_groups(&mut self) -> io::Result<()> {
        let (mut unsynced, mut since) = (false, Stopwatch::start());
        let (mut pause, mut rest) = (Duration::ZERO, Stopwatch::start());
        let mut waiters = Vec::new();
        loop {
            let patience = if waiters.is_empty() {
                unsynced.then(|| UNSYNCED_MAX.saturating_sub(since.elapsed()))
            } else {
                Some(pause.saturating_sub(rest.elapsed()))
            };
            let group = self.queue.take(patience);
            if group.overflowed {
                return Err(io::Error::other("more events wait to be written than may"));
            }
            waiters.extend(group.synced);
            if !group.events.is_empty() {
                let now = self.clock.real().as_second();
                self.current.write(&self.keys, now, &group.events)?;
                if !unsynced {
                    (unsynced, since) = (true, Stopwatch::start());
                }
            }
            let is_due = !waiters.is_empty() || (unsynced && since.elapsed() >= UNSYNCED_MAX);
            if group.close || (is_due && rest.elapsed() >= pause) {
                let watch = Stopwatch::start();
                if unsynced {
                    self.current.sync()?;
                    unsynced = false;
                }
                for waiter in waiters.drain(..) {
                    let _gone: Result<(), ()> = waiter.send(());
                }
                pause = (watch.elapsed() * PAUSE_FACTOR).min(PAUSE_MAX);
                rest = Stopwatch::start();
            }
            if group.close {
                return Ok(());
            }
            thread::sleep(WRITE_EVERY);
        }
    }
}
