//! One campaign's ledger on this machine.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use crossbeam::channel::TrySendError;
use futures_util::future::BoxFuture;
use tokio::{sync::oneshot, task::spawn_blocking};

use super::{
    checkpoints::{self, CheckpointRequests},
    committer::Committer,
    filings::{self, FilingIndex, Row},
    fresh::{FreshRecord, FreshRecords},
    index::{self, Index},
    mailbox::{Outbox, mailbox},
    poison::Poison,
    sqlite::{self, SqliteReader},
};
use crate::{
    clock::Clock,
    ledger::{
        Contents, Health, Ledger,
        book::{
            change::{Change, Ruling, State, Tally},
            record::{Header, RecordFault, Turn},
            sign::SignedBatch,
            submission::{Disposition, Submission},
        },
        case::{Case, PendingCases, StoredCase},
        fault::{CommitFault, OpenFault, ReadFault, StorageFault},
        filings::{Filing, FilingPage, FilingsFault},
        group::{self, Message},
        meters::Meters,
        position::Position,
        receipt::{Receipt, ReceiptCode},
    },
    schemes::Campaign,
    trace::{Part, time},
    urn::Urn,
    vault::{Claim, HouseKeys, Subject},
};

/// The bounds of a campaign's ledger.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Bounds of a commit.
    pub commit: group::Config,
    /// Bounds of the files.
    pub files: sqlite::Bounds,
    /// Time from a commit to the checkpoint of the write-ahead log at most, milliseconds.
    pub checkpoint_ms: u64,
}

/// One campaign's ledger on this machine. Dropping it closes it.
pub struct LocalLedger {
    records: Arc<Records>,
    messages: Outbox<Message>,
    poison: Poison,
    threads: Mutex<Threads>,
}

/// The reading side, shared with the threads that wait for the disk.
struct Records {
    campaign: Campaign,
    keys: Arc<HouseKeys>,
    index: Arc<Mutex<Index>>,
    fresh: Arc<FreshRecords>,
    reader: SqliteReader,
    filings: FilingIndex,
}

struct Threads {
    committer: Option<thread::JoinHandle<()>>,
    checkpointer: Option<thread::JoinHandle<()>>,
    checkpoints: CheckpointRequests,
}

impl LocalLedger {
    /// Opens or creates the ledger of `campaign` in `directory`, which must be locked for this process, and starts its
    /// threads.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(super) fn open(
        directory: &Path,
        campaign: Campaign,
        keys: Arc<HouseKeys>,
        urn: Arc<Urn<Case>>,
        clock: Clock,
        config: Config,
    ) -> Result<Self, OpenFault> {
        let sqlite::Opened { bookkeeper, reader, checkpointer, index, fresh } =
            sqlite::open(directory, campaign, Arc::clone(&keys), config.files)?;
        let (sender, messages) = mailbox(config.commit.queue_messages_max);
        let (requests, checkpoint_thread) = checkpoints::channel();
        let poison = Poison::default();
        let committer = Committer {
            campaign,
            config: config.commit,
            bookkeeper,
            meters: Meters::resumed(campaign, index::lock(&index).tally()),
            index: Arc::clone(&index),
            urn,
            messages,
            poison: poison.clone(),
            checkpoints: requests.clone(),
            clock,
        };
        let thread_fault = |source| OpenFault::Directory { path: directory.to_owned(), source };
        let checkpointer = spawn("checkpoint", {
            let every = Duration::from_millis(config.checkpoint_ms);
            let poison = poison.clone();
            move || checkpoint_thread.run(every, checkpointer, &poison, campaign)
        })
        .map_err(thread_fault)?;
        let committer = spawn("commit", move || committer.run()).map_err(thread_fault)?;
        let filings = FilingIndex::new(directory, campaign, filings::RUN);
        let records = Records { campaign, keys, index, fresh, reader, filings };
        // After an ordinary stop, one run makes the lists complete before anybody asks.
        records.index_filings();
        let threads = Threads {
            committer: Some(committer),
            checkpointer: Some(checkpointer),
            checkpoints: requests,
        };
        Ok(Self {
            records: Arc::new(records),
            messages: sender,
            poison,
            threads: Mutex::new(threads),
        })
    }

    fn send(&self, message: Message) -> Result<(), CommitFault> {
        if self.poison.is_set() {
            return Err(CommitFault::Storage);
        }
        self.messages.try_send(message).map_err(|fault| match fault {
            TrySendError::Full(_) => CommitFault::Busy,
            TrySendError::Disconnected(_) => CommitFault::Storage,
        })
    }

    /// Reads on a thread that may wait for the disk.
    fn reading<T: Send + 'static, F: Send + 'static>(
        &self,
        read: impl FnOnce(&Records) -> Result<T, F> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, F>> {
        let records = Arc::clone(&self.records);
        Box::pin(async move {
            let _reading = time(Part::Read);
            match spawn_blocking(move || read(&records)).await {
                Ok(result) => result,
                Err(fault) => std::panic::resume_unwind(fault.into_panic()),
            }
        })
    }
}

