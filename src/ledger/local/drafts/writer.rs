//! The thread that writes drafts, a group at a time.
//!
//! At rest a draft is written at once. Under load a group waits until the disk has had a pause after the previous one:
//! the ledger syncs on the same disk, and its receipts are more urgent than drafts.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use crossbeam::channel::RecvTimeoutError;

use super::{
    super::mailbox::Inbox,
    change::{Change, Message, Outcome},
};
use crate::{
    clock::Stopwatch,
    ledger::{drafts::DraftFault, fault::StorageFault},
    metrics as list,
};

/// Changes written with one sync.
const GROUP_CHANGES_MAX: usize = 1024;
/// Bytes of drafts written with one sync, as for a batch of applications; the last change of a group may exceed it.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// Shortest pause between two groups. A longer one was measured to be worse on a fast disk: people who are answered
/// together submit together, and then wait for one another.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// A pause is this many times as long as the group before it took: drafts take a quarter of the disk's time at most.
const PAUSE_FACTOR: u32 = 3;
/// Longest pause, after a group that took long for once.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long drafts that are to be forgotten wait for a change that somebody waits for, to share its sync.
const FORGET_WAIT: Duration = Duration::from_secs(1);

/// The file of the drafts, as its writer sees it.
pub(super) trait Groups: Send {
    /// Decides the changes in their order, each against what those before it leave, and makes the result durable with
    /// one sync.
    ///
    /// # Errors
    /// [`StorageFault`]: nothing may be written any more, because what is on disk is known only after a restart.
    fn write(&mut self, changes: &[Change]) -> Result<Vec<Outcome>, StorageFault>;

    /// Bounds the write-ahead log; called after the answers.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    fn tidy(&mut self) -> Result<(), StorageFault>;
}

/// What the writer's thread owns.
pub(super) struct Writer {
    file: Box<dyn Groups>,
    inbox: Inbox<Message>,
    /// Since the end of the last group.
    rest: Stopwatch,
    /// How long the disk is left alone after it.
    pause: Duration,
}

#[derive(Default)]
struct Group {
    changes: Vec<Change>,
    bytes: usize,
    urgent: bool,
    close: bool,
}

impl Writer {
    pub(super) fn new(file: Box<dyn Groups>, inbox: Inbox<Message>) -> Self {
        Self { file, inbox, rest: Stopwatch::start(), pause: Duration::ZERO }
    }

    /// Runs until it is closed or every sender is dropped, and writes what was sent before that. After a failed write,
    /// which is final, or a panic it refuses what is sent.
    pub(super) fn run(self) {
        match catch_unwind(AssertUnwindSafe(|| self.write_groups())) {
            Ok(Ok(())) => return,
            Ok(Err(fault)) => {
                tracing::error!(%fault, "drafts cannot be saved any more: repair the storage and restart; applications are still accepted");
            }
            Err(_) => {
                tracing::error!(
                    "the drafts' thread panicked: drafts cannot be saved until a restart"
                );
            }
        }
        list::DRAFTS_FAILED.gauge(&[]).set(1.0);
    }

    fn write_groups(mut self) -> Result<(), StorageFault> {
        loop {
            let group = self.gather();
            let close = group.close;
            let watch = Stopwatch::start();
            if let Err(fault) = self.settle(group) {
                // Closing would sync again.
                std::mem::forget(self.file);
                return Err(fault);
            }
            if close {
                return Ok(());
            }
            self.pause = (watch.elapsed() * PAUSE_FACTOR).clamp(PAUSE_MIN, PAUSE_MAX);
            self.rest = Stopwatch::start();
        }
    }

    /// Collects the changes of one group.
    fn gather(&self) -> Group {
        let mut group = Group::default();
        let mut deadline = None;
        while !group.urgent && !group.full() {
            let message = match deadline {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => self.inbox.recv_deadline(deadline),
            };
            match message {
                Ok(message) => group.add(message),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => group.add(Message::Close),
            }
            deadline = deadline.or_else(|| Some(Stopwatch::start().deadline(FORGET_WAIT)));
        }
        if !group.close {
            // Asleep, so that changes that arrive meanwhile do not each wake this thread.
            thread::sleep(self.pause.saturating_sub(self.rest.elapsed()));
        }
        while !group.full()
            && let Ok(message) = self.inbox.try_recv()
        {
            group.add(message);
        }
        group
    }

    fn settle(&mut self, group: Group) -> Result<(), StorageFault> {
        if group.changes.is_empty() {
            return Ok(());
        }
        let outcomes = self.file.write(&group.changes);
        let mut outcomes = match outcomes {
            Ok(outcomes) => Ok(outcomes.into_iter()),
            Err(fault) => Err(fault),
        };
        #[expect(clippy::cast_precision_loss, reason = "a group has at most 1024 changes")]
        list::DRAFT_GROUP.histogram(&[]).record(group.changes.len() as f64);
        for change in group.changes {
            let outcome = match &mut outcomes {
                Ok(outcomes) => outcomes.next().unwrap_or(Err(DraftFault::Failed)),
                Err(_) => Err(DraftFault::Failed),
            };
            if let Some((reply, place)) = change.waiting {
                drop(place);
                let _gone = reply.send(outcome);
            }
        }
        outcomes?;
        self.file.tidy()
    }
}

impl Group {
    fn add(&mut self, message: Message) {
        match message {
            Message::Change(change) => {
                self.bytes += change.bytes();
                self.urgent |= change.waiting.is_some();
                self.changes.push(change);
            }
            Message::Close => self.close = true,
        }
    }

    fn full(&self) -> bool {
        self.close || self.changes.len() >= GROUP_CHANGES_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}
