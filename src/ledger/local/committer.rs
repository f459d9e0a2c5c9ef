//! The committer: one thread that owns the ledger's only writer, gathers what is waiting, writes it with one sync,
//! answers all. How it gathers: see [`group`](crate::ledger::group).

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::{
    bookkeeper::Bookkeeper,
    checkpoints::CheckpointRequests,
    index::{self, Index},
    mailbox::Inbox,
    poison::{Cause, Poison},
};
use crate::{
    clock::{Clock, Stopwatch},
    ledger::{
        book::{
            batch::{Batch, Written},
            submission::{Disposition, Submission},
        },
        case::Case,
        fault::CommitFault,
        group::{Config, Gathered, Message},
        meters::Meters,
    },
    schemes::Campaign,
    urn::Urn,
};
use crossbeam::channel::RecvTimeoutError;

/// What the committer's thread owns.
pub(super) struct Committer {
    pub(super) campaign: Campaign,
    pub(super) config: Config,
    pub(super) bookkeeper: Bookkeeper,
    pub(super) index: Arc<Mutex<Index>>,
    pub(super) urn: Arc<Urn<Case>>,
    pub(super) messages: Inbox<Message>,
    pub(super) poison: Poison,
    pub(super) checkpoints: CheckpointRequests,
    pub(super) clock: Clock,
    pub(super) meters: Meters,
}

impl Committer {
    /// Runs until it is closed or every sender is dropped, and writes what was sent before that. A panic poisons the
    /// ledger.
    pub(super) fn run(mut self) {
        let _guard = self.poison.on_panic();
        let mut busy = false;
        loop {
            let gathered = self.gather(busy);
            busy = gathered.is_group();
            let close = gathered.close;
            self.settle(gathered);
            self.tidy();
            if close {
                return;
            }
        }
    }

    /// Collects messages for one batch: at once while the load is low, after a wait if the last batch was large
    /// (`busy`).
    fn gather(&self, busy: bool) -> Gathered {
        let mut gathered = Gathered::default();
        let mut deadline = None;
        loop {
            let message = match deadline {
                None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => self.messages.recv_deadline(deadline),
            };
            match message {
                Ok(message) => gathered.add(message),
                Err(RecvTimeoutError::Timeout) => return gathered,
                Err(RecvTimeoutError::Disconnected) => gathered.close = true,
            }
            self.take_queued(&mut gathered);
            if gathered.full(&self.config) || gathered.urgent() && !busy {
                return gathered;
            }
            if gathered.urgent() {
                // Asleep, so that submissions that arrive meanwhile do not each wake this thread.
                thread::sleep(Duration::from_millis(self.config.batch_wait_ms));
                self.take_queued(&mut gathered);
                return gathered;
            }
            deadline = deadline.or_else(|| {
                let wait = Duration::from_millis(self.config.ruling_wait_ms);
                Some(Stopwatch::start().deadline(wait))
            });
        }
    }

    fn take_queued(&self, gathered: &mut Gathered) {
        while !gathered.full(&self.config)
            && let Ok(message) = self.messages.try_recv()
        {
            gathered.add(message);
        }
    }

    fn settle(&mut self, gathered: Gathered) {
        let (mut batch, waiting) = gathered.parts();
        batch.at = self.clock.now();
        match self.write(&batch) {
            Ok(written) => {
                self.meters.count(index::lock(&self.index).tally());
                let handed_on = self.hand_on(batch.submissions, &written.dispositions);
                waiting.answer(Ok(written));
                self.urn.ring(handed_on);
            }
            Err(fault) => waiting.answer(Err(fault)),
        }
    }

    /// A failed write or sync is final and never retried: what is on disk is known only after a restart.
    fn write(&mut self, batch: &Batch) -> Result<Written, CommitFault> {
        if self.poison.is_set() {
            return Err(CommitFault::Storage);
        }
        if batch.is_empty() {
            return Ok(Written::default());
        }
        let watch = Stopwatch::start();
        for recording in batch.submissions.iter().filter_map(|it| it.recording.as_ref()) {
            recording.commits(watch);
        }
        let written = self.bookkeeper.write(batch).map_err(|fault| {
            self.poison.set(self.campaign, Cause::Commit, &fault);
            CommitFault::Storage
        })?;
        // A checkpoint may have failed meanwhile. After that, a successful sync proves nothing: a client that repeats
        // its request after the restart learns the result.
        if self.poison.is_set() {
            return Err(CommitFault::Storage);
        }
        self.checkpoints.written();
        self.meters.duration.record(watch.elapsed());
        Ok(written)
    }

    /// Runs after all answers were sent: what is durable stays accepted, whatever happens here.
    fn tidy(&mut self) {
        if self.poison.is_set() {
            return;
        }
        match self.bookkeeper.tidy() {
            Ok(false) => {}
            Ok(true) => self.checkpoints.checkpoint_now(),
            Err(fault) => self.poison.set(self.campaign, Cause::Commit, &fault),
        }
    }

