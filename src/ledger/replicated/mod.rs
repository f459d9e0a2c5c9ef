//! The engine of many machines: `PostgreSQL` with synchronous quorum replication.
//!
//! Each [`campaign`] is a [`schema`] with its ledger. What belongs to no campaign is in the schema of the [`house`]: drafts
//! and mandates of [`people`], [`rounds`], the [`journal`], and the audit [`trail`] and the [`messages`] of identity
//! providers, whose rows each node adds to a [`chain`] of its own. All go over [`link`]s, most of them from a [`pool`].
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
//! ends one of the two, which decides again. Changes of what belongs to a person take the turns of these people, in the order
//! of their keys, before anything else.

mod address;
mod archive;
mod campaign;
mod chain;
mod fault;
mod guard;
mod house;
mod journal;
mod link;
mod lock;
mod lock_keys;
mod messages;
mod months;
mod offline;
mod people;
mod pool;
mod rounds;
mod schema;
mod tls;
mod trail;
mod whole;

pub use self::{
    address::Config,
    archive::ReplicatedArchive,
    campaign::{ReplicatedEngine, ReplicatedLedger},
    house::House,
    journal::ReplicatedJournal,
    messages::open as open_messages,
    offline::ReplicatedTools,
    people::{ReplicatedDrafts, ReplicatedMandates},
    rounds::ReplicatedRounds,
    trail::ReplicatedTrail,
};
