//! The committer: one thread that owns the ledger's writer, gathers what is waiting, writes it with one sync, answers all.
//!
//! Group commit adapts to the load. At rest a submission is written at once. While batches hold [`COMPANY`] submissions or
//! more, the next one waits [`Config::batch_wait_ms`] for company, for the fixed part of a commit rules at partial load.
//! Decisions are in no hurry: they ride along with submissions and go alone only after [`Config::ruling_wait_ms`].

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use metrics::{Counter, Histogram};

use super::{
    Case, Position,
    engine::{Batch, Change, Engine, Ruling, StorageFault, Submission, Verdict, Written},
    index::Index,
    record::Channel,
};
use crate::{
    clock::{Clock, Stopwatch},
    metrics as list,
    schemes::{Campaign, Outcome},
    urn::Urn,
};

/// A batch of so many says that more are coming; two may meet by chance on a quiet day.
const COMPANY: usize = 3;

/// The bounds of a commit.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Submissions written with one sync; the last message of a batch may pass it.
    pub batch_records_max: usize,
    /// Bytes of records written with one sync, about; one message may pass it.
    pub batch_bytes_max: usize,
    /// How long a batch waits for company under load, milliseconds.
    pub batch_wait_ms: u64,
    /// How long decisions wait for submissions to ride with, milliseconds.
    pub ruling_wait_ms: u64,
    /// Messages that may wait for the committer; past it submitters are told to come back.
    pub queue_messages_max: usize,
}

/// Why a submission was not committed. Nothing of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitFault {
    /// The committer's queue is full: come back in a moment.
    #[error("the commit queue is full")]
    Busy,
    /// The storage failed; intake has stopped until a restart.
    #[error("the ledger's storage has failed")]
    Storage,
    /// The disk's reserve is reached; intake resumes when there is room again.
    #[error("too little room is left on the disk")]
    NoRoom,
}

/// Called once, on the committer's thread: it must not block.
pub(super) type Reply<T> = Box<dyn FnOnce(Result<T, CommitFault>) + Send>;

pub(super) enum Work {
    Submit(Vec<Submission>, Reply<Vec<Verdict>>),
    Rule(Vec<Ruling>),
    Withdraw(Position, Reply<Option<Change>>),
    Close,
}

/// What the thread that checkpoints is told.
pub(super) enum Call {
    Checkpoint,
    Stop,
}

/// What the committer's thread owns.
pub(super) struct Committer {
    pub(super) campaign: Campaign,
    pub(super) config: Config,
    pub(super) engine: Box<dyn Engine>,
    pub(super) index: Arc<Mutex<Index>>,
    pub(super) urn: Arc<Urn<Case>>,
    pub(super) work: Receiver<Work>,
    pub(super) poisoned: Arc<AtomicBool>,
    pub(super) checkpointer: Sender<Call>,
    pub(super) clock: Clock,
    pub(super) meters: Meters,
}

#[derive(Default)]
struct Gathered {
    batch: Batch,
    bytes: usize,
    submitters: Vec<(usize, Reply<Vec<Verdict>>)>,
    withdrawers: Vec<Reply<Option<Change>>>,
    close: bool,
}

