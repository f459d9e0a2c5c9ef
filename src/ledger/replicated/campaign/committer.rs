//! The committer of one node and campaign: a task that gathers what is waiting, writes it in one transaction, answers all.
//!
//! It keeps at a batch until it is known to be durable or known not to be, or until those who wait for it have waited long
//! enough. Then they are told to come back, and the next batch finds out what became of it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

use super::{
    super::{address::Address, fault::Setback, link::Link, schema::schema_of},
    blocks::Block,
    standing::Standing,
    statements::Writing,
    transaction::{Committed, Writer, WritingLink},
};
use crate::{
    clock::{Clock, Stopwatch},
    ledger::{
        book::{batch::Batch, submission::Disposition, submission::Submission},
        case::Case,
        fault::CommitFault,
        group::{Config, Gathered, Message},
        meters::Meters,
    },
    urn::Urn,
};

/// Pause before a database that did not answer is asked again.
const PAUSE: Duration = Duration::from_millis(250);
/// Interval in which a database that is away is asked although nobody waits, so that its return is seen.
const PROBE: Duration = Duration::from_secs(1);
/// Times in a row that other nodes may be first with something of the same batch. More is no race.
const RACES_MAX: u32 = 16;

/// What the task owns.
pub(super) struct Committer {
    pub(super) config: Config,
    /// How long a batch waits for a database that does not answer.
    pub(super) wait_max: Duration,
    pub(super) address: Address,
    pub(super) writer: Writer,
    pub(super) link: Option<WritingLink>,
    pub(super) block: Block,
    /// Where judges of this node find new cases, if there are any.
    pub(super) urn: Option<Arc<Urn<Case>>>,
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) standing: Arc<Standing>,
    pub(super) clock: Clock,
    pub(super) meters: Meters,
    pub(super) is_away: bool,
    /// Somebody else found that the database takes no commits.
    pub(super) alarm: Arc<Notify>,
}

impl Committer {
    /// Runs until it is closed or every sender is dropped, and writes what was sent before that.
    pub(super) async fn run(mut self) {
        let mut busy = false;
        loop {
            let gathered = self.gather(busy).await;
            busy = gathered.is_group();
            let close = gathered.close;
            self.settle(gathered).await;
            if close {
                return;
            }
        }
    }

    /// Collects messages for one batch: at once while the load is low, after a wait if the last batch was large (`busy`).
    /// While the database is away, a batch of nothing looks for its return; at an alarm, whether it is away.
    async fn gather(&mut self, busy: bool) -> Gathered {
        let mut gathered = Gathered::default();
        let first = if self.is_away {
            match timeout(PROBE, self.messages.recv()).await {
                Ok(first) => first,
                Err(_) => return gathered,
            }
        } else {
            tokio::select! {
                message = self.messages.recv() => message,
                () = self.alarm.notified() => {
                    self.is_away = true;
                    return gathered;
                }
            }
        };
        take(&mut gathered, first);
        let mut rulings_are_due = std::pin::pin!(sleep(ms(self.config.ruling_wait_ms)));
        loop {
            self.take_queued(&mut gathered);
            if gathered.full(&self.config) || gathered.urgent() && !busy {
                return gathered;
            }
            if gathered.urgent() {
                sleep(ms(self.config.batch_wait_ms)).await;
                self.take_queued(&mut gathered);
                return gathered;
            }
            tokio::select! {
                message = self.messages.recv() => take(&mut gathered, message),
                () = &mut rulings_are_due => return gathered,
            }
        }
    }

    fn take_queued(&mut self, gathered: &mut Gathered) {
        while !gathered.full(&self.config)
            && let Ok(message) = self.messages.try_recv()
        {
            take(gathered, Some(message));
        }
    }

    async fn settle(&mut self, gathered: Gathered) {
        let is_needed = gathered.urgent() || self.is_away;
        let (mut batch, waiting) = gathered.parts();
        if batch.is_empty() && !is_needed {
            return;
        }
        batch.at = self.clock.now();
        match self.write(&batch).await {
            Ok(Committed { written, counts, positions }) => {
                self.block.take(positions);
                self.meters.count(counts.tally());
                self.standing.set_own(counts);
                let handed_on = self.hand_on(batch.submissions, &written.dispositions);
                if handed_on < positions {
                    self.standing.note_left_cases();
                }
                waiting.answer(Ok(written));
                if let Some(urn) = &self.urn {
                    urn.ring(handed_on);
                }
            }
            Err(fault) => waiting.answer(Err(fault)),
        }
    }