impl Ledger for LocalLedger {
    fn campaign(&self) -> Campaign {
        self.records.campaign
    }

    fn submit(
        &self,
        submissions: Vec<Submission>,
    ) -> BoxFuture<'_, Result<Vec<Disposition>, CommitFault>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.send(Message::Submit(submissions, reply))?;
            answer.await.unwrap_or(Err(CommitFault::Storage))
        })
    }

    fn withdraw(&self, position: Position) -> BoxFuture<'_, Result<Option<Change>, CommitFault>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.send(Message::Withdraw(position, reply))?;
            answer.await.unwrap_or(Err(CommitFault::Storage))
        })
    }

    fn find(
        &self,
        code: ReceiptCode,
    ) -> BoxFuture<'_, Result<Option<(Position, State)>, ReadFault>> {
        let found = code.position(&self.records.keys).and_then(|position| {
            let state = index::lock(&self.records.index).durable_state(position)?;
            (!matches!(state, State::Erased { .. })).then_some((position, state))
        });
        Box::pin(std::future::ready(Ok(found)))
    }

    fn of_claim(&self, claim: Claim) -> BoxFuture<'_, Result<Vec<(Position, State)>, ReadFault>> {
        let mut found = index::lock(&self.records.index).of_claim(&claim);
        found.retain(|(_, state)| !matches!(state, State::Erased { .. }));
        Box::pin(std::future::ready(Ok(found)))
    }

    fn filings(
        &self,
        office: Subject,
        after: Option<ReceiptCode>,
        most: usize,
    ) -> BoxFuture<'_, Result<FilingPage, FilingsFault>> {
        self.reading(move |records| records.filings(office, after, most))
    }

    fn index_filings(&self) {
        self.records.index_filings();
    }

    fn header(&self, position: Position) -> BoxFuture<'_, Result<Header, ReadFault>> {
        if let Some(FreshRecord { sealed, .. }) = self.records.fresh.find(position) {
            let header = Header::decode(&sealed).map_err(ReadFault::from);
            return Box::pin(std::future::ready(header));
        }
        self.reading(move |records| Ok(Header::decode(&records.stored(position)?)?))
    }

    fn read(
        &self,
        position: Position,
        subject: Subject,
    ) -> BoxFuture<'_, Result<Contents, ReadFault>> {
        if let Some(fresh) = self.records.fresh.find(position) {
            let FreshRecord { sealed, decision } = &fresh;
            let decision = decision.as_ref().map(|(turn, sealed)| (*turn, &**sealed));
            let contents = self.records.open(position, subject, sealed, decision);
            return Box::pin(std::future::ready(contents));
        }
        self.reading(move |records| {
            let sealed = records.stored(position)?;
            let decision = records.reader.decision(position)?;
            let decision = decision.as_ref().map(|(turn, sealed)| (*turn, sealed.as_slice()));
            records.open(position, subject, &sealed, decision)
        })
    }

    fn receipt(&self, position: Position) -> BoxFuture<'_, Result<Option<Receipt>, ReadFault>> {
        self.reading(move |records| Ok(records.receipt(position)?))
    }

    fn cases(&self, most: usize) -> Vec<StoredCase> {
        let drawn = index::lock(&self.records.index).draw(most);
        self.records.open_for_judges(drawn)
    }

    fn pending(&self, from: Option<Position>, most: usize) -> PendingCases {
        let from = from.unwrap_or(Position(0));
        let (found, next) = index::lock(&self.records.index).pending(from, most);
        PendingCases { cases: self.records.open_for_judges(found), next }
    }

    fn rule(&self, rulings: Vec<Ruling>) {
        // If the committer has ended, the applications stay undecided on disk; the next start decides them.
        self.messages.send(Message::Rule(rulings));
    }

    fn tally(&self) -> Tally {
        index::lock(&self.records.index).tally()
    }

    fn health(&self) -> Health {
        if self.poison.is_set() { Health::Poisoned } else { Health::Sound }
    }

    fn close(&self) {
        let Ok(mut threads) = self.threads.lock() else { return };
        threads.checkpoints.stop();
        join(threads.checkpointer.take(), "the checkpoint thread");
        self.messages.send(Message::Close);
        join(threads.committer.take(), "the committer");
    }
}

impl Drop for LocalLedger {
    fn drop(&mut self) {
        self.close();
    }
}

impl Records {
    fn index_filings(&self) {
        self.filings.follow(&self.reader, &self.keys);
    }