impl Committer {
    /// [`run`](Self::run), poisoning the ledger should it panic: nobody is left to commit then.
    pub(super) fn run_guarded(self) {
        struct OnPanic(Arc<AtomicBool>);
        impl Drop for OnPanic {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.store(true, Ordering::Release);
                }
            }
        }
        let _guard = OnPanic(Arc::clone(&self.poisoned));
        self.run();
    }

    /// Works until it is told to close or every handle is gone; what was handed in before is written first.
    fn run(mut self) {
        let mut busy = false;
        loop {
            let gathered = self.gather(busy);
            busy = gathered.batch.submissions.len() >= COMPANY;
            let close = gathered.close;
            self.settle(gathered);
            self.tidy();
            if close {
                return;
            }
        }
    }

    fn gather(&self, busy: bool) -> Gathered {
        let mut gathered = Gathered::default();
        let mut deadline = None;
        loop {
            let work = match deadline {
                None => self.work.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => self.work.recv_deadline(deadline),
            };
            match work {
                Ok(work) => gathered.add(work),
                Err(RecvTimeoutError::Timeout) => return gathered,
                Err(RecvTimeoutError::Disconnected) => gathered.close = true,
            }
            self.take_waiting(&mut gathered);
            if gathered.full(&self.config) || gathered.urgent() && !busy {
                return gathered;
            }
            if gathered.urgent() {
                // Asleep, so that those who come meanwhile need not wake this thread one by one.
                thread::sleep(Duration::from_millis(self.config.batch_wait_ms));
                self.take_waiting(&mut gathered);
                return gathered;
            }
            deadline = deadline.or_else(|| {
                let wait = Duration::from_millis(self.config.ruling_wait_ms);
                Some(Stopwatch::start().deadline(wait))
            });
        }
    }

    fn take_waiting(&self, gathered: &mut Gathered) {
        while !gathered.full(&self.config)
            && let Ok(work) = self.work.try_recv()
        {
            gathered.add(work);
        }
    }

    fn settle(&mut self, gathered: Gathered) {
        let Gathered { mut batch, submitters, withdrawers, .. } = gathered;
        batch.at = self.clock.now();
        let written = self.write(&batch);
        match written {
            Ok(written) => {
                self.meters.count(&batch, &written);
                let Written { verdicts, withdrawals, .. } = written;
                let handed_on = self.hand_on(batch.submissions, &verdicts);
                let mut verdicts = verdicts.into_iter();
                for (count, reply) in submitters {
                    reply(Ok(verdicts.by_ref().take(count).collect()));
                }
                for (reply, change) in withdrawers.into_iter().zip(withdrawals) {
                    reply(Ok(change));
                }
                self.urn.ring(handed_on);
            }
            Err(fault) => {
                for (_, reply) in submitters {
                    reply(Err(fault));
                }
                for reply in withdrawers {
                    reply(Err(fault));
                }
            }
        }
    }

    /// A failed write or sync is final: what is on disk is known only after a restart, so it is never tried again.
    fn write(&mut self, batch: &Batch) -> Result<Written, CommitFault> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(CommitFault::Storage);
        }
        if batch.is_empty() {
            return Ok(Written::default());
        }
        let watch = Stopwatch::start();
        let written = self.engine.write(batch).map_err(|fault| self.poison(&fault))?;
        // A checkpoint may have met a failing disk meanwhile. What a disk says after that is no ground for a promise: whoever
        // repeats it after the restart is told what came of it.
        if self.poisoned.load(Ordering::Acquire) {
            return Err(CommitFault::Storage);
        }
        self.meters.duration.record(watch.elapsed());
        Ok(written)
    }

    /// After everybody was answered: what is durable stays accepted, whatever happens here.
    fn tidy(&mut self) {
        if self.poisoned.load(Ordering::Acquire) {
            return;
        }
        match self.engine.tidy() {
            Ok(false) => {}
            Ok(true) => {
                // One that is asked for already will do.
                let _asked = self.checkpointer.try_send(Call::Checkpoint);
            }
            Err(fault) => {
                self.poison(&fault);
            }
        }
    }

    fn poison(&self, fault: &StorageFault) -> CommitFault {
        self.poisoned.store(true, Ordering::Release);
        tracing::error!(campaign = %self.campaign, %fault, "the ledger is poisoned: intake has stopped; mend the storage and restart");
        CommitFault::Storage
    }

    /// Gives what is durable now to the judges and tells how much that was; what the urn has no room for waits in the ledger.
    fn hand_on(&self, submissions: Vec<Submission>, verdicts: &[Verdict]) -> usize {
        let mut handed_on = 0;
        for (submission, verdict) in submissions.into_iter().zip(verdicts) {
            if let Verdict::Accepted(position, ..) = *verdict {
                let Submission { application, subject, received_on, .. } = submission;
                let case =
                    Case { campaign: self.campaign, position, subject, received_on, application };
                if let Err(case) = self.urn.put(case) {
                    self.index
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .put_back(case.position);
                }
                handed_on += 1;
            }
        }
        handed_on
    }
}

