//! The checkpoint thread: it sleeps until something was written, and checkpoints after an interval or when the writer
//! asks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{
    poison::{Cause, Poison},
    sqlite::Checkpointer,
};
use crate::{clock::Stopwatch, schemes::Campaign};

enum Request {
    /// Something was written since the last checkpoint.
    Written,
    /// The log is long: checkpoint now.
    Checkpoint,
    Stop,
}

/// How the committer and the ledger's handle reach the checkpoint thread.
#[derive(Clone)]
pub(super) struct CheckpointRequests {
    requests: Sender<Request>,
    /// Whether a write since the last checkpoint was announced: only the first one wakes the thread.
    is_announced: Arc<AtomicBool>,
}

impl CheckpointRequests {
    /// Announces that something was written.
    pub(super) fn written(&self) {
        if !self.is_announced.swap(true, Ordering::AcqRel) {
            // A full channel holds a request that leads to a checkpoint as well.
            let _full = self.requests.try_send(Request::Written);
        }
    }

    pub(super) fn checkpoint_now(&self) {
        // If the channel is full, the next commit asks again.
        let _full = self.requests.try_send(Request::Checkpoint);
    }

    pub(super) fn stop(&self) {
        // The thread of a poisoned ledger has ended already.
        let _gone = self.requests.send(Request::Stop);
    }
}

/// What the checkpoint thread owns: the receiving end of [`CheckpointRequests`].
pub(super) struct CheckpointThread {
    requests: Receiver<Request>,
    is_announced: Arc<AtomicBool>,
}

/// The two ends of a channel to a checkpoint thread, which starts with [`CheckpointThread::run`].
pub(super) fn channel() -> (CheckpointRequests, CheckpointThread) {
    let (sender, requests) = bounded(1);
    let is_announced = Arc::new(AtomicBool::new(false));
    (
        CheckpointRequests { requests: sender, is_announced: Arc::clone(&is_announced) },
        CheckpointThread { requests, is_announced },
    )
}

impl CheckpointThread {
    /// Checkpoints at most `every` after a write, until it is stopped. A checkpoint syncs the file, so a failed one
    /// poisons the ledger like a failed commit, and a poisoned ledger is never synced.
    pub(super) fn run(
        &self,
        every: Duration,
        mut checkpointer: Checkpointer,
        poison: &Poison,
        campaign: Campaign,
    ) {
        while self.wait(every) && !poison.is_set() {
            self.is_announced.store(false, Ordering::Release);
            match checkpointer.checkpoint() {
                Err(fault) if fault.is_of_the_disk() => {
                    poison.set(campaign, Cause::Checkpoint, &fault);
                }
                Err(fault) => tracing::warn!(%fault, "the checkpoint is postponed"),
                Ok(()) => {}
            }
        }
    }

    /// Waits until a checkpoint is due; false if the thread is to stop.
    fn wait(&self, every: Duration) -> bool {
        let first = self.requests.recv();
        let deadline = Stopwatch::start().deadline(every);
        let mut request = first.map_err(|_| RecvTimeoutError::Disconnected);
        loop {
            match request {
                Ok(Request::Written) => request = self.requests.recv_deadline(deadline),
                Ok(Request::Checkpoint) | Err(RecvTimeoutError::Timeout) => return true,
                Ok(Request::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }
}
