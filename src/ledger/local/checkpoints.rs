//! The checkpoint thread: it sleeps until something was written, and checkpoints after an interval or when the writer asks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{poison::Poison, sqlite::Checkpointer};
use crate::{clock::Stopwatch, schemes::Campaign};

enum Call {
    /// Something was written since the last checkpoint.
    Written,
    /// The log is long: checkpoint now.
    Checkpoint,
    Stop,
}

/// How the committer and the ledger's handle reach the checkpoint thread.
#[derive(Clone)]
pub(super) struct Bell {
    calls: Sender<Call>,
    /// Whether the thread knows that something was written, so that only the first write after a checkpoint wakes it.
    told: Arc<AtomicBool>,
}

impl Bell {
    pub(super) fn written(&self) {
        if !self.told.swap(true, Ordering::AcqRel) {
            // A full channel holds a call that leads to a checkpoint as well.
            let _full = self.calls.try_send(Call::Written);
        }
    }

    pub(super) fn checkpoint_now(&self) {
        // If the channel is full, the next commit asks again.
        let _full = self.calls.try_send(Call::Checkpoint);
    }

    pub(super) fn stop(&self) {
        // The thread of a poisoned ledger has ended already.
        let _gone = self.calls.send(Call::Stop);
    }
}

/// The other end of a [`Bell`].
pub(super) struct Called {
    calls: Receiver<Call>,
    told: Arc<AtomicBool>,
}

pub(super) fn bell() -> (Bell, Called) {
    let (sender, calls) = bounded(1);
    let told = Arc::new(AtomicBool::new(false));
    (Bell { calls: sender, told: Arc::clone(&told) }, Called { calls, told })
}

impl Called {
    /// Checkpoints at most `every` after a write, until it is stopped. A checkpoint syncs the file, so a failed one poisons the
    /// ledger like a failed commit, and a poisoned ledger is never synced.
    pub(super) fn run(
        &self,
        every: Duration,
        mut checkpointer: Checkpointer,
        poison: &Poison,
        campaign: Campaign,
    ) {
        while self.wait(every) && !poison.is_set() {
            self.told.store(false, Ordering::Release);
            match checkpointer.checkpoint() {
                Err(fault) if fault.is_of_the_disk() => poison.set(campaign, &fault),
                Err(fault) => tracing::warn!(%fault, "the checkpoint is postponed"),
                Ok(()) => {}
            }
        }
    }

    /// Waits until a checkpoint is due; false if the thread is to stop.
    fn wait(&self, every: Duration) -> bool {
        let first = self.calls.recv();
        let deadline = Stopwatch::start().deadline(every);
        let mut call = first.map_err(|_| RecvTimeoutError::Disconnected);
        loop {
            match call {
                Ok(Call::Written) => call = self.calls.recv_deadline(deadline),
                Ok(Call::Checkpoint) | Err(RecvTimeoutError::Timeout) => return true,
                Ok(Call::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }
}