impl Gathered {
    fn add(&mut self, work: Work) {
        match work {
            Work::Submit(submissions, reply) => {
                self.bytes +=
                    submissions.iter().map(|submission| submission.record.len()).sum::<usize>();
                self.submitters.push((submissions.len(), reply));
                self.batch.submissions.extend(submissions);
            }
            Work::Rule(rulings) => {
                self.bytes += rulings.iter().map(|ruling| ruling.decision.len()).sum::<usize>();
                self.batch.rulings.extend(rulings);
            }
            Work::Withdraw(position, reply) => {
                self.withdrawers.push(reply);
                self.batch.withdrawals.push(position);
            }
            Work::Close => self.close = true,
        }
    }

    fn full(&self, config: &Config) -> bool {
        self.close
            || self.batch.submissions.len() >= config.batch_records_max
            || self.bytes >= config.batch_bytes_max
    }

    /// Whether somebody waits for the answer.
    fn urgent(&self) -> bool {
        !self.submitters.is_empty() || !self.withdrawers.is_empty()
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.submissions.is_empty() && self.rulings.is_empty() && self.withdrawals.is_empty()
    }
}

/// The counters that the committer moves, looked up once.
pub(super) struct Meters {
    accepted: [Counter; Channel::ALL.len()],
    decided: [Counter; Outcome::ALL.len()],
    revised: [Counter; Outcome::ALL.len()],
    withdrawn_undecided: Counter,
    withdrawn_decided: Counter,
    duration: Histogram,
    batch: Histogram,
}

impl Meters {
    /// The counters of a campaign's scheme, raised by what its ledger holds already: they count since the ledger began.
    pub(super) fn resumed(campaign: Campaign, index: &Index) -> Self {
        let scheme = campaign.scheme.as_str();
        let tally = index.tally();
        let meters = Self {
            accepted: Channel::ALL
                .map(|channel| list::ACCEPTED.counter(&[scheme, channel.as_str()])),
            decided: Outcome::ALL.map(|outcome| list::DECIDED.counter(&[scheme, outcome.as_str()])),
            revised: Outcome::ALL.map(|outcome| list::REVISED.counter(&[scheme, outcome.as_str()])),
            withdrawn_undecided: list::WITHDRAWN.counter(&["decision"]),
            withdrawn_decided: list::WITHDRAWN.counter(&["payment"]),
            duration: list::COMMIT_DURATION.histogram(&[]),
            batch: list::COMMIT_BATCH.histogram(&[]),
        };
        meters
            .accepted
            .iter()
            .zip(tally.accepted)
            .for_each(|(counter, count)| counter.increment(count));
        meters
            .decided
            .iter()
            .zip(tally.decided)
            .for_each(|(counter, count)| counter.increment(count));
        meters
            .revised
            .iter()
            .zip(tally.revised)
            .for_each(|(counter, count)| counter.increment(count));
        meters.withdrawn_undecided.increment(tally.withdrawn_undecided);
        meters.withdrawn_decided.increment(tally.withdrawn_decided);
        meters
    }

