//! The engine of many machines: `PostgreSQL` with synchronous quorum replication.
//!
//! [`ReplicatedLedger`] is the handle. A [`committer`] task gathers messages and writes each batch in one
//! [`transaction`]; the unique indexes of the [`schema`] decide what is new, whichever node asks. [`reads`] and [`cases`]
//! work on a small pool of other [`link`]s. Judges of any node lease cases from the database. What belongs to no
//! campaign is in the schema of the [`house`]: [`drafts`], [`mandates`], [`rounds`], the [`journal`], and the audit [`trail`]
//! and the [`messages`] of identity providers, whose rows each node adds to a [`chain`] of its own.
//!
//! # Durable means a majority
//!
//! - The [`guard`] looks at the settings of the primary on each new link, in each transaction and together with each
//!   `COMMIT`. What it refuses is never written, or never acknowledged.
//! - A commit is *unknown* if its connection was lost, or if the server warned that it did not wait for its standbys. An
//!   unknown commit is looked up in the row of this node in `nodes`, which is locked by the transaction until it ends:
//!   either it is there, and a synchronous commit after the look-up makes it durable, or it never will be.
//! - What is visible may not be replicated yet. So each batch writes, also one of duplicates only, and a receipt is read
//!   only after a synchronous commit that follows the look-up.
//! - No cancel request is ever sent: it would end the wait for the standbys as if they had answered.
//!
//! # Order of locks
//!
//! A batch locks the row of its node, then inserts its claims in their order, then its changes in the order of positions,
//! so two nodes cannot wait for each other. Where they do (an idempotency key of an office, a third node), the server
//! ends one of the two, which decides again. Changes of what belongs to a person take the [`turns`] of people, in the order
//! of their keys, before anything else.

mod address;
mod archive;
mod blocks;
mod cases;
mod chain;
mod columns;
mod committer;
mod counts;
mod drafts;
mod engine;
mod fault;
mod found;
mod gatherer;
mod guard;
mod house;
mod journal;
mod ledger;
mod link;
mod lock;
mod lock_keys;
mod mandates;
mod messages;
mod months;
mod offline;
mod pool;
mod reads;
mod rounds;
mod rows;
mod schema;
mod standing;
mod statements;
mod telephone;
mod tls;
mod trail;
mod transaction;
mod turns;
mod whole;

pub use self::{
    address::Config, archive::ReplicatedArchive, drafts::ReplicatedDrafts,
    engine::ReplicatedEngine, house::House, journal::ReplicatedJournal, ledger::ReplicatedLedger,
    mandates::ReplicatedMandates, messages::open as open_messages, offline::ReplicatedTools,
    rounds::ReplicatedRounds, trail::ReplicatedTrail,
};
