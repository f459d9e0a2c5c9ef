//! Group commit: the messages to a committer, and what it gathers of them into one batch.
//!
//! The same on every engine: at rest a submission is written at once; while batches hold [`GROUP_MIN`] submissions or more,
//! the next batch waits [`Config::batch_wait_ms`] for more, because the fixed cost of a commit dominates at partial
//! load. Decisions are not urgent: they are written with submissions, and alone only after [`Config::ruling_wait_ms`].

use tokio::sync::oneshot;

use super::{
    book::{
        batch::{Batch, Written},
        change::{Change, Ruling},
        submission::{Disposition, Submission},
    },
    fault::CommitFault,
    position::Position,
};

/// Batch size from which the committer waits for more. Two submissions may meet by chance on a quiet day.
pub(super) const GROUP_MIN: usize = 3;

/// The bounds of a commit.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Submissions written with one sync; the last message of a batch may exceed it.
    pub batch_records_max: usize,
    /// Bytes of records written with one sync; the last message of a batch may exceed it.
    pub batch_bytes_max: usize,
    /// How long a batch waits for more submissions under load, milliseconds.
    pub batch_wait_ms: u64,
    /// How long decisions wait for submissions to be written with, milliseconds.
    pub ruling_wait_ms: u64,
    /// Messages that may wait for the committer; further submissions are answered with [`CommitFault::Busy`].
    pub queue_messages_max: usize,
}

/// Where an answer goes. A receiver that is gone changes nothing: what was written is durable.
pub(super) type Reply<T> = oneshot::Sender<Result<T, CommitFault>>;

/// A message to the committer.
pub(super) enum Message {
    Submit(Vec<Submission>, Reply<Vec<Disposition>>),
    Rule(Vec<Ruling>),
    Withdraw(Position, Reply<Option<Change>>),
    Close,
}

/// What the messages of one batch ask for.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) batch: Batch,
    bytes: usize,
    /// How many of the submissions are whose.
    submitters: Vec<(usize, Reply<Vec<Disposition>>)>,
    withdrawers: Vec<Reply<Option<Change>>>,
    /// Whether the batch is the last one.
    pub(super) close: bool,
}

impl Gathered {
    pub(super) fn add(&mut self, message: Message) {
        match message {
            Message::Submit(submissions, reply) => {
                self.bytes +=
                    submissions.iter().map(|submission| submission.record.len()).sum::<usize>();
                self.submitters.push((submissions.len(), reply));
                self.batch.submissions.extend(submissions);
            }
            Message::Rule(rulings) => {
                self.bytes += rulings.iter().map(|ruling| ruling.decision.len()).sum::<usize>();
                self.batch.rulings.extend(rulings);
            }
            Message::Withdraw(position, reply) => {
                self.withdrawers.push(reply);
                self.batch.withdrawals.push(position);
            }
            Message::Close => self.close = true,
        }
    }

    /// Whether the batch may not grow.
    pub(super) fn full(&self, config: &Config) -> bool {
        self.close
            || self.batch.submissions.len() >= config.batch_records_max
            || self.bytes >= config.batch_bytes_max
    }

    /// Whether a client waits for the answer.
    pub(super) fn urgent(&self) -> bool {
        !self.submitters.is_empty() || !self.withdrawers.is_empty()
    }

    /// Whether the batch is of a size that promises more.
    pub(super) fn is_group(&self) -> bool {
        self.batch.submissions.len() >= GROUP_MIN
    }

    /// Takes out the batch and those who wait for it.
    pub(super) fn parts(self) -> (Batch, Waiting) {
        let Self { batch, submitters, withdrawers, .. } = self;
        (batch, Waiting { submitters, withdrawers })
    }
}

/// Those who wait for a batch.
pub(super) struct Waiting {
    submitters: Vec<(usize, Reply<Vec<Disposition>>)>,
    withdrawers: Vec<Reply<Option<Change>>>,
}

impl Waiting {
    /// Tells everybody what became of the batch. A receiver that is gone changes nothing.
    pub(super) fn answer(self, written: Result<Written, CommitFault>) {
        match written {
            Ok(Written { dispositions, withdrawals, .. }) => {
                let mut dispositions = dispositions.into_iter();
                for (count, reply) in self.submitters {
                    let _gone = reply.send(Ok(dispositions.by_ref().take(count).collect()));
                }
                for (reply, change) in self.withdrawers.into_iter().zip(withdrawals) {
                    let _gone = reply.send(Ok(change));
                }
            }
            Err(fault) => {
                for (_, reply) in self.submitters {
                    let _gone = reply.send(Err(fault));
                }
                for reply in self.withdrawers {
                    let _gone = reply.send(Err(fault));
                }
            }
        }
    }
}
