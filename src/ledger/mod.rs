//! The ledger: nothing receipted is ever lost, nothing is ever there twice.
//!
//! From the bottom: [`keys`] and [`seal`] (what is stored opens for its subject alone), [`record`] and [`entry`] (what is
//! stored), [`receipt`] and [`proof`] (what the person holds), [`index`] (what is known by heart), [`engine`] and
//! [`engines`] (where it is stored), [`space`] (how much room is left there), [`committer`] (who writes), [`handover`] (how
//! submissions reach it), [`verify`] (proof that all of it is whole), [`audit`] (who was shown or changed what).

pub mod audit;
pub mod backup;
pub mod committer;
pub mod drafts;
pub mod engine;
pub mod engines;
mod entry;
pub mod erasure;
pub mod handover;
mod index;
pub mod keys;
#[cfg(test)]
mod model;
mod packing;
pub mod proof;
pub mod receipt;
pub mod record;
pub mod seal;
pub mod shelf;
pub mod snapshot;
pub mod space;
pub mod verify;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use self::{
    committer::{Call, CommitFault, Committer, Meters, Reply, Work},
    engine::{Change, OpenFault, Reader, Ruling, SignedBatch, StorageFault, Submission, Verdict},
    engines::sqlite,
    index::Index,
    keys::HouseKeys,
    proof::{Digest, Proof},
    receipt::ReceiptCode,
    record::{Header, RecordFault},
    seal::Subject,
};
pub use self::{
    index::{State, Tally},
    record::Channel,
};
use crate::{application::Application, clock::Clock, schemes::Campaign, urn::Urn};

/// Every bound of a campaign's ledger.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Bounds of a commit.
    pub commit: committer::Config,
    /// Bounds of the files.
    pub files: sqlite::Bounds,
    /// How often the write-ahead log is moved into place, milliseconds.
    pub checkpoint_ms: u64,
}

/// A record's number in its campaign's ledger. It is an order, so it never leaves the house: outside there are
/// [`ReceiptCode`]s.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position(u32);

impl std::fmt::Debug for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Position(..)")
    }
}

/// A durable application on its way to a judge.
pub struct Case {
    /// Its campaign.
    pub campaign: Campaign,
    /// Where it stands in the ledger.
    pub position: Position,
    /// Whose it is; its decision is sealed for them.
    pub subject: Subject,
    /// The day it counts from.
    pub received_on: Date,
    /// The application.
    pub application: Box<Application>,
}

/// A durable application taken out of the ledger for a judge.
pub struct Drawn {
    /// Where it stands.
    pub position: Position,
    /// Whose it is and which day it counts from.
    pub header: Header,
    /// Its bytes as they were sent.
    pub application: Vec<u8>,
}

/// What every receipt says of its application: the receipt tells what happened, not how it goes on.
const RECEIVED: &str = "received";

/// What the person holds: it exists only if the record is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// The code, as [`ReceiptCode`] prints it.
    pub receipt: String,
    /// Always `received`: the receipt says what happened, not how it goes on.
    pub state: String,
    /// The day the application counts from, Europe/Rome.
    pub received_on: String,
    /// SHA-256 of the application's bytes as they were sent, in the form of RFC 9530.
    pub digest: String,
    /// The way to the signed root of its batch.
    pub proof: Proof,
}

/// One campaign's ledger, open. Cheap to share; [`close`](Self::close) ends it.
pub struct Ledger {
    campaign: Campaign,
    keys: Arc<HouseKeys>,
    index: Arc<Mutex<Index>>,
    reader: Arc<dyn Reader>,
    work: Sender<Work>,
    poisoned: Arc<AtomicBool>,
    threads: Mutex<Threads>,
}

struct Threads {
    committer: Option<thread::JoinHandle<()>>,
    checkpointer: Option<thread::JoinHandle<()>>,
    calls: Sender<Call>,
}

