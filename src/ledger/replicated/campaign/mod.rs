//! The ledger of one campaign.
//!
//! [`ReplicatedLedger`] is the handle. A [`committer`] task gathers messages and writes each batch in one [`transaction`]:
//! what it has [`found`] says what is [`decided`], and unique indexes say whether another node was first. [`reads`] and
//! [`cases`] work on a small pool of other links. Judges of any node lease cases from the database.

mod blocks;
mod cases;
mod committer;
pub(super) mod counts;
mod decided;
mod engine;
mod found;
mod ledger;
mod reads;
mod round_trip;
mod rows;
mod standing;
mod statements;
mod transaction;

pub(super) use self::{
    blocks::Block,
    engine::{is_ours, register, start_runtime},
    found::state_after,
    reads::stored_batch,
    rows::lot,
    statements::{BATCH, Writing},
    transaction::{Tried, Writer, WritingLink},
};
pub use self::{engine::ReplicatedEngine, ledger::ReplicatedLedger};