    fn filings(
        &self,
        office: Subject,
        after: Option<ReceiptCode>,
        most: usize,
    ) -> Result<FilingPage, FilingsFault> {
        let rows = self.filings.rows(office, after, most)?;
        let next = rows.last().filter(|_| rows.len() == most).map(|row| row.receipt);
        let positions: Vec<_> = rows.iter().map(|row| row.receipt.position(&self.keys)).collect();
        let index = index::lock(&self.index);
        let filings = rows.into_iter().zip(positions).filter_map(|(row, position)| {
            let state = index.durable_state(position?)?;
            let Row { receipt, person, received_on } = row;
            (!matches!(state, State::Erased { .. })).then_some(Filing {
                receipt,
                person,
                received_on,
                state,
            })
        });
        Ok(FilingPage { filings: filings.collect(), next })
    }

    fn stored(&self, position: Position) -> Result<Vec<u8>, ReadFault> {
        match self.reader.record(position)? {
            Some(stored) if stored.is_empty() => Err(RecordFault::Erased.into()),
            Some(stored) => Ok(stored),
            None => Err(RecordFault::Format.into()),
        }
    }

    /// Opens a record and its latest decision, wherever they come from, for their subject.
    fn open(
        &self,
        position: Position,
        subject: Subject,
        sealed: &[u8],
        decision: Option<(Turn, &[u8])>,
    ) -> Result<Contents, ReadFault> {
        let application = self.keys.open_record(self.campaign, subject, sealed)?;
        let decision = decision.map(|(turn, sealed)| {
            self.keys.open_decision(self.campaign, subject, (position, turn), sealed)
        });
        Ok(Contents { application, decision: decision.transpose()? })
    }

    fn receipt(&self, position: Position) -> Result<Option<Receipt>, StorageFault> {
        let Some(stored) = self.reader.batch_of(position)? else { return Ok(None) };
        let Some(entry) = stored.entries.get((position.0 - stored.first.0) as usize).copied()
        else {
            return Ok(None);
        };
        let root = stored.root;
        let batch = SignedBatch::restored(&self.keys, self.campaign, stored);
        // A receipt that does not prove itself is worse than none.
        if !batch.is_genuine(&self.keys, &root) {
            return Err(StorageFault::Damaged);
        }
        Ok(batch.receipt(position, entry.received_on, &entry.digest))
    }

    /// Opens applications for judges. One that cannot be read is logged and stays as it is until the next start; it
    /// costs nobody else their decision.
    fn open_for_judges(&self, positions: Vec<Position>) -> Vec<StoredCase> {
        let opened =
            positions.into_iter().map(|position| (position, self.open_for_judge(position)));
        opened
            .filter_map(|(position, opened)| match opened {
                Ok((header, application)) => Some(StoredCase { position, header, application }),
                Err(fault) => {
                    let receipt = ReceiptCode::of(&self.keys, self.campaign, position);
                    tracing::error!(%receipt, %fault, "an application cannot be read: it stays undecided");
                    None
                }
            })
            .collect()
    }

    fn open_for_judge(&self, position: Position) -> Result<(Header, Vec<u8>), ReadFault> {
        let stored = self.stored(position)?;
        let header = Header::decode(&stored)?;
        Ok((header, self.keys.open_record(self.campaign, header.subject, &stored)?))
    }
}

fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

fn join(thread: Option<thread::JoinHandle<()>>, what: &str) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("{what} panicked and has ended");
    }
}

#[cfg(test)]
mod tests {
    use super::{super::model::submission, *};
    use crate::{civic::FiscalCode, schemes::Scheme, vault::SealBroken};

    const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

    fn open(directory: &Path, keys: &Arc<HouseKeys>) -> LocalLedger {
        let commit = group::Config {
            batch_records_max: 10,
            batch_bytes_max: 1 << 20,
            batch_wait_ms: 1,
            ruling_wait_ms: 1,
            queue_messages_max: 100,
        };
        let files = sqlite::Bounds { wal_bytes_max: 1 << 20, readers_max: 1 };
        let config = Config { commit, files, checkpoint_ms: 1000 };
        let (urn, clock) = (Arc::new(Urn::new(1, 1)), Clock::standing_at(jiff::Timestamp::MIN));
        LocalLedger::open(directory, CAMPAIGN, Arc::clone(keys), urn, clock, config).unwrap()
    }

    #[tokio::test]
    async fn a_record_reads_the_same_from_memory_as_from_the_disk_and_only_for_its_person() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
        let [person, other] = [1, 2].map(|number| keys.subject(&FiscalCode::made_up(number)));
        let mut read = Vec::new();
        for is_fresh in [true, false] {
            let ledger = open(directory.path(), &keys);
            if is_fresh {
                ledger.submit(vec![submission(&keys, 1, 0, 0)]).await.unwrap();
            }
            assert_eq!(ledger.records.fresh.find(Position(0)).is_some(), is_fresh);
            let contents = ledger.read(Position(0), person).await.unwrap();
            read.push((ledger.header(Position(0)).await.unwrap(), contents.application));
            let refused = ledger.read(Position(0), other).await.unwrap_err();
            assert!(matches!(refused, ReadFault::Record(RecordFault::Seal(SealBroken))));
        }
        assert_eq!(read[0], read[1]);
        assert_eq!(read[0].0.subject, person);
    }
}
