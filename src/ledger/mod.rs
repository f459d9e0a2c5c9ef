//! The ledger: no application with a receipt is ever lost, and none is stored twice.
//!
//! [`Ledger`] is what the intake and the judges see of one campaign; [`Shelf`](shelf::Shelf) keeps the open ones. Below
//! it:
//!
//! - the values: [`receipt`], [`case`], [`position`], and [`fault`] for what can go wrong;
//! - [`book`] decides, seals and signs, on [`proof`]; it is the same on every engine;
//! - [`local`] is the engine of one machine, `replicated` (a feature) that of many, and [`engines`] chooses; [`group`] is
//!   what their committers have in common; [`handover`] batches the submissions of a runtime on their way to any engine;
//! - [`stores`] opens what belongs to no campaign, in files or in the database;
//! - [`filings`] are the lists of offices, from an index that follows the ledger;
//! - [`drafts`], [`mandates`], [`rounds`], [`journal`] and [`audit`] keep what is not a record of the ledger; [`space`] watches
//!   the disk;
//! - offline tools: [`verify`], [`snapshot`], [`backup`], [`erasure`], [`migration`]; [`tools`] is what they have in common on every
//!   engine.

pub mod audit;
pub mod backup;
pub mod book;
pub mod case;
pub mod drafts;
pub mod engines;
pub mod erasure;
pub mod fault;
pub mod filings;
pub mod group;
pub mod handover;
pub mod journal;
pub mod local;
pub mod mandates;
mod meters;
pub mod migration;
pub mod position;
pub mod proof;
pub mod receipt;
#[cfg(feature = "postgres")]
pub mod replicated;
pub mod rounds;
mod secret_rounds;
pub mod shelf;
pub mod snapshot;
pub mod space;
pub mod stores;
pub mod telephone;
pub mod tools;
pub mod verify;

use futures_util::future::BoxFuture;

use self::{
    book::{
        change::{Change, Ruling},
        record::Header,
        submission::{Disposition, Submission},
    },
    case::{PendingCases, StoredCase},
    filings::{FilingPage, FilingsFault},
};
pub use self::{
    book::{
        change::{State, Tally},
        record::Channel,
    },
    case::Case,
    fault::{CommitFault, OpenFault, ReadFault, StorageFault},
    position::Position,
    receipt::{Receipt, ReceiptCode},
};
use crate::{
    schemes::Campaign,
    vault::{Claim, Subject},
};

/// One campaign's ledger, open: durable records only, on any engine. Its store may be on another machine: dropping the
/// future of a call does not undo the call.
pub trait Ledger: Send + Sync {
    /// Its campaign.
    fn campaign(&self) -> Campaign;

    /// Commits submissions, and answers in their order once they are durable.
    ///
    /// # Errors
    /// [`CommitFault`]. [`CommitFault::Busy`]: nothing was kept; try again in a moment. [`CommitFault::Away`]: try again in
    /// a moment with the same keys, because some may have been kept. [`CommitFault::Storage`]: final until a restart.
    fn submit(
        &self,
        submissions: Vec<Submission>,
    ) -> BoxFuture<'_, Result<Vec<Disposition>, CommitFault>>;

    /// Withdraws an application; `None` if it was withdrawn before.
    ///
    /// # Errors
    /// As for [`submit`](Self::submit).
    fn withdraw(&self, position: Position) -> BoxFuture<'_, Result<Option<Change>, CommitFault>>;

    /// The position and state behind a receipt code; `None` if there is no such application, or its contents were
    /// erased.
    ///
    /// # Errors
    /// [`ReadFault::Storage`] if the store does not answer.
    fn find(
        &self,
        code: ReceiptCode,
    ) -> BoxFuture<'_, Result<Option<(Position, State)>, ReadFault>>;

    /// Every application of a claim and its state, the earliest first: withdrawn ones, and at most one more. Those whose
    /// contents were erased are left out.
    ///
    /// # Errors
    /// [`ReadFault::Storage`] if the store does not answer.
    fn of_claim(&self, claim: Claim) -> BoxFuture<'_, Result<Vec<(Position, State)>, ReadFault>>;

    /// What an office handed in, in the order of receipts: at most `most`, after a receipt of this campaign or from the
    /// first one. The latest ones may be missing until the next run of [`index_filings`](Self::index_filings).
    ///
    /// # Errors
    /// [`FilingsFault`].
    fn filings(
        &self,
        office: Subject,
        after: Option<ReceiptCode>,
        most: usize,
    ) -> BoxFuture<'_, Result<FilingPage, FilingsFault>>;

    /// Adds new filings to the lists of offices, a bounded number. May wait for the disk.
    fn index_filings(&self);

    /// The readable header of a record.
    ///
    /// # Errors
    /// [`ReadFault`].
    fn header(&self, position: Position) -> BoxFuture<'_, Result<Header, ReadFault>>;

    /// An application and its decision, opened for `subject`.
    ///
    /// # Errors
    /// [`ReadFault::Record`] if it is not this subject's: raise the alarm and show nothing.
    fn read(
        &self,
        position: Position,
        subject: Subject,
    ) -> BoxFuture<'_, Result<Contents, ReadFault>>;

    /// The receipt of an application, the same to the letter as when it was accepted; `None` if there is none.
    ///
    /// # Errors
    /// [`ReadFault`].
    fn receipt(&self, position: Position) -> BoxFuture<'_, Result<Option<Receipt>, ReadFault>>;

    /// Takes up to `most` undecided applications that no judge has. May wait for the disk.
    fn cases(&self, most: usize) -> Vec<StoredCase>;

    /// Up to `most` pending applications, starting at a position or at the beginning. May wait for the disk.
    fn pending(&self, from: Option<Position>, most: usize) -> PendingCases;

    /// Hands over decisions to be written. Blocks while the commit queue is full, which slows the judges down.
    fn rule(&self, rulings: Vec<Ruling>);

    /// The counts of accepted, decided and withdrawn applications.
    fn tally(&self) -> Tally;

    /// Whether it takes submissions.
    fn health(&self) -> Health;

    /// Writes what was handed over, and closes the store. Blocks until that is done.
    fn close(&self);
}

/// What is stored of an application.
#[derive(Debug)]
pub struct Contents {
    /// Its bytes as they were sent.
    pub application: Vec<u8>,
    /// The latest decision, as JSON.
    pub decision: Option<Vec<u8>>,
}

/// Whether a ledger takes submissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Sound,
    /// Its store cannot be reached at present; it tries again by itself, and what is submitted meanwhile waits or is sent
    /// away.
    Away,
    /// Its storage failed: intake has stopped until a restart; reading continues.
    Poisoned,
}