    /// Gives new applications to the judges and returns their number. What the urn has no room for waits in the ledger.
    fn hand_on(&self, submissions: Vec<Submission>, dispositions: &[Disposition]) -> usize {
        let mut handed_on = 0;
        for (submission, disposition) in submissions.into_iter().zip(dispositions) {
            if let Disposition::Accepted(position, ..) = *disposition {
                let Submission { application, subject, received_on, recording, .. } = submission;
                let campaign = self.campaign;
                let case =
                    Case { campaign, position, subject, received_on, application, recording };
                if let Err(case) = self.urn.put(case) {
                    index::lock(&self.index).put_back(case.position);
                }
                handed_on += 1;
            }
        }
        handed_on
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::oneshot;

    use super::{
        super::{
            checkpoints::channel,
            mailbox::{Outbox, mailbox},
            model::submission,
            store::{Rows, Store},
        },
        *,
    };
    use crate::{ledger::fault::StorageFault, schemes::Scheme, vault::HouseKeys};

    const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

    /// A store whose disk fails from the second write on, and which counts the writes.
    struct Failing(Arc<AtomicUsize>);

    impl Store for Failing {
        fn write(&mut self, _: &Rows<'_>) -> Result<(), StorageFault> {
            if self.0.fetch_add(1, Ordering::AcqRel) > 0 {
                return Err(StorageFault::Full);
            }
            Ok(())
        }

        fn tidy(&mut self) -> Result<bool, StorageFault> {
            Ok(false)
        }
    }

    /// A store whose disk is found to fail by the checkpoint thread during a write.
    struct Doubtful(Poison);

    impl Store for Doubtful {
        fn write(&mut self, _: &Rows<'_>) -> Result<(), StorageFault> {
            self.0.set(CAMPAIGN, Cause::Checkpoint, &StorageFault::Full);
            Ok(())
        }

        fn tidy(&mut self) -> Result<bool, StorageFault> {
            Ok(false)
        }
    }

    fn committer(store: impl Store + 'static, poison: Poison) -> (Committer, Outbox<Message>) {
        let (sender, messages) = mailbox(100);
        let config = Config {
            batch_records_max: 10,
            batch_bytes_max: 1 << 20,
            batch_wait_ms: 1,
            ruling_wait_ms: 1,
            queue_messages_max: 100,
        };
        let index: Arc<Mutex<Index>> = Arc::default();
        let bookkeeper = Bookkeeper {
            campaign: CAMPAIGN,
            keys: Arc::new(HouseKeys::from_master(&[7; 32])),
            index: Arc::clone(&index),
            fresh: Arc::default(),
            store: Box::new(store),
            batches: 0,
            previous_root: Default::default(),
        };
        let committer = Committer {
            campaign: CAMPAIGN,
            config,
            bookkeeper,
            index,
            urn: Arc::new(Urn::new(1, 1)),
            messages,
            poison,
            checkpoints: channel().0,
            clock: Clock::standing_at(jiff::Timestamp::UNIX_EPOCH),
            meters: Meters::resumed(CAMPAIGN, Index::default().tally()),
        };
        (committer, sender)
    }

    /// Submits the application of one person, and says whether it was accepted.
    fn submit(work: &Outbox<Message>, person: u64) -> Result<bool, CommitFault> {
        let (reply, answer) = oneshot::channel();
        let submission = submission(&HouseKeys::from_master(&[7; 32]), person, 0, 0);
        work.send(Message::Submit(vec![submission], reply));
        let dispositions = answer.blocking_recv().unwrap()?;
        Ok(matches!(dispositions[..], [Disposition::Accepted(..)]))
    }

    #[test]
    fn what_was_written_while_the_ledger_was_poisoned_is_no_promise() {
        let poison = Poison::default();
        let (committer, work) = committer(Doubtful(poison.clone()), poison);
        let thread = thread::spawn(move || committer.run());
        assert_eq!(submit(&work, 1), Err(CommitFault::Storage));
        work.send(Message::Close);
        thread.join().unwrap();
    }

    #[test]
    fn a_failed_write_poisons_the_ledger_and_is_never_tried_again() {
        let writes = Arc::new(AtomicUsize::new(0));
        let poison = Poison::default();
        let (committer, work) = committer(Failing(Arc::clone(&writes)), poison.clone());
        let thread = thread::spawn(move || committer.run());
        assert_eq!(submit(&work, 1), Ok(true));
        assert!(!poison.is_set());
        for person in 2..5 {
            assert_eq!(submit(&work, person), Err(CommitFault::Storage));
        }
        assert!(poison.is_set());
        work.send(Message::Close);
        thread.join().unwrap();
        assert_eq!(writes.load(Ordering::Acquire), 2, "one success and one failure");
    }
}