impl Ledger {
    /// Opens or makes the ledger of `campaign` in `directory` (see [`engines::files::take_directory`]) and starts its threads.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        directory: &Path,
        campaign: Campaign,
        keys: Arc<HouseKeys>,
        urn: Arc<Urn<Case>>,
        clock: Clock,
        config: Config,
    ) -> Result<Self, OpenFault> {
        let sqlite::Opened { engine, reader, index } =
            sqlite::open(directory, campaign, Arc::clone(&keys), config.files)?;
        let (sender, work) = bounded(config.commit.queue_messages_max);
        let poisoned = Arc::new(AtomicBool::new(false));
        let (calls, called) = bounded(1);
        let meters = Meters::resumed(campaign, &lock(&index));
        let committer = Committer {
            campaign,
            config: config.commit,
            engine: Box::new(engine),
            index: Arc::clone(&index),
            urn,
            work,
            poisoned: Arc::clone(&poisoned),
            checkpointer: calls.clone(),
            clock,
            meters,
        };
        let reader: Arc<dyn Reader> = Arc::new(reader);
        let thread_fault = |source| OpenFault::Directory { path: directory.to_owned(), source };
        let checkpointer = spawn("checkpoint", {
            let reader = Arc::clone(&reader);
            let every = Duration::from_millis(config.checkpoint_ms);
            let poisoned = Arc::clone(&poisoned);
            move || checkpoint_until(&called, every, reader.as_ref(), &poisoned)
        })
        .map_err(thread_fault)?;
        let committer = spawn("commit", move || committer.run_guarded()).map_err(thread_fault)?;
        let threads = Mutex::new(Threads {
            committer: Some(committer),
            checkpointer: Some(checkpointer),
            calls,
        });
        Ok(Self { campaign, keys, index, reader, work: sender, poisoned, threads })
    }

    /// The campaign that this ledger belongs to.
    #[must_use]
    pub fn campaign(&self) -> Campaign {
        self.campaign
    }

    /// Hands submissions to the committer, which calls `reply` with a verdict each once they are durable.
    ///
    /// # Errors
    /// [`CommitFault::Busy`] at once when its queue is full; `reply` is dropped then.
    pub(super) fn submit(
        &self,
        submissions: Vec<Submission>,
        reply: Reply<Vec<Verdict>>,
    ) -> Result<(), CommitFault> {
        self.hand_in(Work::Submit(submissions, reply))
    }

    /// Hands decisions to the committer; waits while its queue is full, which holds the judges back.
    pub fn rule(&self, rulings: Vec<Ruling>) {
        // A closed committer leaves the applications undecided on disk; the next start decides them.
        let _closed = self.work.send(Work::Rule(rulings));
    }

    /// Withdraws an application; `None` if it was withdrawn before.
    ///
    /// # Errors
    /// [`CommitFault`].
    pub async fn withdraw(&self, position: Position) -> Result<Option<Change>, CommitFault> {
        let (sender, answer) = tokio::sync::oneshot::channel();
        let reply = Box::new(move |result| {
            // Whoever asked may have gone; the withdrawal stands all the same.
            let _gone = sender.send(result);
        });
        self.hand_in(Work::Withdraw(position, reply))?;
        answer.await.unwrap_or(Err(CommitFault::Storage))
    }

    fn hand_in(&self, work: Work) -> Result<(), CommitFault> {
        if self.poisoned() {
            return Err(CommitFault::Storage);
        }
        self.work.try_send(work).map_err(|fault| match fault {
            TrySendError::Full(_) => CommitFault::Busy,
            TrySendError::Disconnected(_) => CommitFault::Storage,
        })
    }

    /// The receipt of an application that was accepted just now.
    #[must_use]
    pub fn receipt(
        &self,
        position: Position,
        received_on: Date,
        digest: &Digest,
        batch: &SignedBatch,
    ) -> Option<Receipt> {
        let receipt = batch.code(position)?.to_string();
        let received_on = received_on.to_string();
        let leaf = proof::receipt_leaf(&receipt, &received_on, digest);
        let proof = batch.proof(&leaf)?;
        let digest = proof::content_digest(digest);
        Some(Receipt { receipt, state: RECEIVED.to_owned(), received_on, digest, proof })
    }

    /// The receipt of any durable application, read from disk: the same to the letter as when it was accepted.
    ///
    /// # Errors
    /// [`StorageFault`]. May wait for the disk: keep it off the event loops.
    pub fn stored_receipt(&self, position: Position) -> Result<Option<Receipt>, StorageFault> {
        let Some(stored) = self.reader.batch_of(position)? else { return Ok(None) };
        let Some(entry) = stored.entries.get((position.0 - stored.first.0) as usize).copied()
        else {
            return Ok(None);
        };
        let root = stored.root;
        let batch = SignedBatch::restored(&self.keys, self.campaign, stored);
        // A receipt that does not prove itself is worse than none.
        if batch.tree.root() != root || !self.keys.signed_root(&root, &batch.signature) {
            return Err(StorageFault::Damaged);
        }
        Ok(self.receipt(position, entry.received_on, &entry.digest, &batch))
    }

    /// The stored record of an application: its header, and its bytes opened for `subject`.
    ///
    /// # Errors
    /// [`ReadFault::Record`] if it is not this subject's. May wait for the disk: keep it off the event loops.
    pub fn application(&self, position: Position, subject: Subject) -> Result<Vec<u8>, ReadFault> {
        let stored = self.stored(position)?;
        Ok(self.keys.open_record(self.campaign, subject, &stored)?)
    }

    /// The readable header of a record.
    ///
    /// # Errors
    /// As for [`application`](Self::application).
    pub fn header(&self, position: Position) -> Result<Header, ReadFault> {
        Ok(Header::decode(&self.stored(position)?)?)
    }

    /// The decision that holds on an application, opened for `subject`; nothing if it is undecided.
    ///
    /// # Errors
    /// As for [`application`](Self::application).
    pub fn decision(
        &self,
        position: Position,
        subject: Subject,
    ) -> Result<Option<Vec<u8>>, ReadFault> {
        let Some((turn, sealed)) = self.reader.decision(position)? else { return Ok(None) };
        Ok(Some(self.keys.open_decision(self.campaign, subject, (position, turn), &sealed)?))
    }

    /// Takes up to `most` applications that wait in the ledger, for a judge. One that cannot be read costs nobody else
    /// their decision: it is logged, left undecided and looked at again after the next start.
    #[must_use]
    pub fn draw_waiting(&self, most: usize) -> Vec<Drawn> {
        let drawn = lock(&self.index).draw(most);
        self.open_for_judges(drawn)
    }

    /// Up to `most` pending applications from a place on, and the place to go on from; nothing when all were seen.
    #[must_use]
    pub fn pending_from(
        &self,
        place: Option<Position>,
        most: usize,
    ) -> (Vec<Drawn>, Option<Position>) {
        let (found, next) = lock(&self.index).pending(place.unwrap_or(Position(0)), most);
        (self.open_for_judges(found), next)
    }

    fn open_for_judges(&self, positions: Vec<Position>) -> Vec<Drawn> {
        let opened =
            positions.into_iter().map(|position| (position, self.open_for_judge(position)));
        opened
            .filter_map(|(position, opened)| match opened {
                Ok((header, application)) => Some(Drawn { position, header, application }),
                Err(fault) => {
                    tracing::error!(receipt = %self.code(position), %fault, "a durable application cannot be read: it stays as it is");
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

    fn stored(&self, position: Position) -> Result<Vec<u8>, ReadFault> {
        match self.reader.record(position)? {
            Some(stored) if stored.is_empty() => Err(RecordFault::Erased.into()),
            Some(stored) => Ok(stored),
            None => Err(RecordFault::Form.into()),
        }
    }

    /// The receipt code of a position.
    #[must_use]
    pub fn code(&self, position: Position) -> ReceiptCode {
        self.keys.receipt(self.campaign, position)
    }

    /// The position and state behind a receipt code; nothing if there is no such application, or no longer.
    #[must_use]
    pub fn find(&self, code: ReceiptCode) -> Option<(Position, State)> {
        let position = self.keys.position(code)?;
        let state = lock(&self.index).durable_state(position)?;
        (!matches!(state, State::Erased { .. })).then_some((position, state))
    }

    /// The counts of the balance.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.index).tally()
    }

    /// Whether the storage failed: intake has stopped, reads go on.
    #[must_use]
    pub fn poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// Writes what was handed in, stops the threads and leaves the files tidy.
    pub fn close(&self) {
        let Ok(mut threads) = self.threads.lock() else { return };
        // Gone already where the ledger is poisoned.
        let _gone = threads.calls.send(Call::Stop);
        if let Some(checkpointer) = threads.checkpointer.take()
            && checkpointer.join().is_err()
        {
            tracing::error!("the checkpoint thread had panicked");
        }
        let _gone = self.work.send(Work::Close);
        if let Some(committer) = threads.committer.take()
            && committer.join().is_err()
        {
            tracing::error!("the committer had panicked");
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.close();
    }
}

/// Why something cannot be read from the ledger.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The disk did not answer.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// The record is damaged, or not this subject's.
    #[error(transparent)]
    Record(#[from] RecordFault),
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// A checkpoint syncs, too: what holds for a commit holds for it, and on a poisoned ledger nothing is synced any more.
fn checkpoint_until(
    calls: &Receiver<Call>,
    every: Duration,
    reader: &dyn Reader,
    poisoned: &AtomicBool,
) {
    while matches!(calls.recv_timeout(every), Ok(Call::Checkpoint) | Err(RecvTimeoutError::Timeout))
        && !poisoned.load(Ordering::Acquire)
    {
        match reader.checkpoint() {
            Err(fault) if fault.is_of_the_disk() => {
                poisoned.store(true, Ordering::Release);
                tracing::error!(%fault, "the ledger is poisoned by a checkpoint: intake has stopped; mend the storage and restart");
            }
            Err(fault) => tracing::warn!(%fault, "checkpoint put off"),
            Ok(()) => {}
        }
    }
}
