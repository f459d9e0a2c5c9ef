//! The engine of one machine: a committer thread, an index in memory, and `SQLite` files.
//!
//! [`LocalLedger`] is the handle. The [`committer`] gathers, the [`bookkeeper`] decides by the [`index`] and signs,
//! [`sqlite`] stores, and a thread of its own checkpoints. [`drafts`], [`filings`], [`mandates`], [`rounds`] and
//! [`journal`] have files of their own in the same directory.

mod bookkeeper;
mod checkpoints;
mod committer;
pub mod drafts;
mod engine;
pub(super) mod files;
pub(super) mod filings;
mod fresh;
pub(super) mod index;
pub mod journal;
mod ledger;
mod mailbox;
pub mod mandates;
#[cfg(test)]
mod model;
mod poison;
pub(super) mod revocations;
pub mod rounds;
pub mod sqlite;
pub(super) mod sqlite_fault;
mod store;
pub(super) mod telephone;
pub(super) mod wal;

pub use self::{
    bookkeeper::Bookkeeper,
    engine::LocalEngine,
    files::take_directory,
    ledger::{Config, LocalLedger},
};
