//! One campaign's ledger in the database.

use std::{sync::Arc, thread, time::Duration};

use crossbeam::channel;
use futures_util::future::BoxFuture;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use super::{reads::Reader, standing::Standing};
use crate::{
    ledger::{
        Contents, Health, Ledger,
        book::{
            change::{Change, Ruling, State, Tally},
            record::Header,
            submission::{Disposition, Submission},
        },
        case::{PendingCases, StoredCase},
        fault::{CommitFault, ReadFault},
        filings::{FilingPage, FilingsFault},
        group::{Message, Reply},
        position::Position,
        receipt::{Receipt, ReceiptCode},
    },
    schemes::Campaign,
    vault::{Claim, Subject},
};

/// Time that a judge waits for cases before it looks elsewhere.
const CASES_WAIT: Duration = Duration::from_secs(10);
/// Pause of a judge that walks over pending applications while the database is away.
const PENDING_PAUSE: Duration = Duration::from_secs(1);

/// One campaign's ledger in the database. Dropping it closes it.
pub struct ReplicatedLedger {
    pub(super) reader: Arc<Reader>,
    pub(super) standing: Arc<Standing>,
    pub(super) messages: mpsc::Sender<Message>,
    /// How long a submission waits for its commit, its time in the queue included.
    pub(super) wait_max: Duration,
    /// Where the links live.
    pub(super) runtime: Handle,
    /// Closed when the committer has ended.
    pub(super) committer: channel::Receiver<()>,
    pub(super) refresher: JoinHandle<()>,
}

impl ReplicatedLedger {
    async fn commit<T>(&self, message: impl FnOnce(Reply<T>) -> Message) -> Result<T, CommitFault> {
        if self.health() == Health::Poisoned {
            return Err(CommitFault::Storage);
        }
        let (reply, answer) = oneshot::channel();
        self.messages.try_send(message(reply)).map_err(|fault| match fault {
            mpsc::error::TrySendError::Full(_) => CommitFault::Busy,
            mpsc::error::TrySendError::Closed(_) => CommitFault::Storage,
        })?;
        match timeout(self.wait_max, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CommitFault::Storage),
            Err(_) => Err(CommitFault::Away),
        }
    }

    /// Works on the runtime of the links.
    fn reading<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        read: impl FnOnce(Arc<Reader>) -> F,
    ) -> BoxFuture<'_, T> {
        let reading = self.runtime.spawn(read(Arc::clone(&self.reader)));
        Box::pin(async move {
            match reading.await {
                Ok(result) => result,
                Err(fault) => std::panic::resume_unwind(fault.into_panic()),
            }
        })
    }

    /// Works on the runtime of the links while this thread waits; `None` if it takes too long.
    fn waiting<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        read: impl FnOnce(Arc<Reader>) -> F,
    ) -> Option<T> {
        let (sender, answer) = channel::bounded(1);
        let read = read(Arc::clone(&self.reader));
        self.runtime.spawn(async move {
            let _gone = sender.send(read.await);
        });
        answer.recv_timeout(CASES_WAIT).ok()
    }
}

impl Ledger for ReplicatedLedger {
    fn campaign(&self) -> Campaign {
        self.reader.campaign
    }

    fn submit(
        &self,
        submissions: Vec<Submission>,
    ) -> BoxFuture<'_, Result<Vec<Disposition>, CommitFault>> {
        Box::pin(self.commit(|reply| Message::Submit(submissions, reply)))
    }

    fn withdraw(&self, position: Position) -> BoxFuture<'_, Result<Option<Change>, CommitFault>> {
        Box::pin(self.commit(move |reply| Message::Withdraw(position, reply)))
    }

    fn find(
        &self,
        code: ReceiptCode,
    ) -> BoxFuture<'_, Result<Option<(Position, State)>, ReadFault>> {
        self.reading(move |reader| async move { reader.find(code).await })
    }

    fn of_claim(&self, claim: Claim) -> BoxFuture<'_, Result<Vec<(Position, State)>, ReadFault>> {
        self.reading(move |reader| async move { reader.of_claim(claim).await })
    }

    fn filings(
        &self,
        office: Subject,
        after: Option<ReceiptCode>,
        most: usize,
    ) -> BoxFuture<'_, Result<FilingPage, FilingsFault>> {
        self.reading(move |reader| async move { Ok(reader.filings(office, after, most).await?) })
    }

    /// Nothing to do: filings are added with the records.
    fn index_filings(&self) {}

    fn header(&self, position: Position) -> BoxFuture<'_, Result<Header, ReadFault>> {
        self.reading(move |reader| async move { reader.header(position).await })
    }

    fn read(
        &self,
        position: Position,
        subject: Subject,
    ) -> BoxFuture<'_, Result<Contents, ReadFault>> {
        self.reading(move |reader| async move { reader.read(position, subject).await })
    }

    fn receipt(&self, position: Position) -> BoxFuture<'_, Result<Option<Receipt>, ReadFault>> {
        let looked_up = self.reading(move |reader| async move { reader.receipt(position).await });
        Box::pin(async move {
            let Some(found) = looked_up.await? else { return Ok(None) };
            // Visible is not replicated: a failover might take back what this receipt promises.
            if !self.reader.is_durable(found.node, found.number) {
                let confirmed = self.commit(|reply| Message::Submit(Vec::new(), reply)).await;
                confirmed.map_err(super::reads::unconfirmed)?;
                self.reader.set_durable(found.node, found.number);
            }
            Ok(Some(found.receipt))
        })
    }

    fn cases(&self, most: usize) -> Vec<StoredCase> {
        if !self.standing.may_have_cases() {
            return Vec::new();
        }
        let leased = self.waiting(move |reader| async move { reader.lease(most).await });
        let Some(leased) = leased else { return Vec::new() };
        self.standing.note_cases(leased.as_ref().err());
        let cases = leased.unwrap_or_default();
        if cases.len() < most {
            self.standing.note_drained();
        }
        cases
    }

    fn pending(&self, from: Option<Position>, most: usize) -> PendingCases {
        let walked = self.waiting(move |reader| async move { reader.pending(from, most).await });
        if let Some(Ok(pending)) = walked {
            return pending;
        }
        // The walk goes on from here when the database is back.
        thread::sleep(PENDING_PAUSE);
        PendingCases { cases: Vec::new(), next: Some(from.unwrap_or(Position(0))) }
    }

    fn rule(&self, rulings: Vec<Ruling>) {
        // If the committer has ended, the applications stay undecided; a judge of any node decides them.
        let _ended = self.messages.blocking_send(Message::Rule(rulings));
    }

    fn tally(&self) -> Tally {
        self.standing.tally()
    }

    fn health(&self) -> Health {
        self.standing.health()
    }

    fn close(&self) {
        let messages = self.messages.clone();
        self.runtime.spawn(async move {
            let _ended = messages.send(Message::Close).await;
        });
        // Ends with an error when the committer has dropped the other side.
        let _closed = self.committer.recv();
        self.refresher.abort();
    }
}

impl Drop for ReplicatedLedger {
    fn drop(&mut self) {
        self.close();
    }
}