    /// Writes a batch, and tries again until the time is over. Never answers a success that is not durable on a majority.
    async fn write(&mut self, batch: &Batch) -> Result<Committed, CommitFault> {
        let watch = Stopwatch::start();
        let (mut tried, mut races, mut is_unknown) = (None, 0, false);
        loop {
            let left = self.wait_max.saturating_sub(watch.elapsed());
            let setback = match timeout(left, self.attempt(batch, &mut tried)).await {
                Ok(Ok(committed)) => {
                    self.standing.back();
                    self.is_away = false;
                    self.meters.duration.record(watch.elapsed());
                    for recording in batch.submissions.iter().filter_map(|it| it.recording.as_ref())
                    {
                        recording.commits(watch);
                    }
                    return Ok(committed);
                }
                Ok(Err(Setback::Raced)) if races < RACES_MAX => {
                    races += 1;
                    self.standing.count_raced();
                    continue;
                }
                Ok(Err(Setback::Storage(fault))) => {
                    self.standing.poison(&fault);
                    self.give_up();
                    return Err(CommitFault::Storage);
                }
                Ok(Err(setback)) => setback,
                Err(_) => Setback::Away("it did not answer in time".to_owned()),
            };
            self.link = None;
            if tried.is_some() && !is_unknown {
                is_unknown = true;
                self.standing.count_unknown();
            }
            self.standing.away(&setback);
            self.is_away = true;
            if watch.elapsed() + PAUSE >= self.wait_max {
                self.give_up();
                return Err(CommitFault::Away);
            }
            sleep(PAUSE).await;
        }
    }

    /// Leaves a batch to its fate: if it was committed, the next one continues after it.
    fn give_up(&mut self) {
        self.link = None;
        self.block.drop_rest();
    }

    async fn attempt<'b>(
        &mut self,
        batch: &'b Batch,
        tried: &mut Option<super::transaction::Tried<'b>>,
    ) -> Result<Committed, Setback> {
        // Out of its place: if this future is dropped, so is the link, which is in the middle of something.
        let link = match self.link.take() {
            Some(link) => link,
            None => WritingLink::open(&self.address, &self.writer).await?,
        };
        let room = self.urn.as_ref().map_or(0, |urn| urn.room());
        let done = self.writer.write(&link, batch, &mut self.block, room, tried).await;
        if matches!(done, Ok(_) | Err(Setback::Raced)) {
            self.link = Some(link);
        }
        done
    }

    /// Gives new applications to this node's judges and returns their number. What the urn has no room for is free in the
    /// database, or will be when its lease ends.
    fn hand_on(&self, submissions: Vec<Submission>, dispositions: &[Disposition]) -> usize {
        let mut handed_on = 0;
        let Some(urn) = &self.urn else { return handed_on };
        for (submission, disposition) in submissions.into_iter().zip(dispositions) {
            if let Disposition::Accepted(position, ..) = *disposition {
                let Submission { application, subject, received_on, recording, .. } = submission;
                let campaign = self.writer.campaign;
                let case =
                    Case { campaign, position, subject, received_on, application, recording };
                handed_on += usize::from(urn.put(case).is_ok());
            }
        }
        handed_on
    }
}

impl WritingLink {
    /// Connects to the primary and prepares every statement.
    ///
    /// # Errors
    /// [`Setback`].
    pub(in super::super) async fn open(
        address: &Address,
        writer: &Writer,
    ) -> Result<Self, Setback> {
        let link = Link::open(address, Some(&schema_of(writer.campaign))).await?;
        let statements = Writing::prepare(&link).await?;
        Ok(Self { link, statements })
    }
}

/// Adds a message, unless whoever sent it has gone; without one, it is the last batch.
fn take(gathered: &mut Gathered, message: Option<Message>) {
    match message {
        // They were told to come back, and did not wait.
        Some(Message::Submit(_, reply)) if reply.is_closed() => {}
        Some(Message::Withdraw(_, reply)) if reply.is_closed() => {}
        Some(message) => gathered.add(message),
        None => gathered.close = true,
    }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