    fn count(&self, batch: &Batch, written: &Written) {
        let mut accepted = 0_u32;
        for (submission, verdict) in batch.submissions.iter().zip(&written.verdicts) {
            if matches!(verdict, Verdict::Accepted(..)) {
                self.accepted[submission.channel as usize].increment(1);
                accepted += 1;
            }
        }
        if accepted > 0 {
            self.batch.record(f64::from(accepted));
        }
        for change in written.rulings.iter().chain(&written.withdrawals).flatten() {
            match change {
                Change::Decided(outcome) => self.decided[*outcome as usize].increment(1),
                Change::Revised(outcome) => self.revised[*outcome as usize].increment(1),
                Change::Withdrawn(None) => self.withdrawn_undecided.increment(1),
                Change::Withdrawn(Some(_)) => self.withdrawn_decided.increment(1),
                Change::Erased => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use crossbeam::channel::{Sender, bounded};

    use super::*;
    use crate::schemes::Scheme;

    /// An engine whose disk fails from the second write on, and which counts how often it is asked.
    struct Failing(Arc<AtomicUsize>);

    impl Engine for Failing {
        fn write(&mut self, batch: &Batch) -> Result<Written, StorageFault> {
            if self.0.fetch_add(1, Ordering::AcqRel) > 0 {
                return Err(StorageFault::Full);
            }
            let none = |count| std::iter::repeat_n(None, count).collect();
            let withdrawals = none(batch.withdrawals.len());
            Ok(Written { withdrawals, ..Written::default() })
        }

        fn tidy(&mut self) -> Result<bool, StorageFault> {
            Ok(false)
        }
    }

    /// An engine whose disk is found to fail by somebody else while it writes.
    struct Doubtful(Arc<AtomicBool>);

    impl Engine for Doubtful {
        fn write(&mut self, batch: &Batch) -> Result<Written, StorageFault> {
            self.0.store(true, Ordering::Release);
            Failing(Arc::default()).write(batch)
        }

        fn tidy(&mut self) -> Result<bool, StorageFault> {
            Ok(false)
        }
    }

    #[test]
    fn what_was_written_while_the_ledger_was_poisoned_is_no_promise() {
        let poisoned = Arc::default();
        let (mut committer, work) = committer(Doubtful(Arc::clone(&poisoned)));
        committer.poisoned = poisoned;
        let thread = std::thread::spawn(move || committer.run());
        let (sender, answer) = bounded(1);
        let reply = Box::new(move |result| sender.send(result).unwrap());
        work.send(Work::Withdraw(Position(0), reply)).unwrap();
        assert_eq!(answer.recv().unwrap(), Err(CommitFault::Storage));
        work.send(Work::Close).unwrap();
        thread.join().unwrap();
    }

    fn committer(engine: impl Engine + 'static) -> (Committer, Sender<Work>) {
        let (sender, work) = bounded(100);
        let campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
        let config = Config {
            batch_records_max: 10,
            batch_bytes_max: 1 << 20,
            batch_wait_ms: 1,
            ruling_wait_ms: 1,
            queue_messages_max: 100,
        };
        let committer = Committer {
            campaign,
            config,
            engine: Box::new(engine),
            index: Arc::default(),
            urn: Arc::new(Urn::new(1, 1)),
            work,
            poisoned: Arc::default(),
            checkpointer: bounded(1).0,
            clock: Clock::standing_at(jiff::Timestamp::UNIX_EPOCH),
            meters: Meters::resumed(campaign, &Index::default()),
        };
        (committer, sender)
    }

    #[test]
    fn a_failed_write_poisons_the_ledger_and_is_never_tried_again() {
        let writes = Arc::new(AtomicUsize::new(0));
        let (committer, work) = committer(Failing(Arc::clone(&writes)));
        let poisoned = Arc::clone(&committer.poisoned);
        let thread = std::thread::spawn(move || committer.run());
        let ask = || {
            let (sender, answer) = bounded(1);
            let reply = Box::new(move |result| sender.send(result).unwrap());
            work.send(Work::Withdraw(Position(0), reply)).unwrap();
            answer.recv().unwrap()
        };
        assert_eq!(ask(), Ok(None));
        assert!(!poisoned.load(Ordering::Acquire));
        for _ in 0..3 {
            assert_eq!(ask(), Err(CommitFault::Storage));
        }
        assert!(poisoned.load(Ordering::Acquire));
        work.send(Work::Close).unwrap();
        thread.join().unwrap();
        assert_eq!(
            writes.load(Ordering::Acquire),
            2,
            "the one that went well and the one that failed"
        );
    }
}
