//! The audit trail: who was shown or changed whose data, and when, in a hash chain that reveals every change.
//!
//! What changes an application is in its campaign's ledger, with its time and actor, under the ledger's signed chain.
//! The trail holds the rest: every showing, every draft, every request to withdraw, and what operators did. The event of
//! a showing to somebody else is written and synced *before* the data leaves. What people do with their own data is
//! taken by the writer before it is answered, and written within [`Config::own_wait_ms`] together with what others do:
//! a kill may lose so much of it. [`Search`] combines the trail with the ledgers.
//!
//! [`Trail`] is what the intake sees. [`LocalTrail`] stores it on this machine: one file a month (Europe/Rome), next to
//! the ledgers; a month older than the law requires is removed as a whole. A row is one commit: some events, the people
//! who appear for the first time, the root that chains it to the row before, and the signature. People are keyed
//! hashes; their names are sealed. The engine of many machines stores the same rows in its database, a chain for each node;
//! what gathers events into rows, and what resolves what was found, is here for both. If such a trail is moved into files, they
//! hold the chains of its nodes, what commands did names their ends, and this machine goes on with a chain of its own.
//!
//! [`MessageStore`] keeps the messages that identity providers sent, apart from the trail: they are larger, and searched
//! by person or session.
//!
//! Promise 1 holds for the trail of a machine too: a failed write or sync is final for this process. Reading continues then;
//! events that could not be written are logged, and an alarm is raised.

mod archive;
mod chain;
mod config;
mod event;
mod found;
mod gathered;
pub(in crate::ledger) mod heads;
mod local;
mod messages;
mod month;
#[cfg(feature = "postgres")]
mod month_copy;
mod naming;
mod pending;
mod recorder;
mod row;
mod search;
mod state;
pub(in crate::ledger) mod stored;
#[cfg(test)]
mod tests;
mod whole;
mod writer;

use futures_util::future::BoxFuture;

pub use self::{
    archive::{Archive, LocalArchive},
    config::Config,
    event::{Action, Event, Object, Who},
    found::{Line, SearchFault},
    local::LocalTrail,
    messages::{
        FoundMessages, LoginMessages, MessageSearch, MessageStore, NotRecorded,
        inspect as inspect_messages,
    },
    naming::name_ends,
    pending::QueueFull,
    row::note_command,
    search::{Search, controls, inspect},
};
#[cfg(feature = "postgres")]
pub(super) use self::{
    chain::{Chained, End, Walk},
    event::StoredActor,
    found::{Found, Names as ActorNames, Person, add_names, name_of},
    gathered::{Gathered, Names, RowWriter},
    messages::{Attempt, MONTHS_KEPT as MESSAGES_MONTHS_KEPT, MessageWriter},
    month::Month,
    month_copy::MonthCopy,
    recorder::Recorder,
    state::WriterState,
};
pub(super) use self::{messages::MessageRow, row::TrailRow};
use super::fault::Untraced;
use crate::{civic::FiscalCode, schemes::Campaign, vault::Subject};

/// Where the audit trail is written.
pub trait Trail: Send + Sync {
    /// Records that `who` performs `action` on the data of `subject`. The event is durable when this returns, so call
    /// it before the data leaves. If the trail of this machine has failed, the event is logged instead.
    ///
    /// # Errors
    /// [`Untraced`] if a trail on other machines does not answer in time: refuse it. The event may be recorded nevertheless.
    fn note<'a>(
        &'a self,
        action: Action,
        subject: Subject,
        who: Who<'a>,
        object: Object,
    ) -> BoxFuture<'a, Result<(), Untraced>>;

    /// Records within [`Config::own_wait_ms`] that `who` performs `action` on the data of `subject`. Returns at once. If
    /// the trail has failed, the event is logged instead.
    ///
    /// # Errors
    /// [`QueueFull`]: await [`note`](Self::note), or let it be [`lost`](QueueFull::lost).
    fn note_soon(
        &self,
        action: Action,
        subject: Subject,
        who: Who<'_>,
        object: Object,
    ) -> Result<(), QueueFull>;

    /// Records what an operator, or the server itself, did. Returns at once.
    fn control(&self, what: &str);

    /// What was done to a person's data, oldest first, from the trail and from the ledgers of `campaigns`. Reads all of
    /// them, which takes seconds in a large house.
    ///
    /// # Errors
    /// [`SearchFault`].
    fn done_to(
        &self,
        person: FiscalCode,
        campaigns: Vec<Campaign>,
    ) -> BoxFuture<'_, Result<Vec<Line>, SearchFault>>;

    /// Whether the trail can no longer be written, for good.
    fn failed(&self) -> bool;

    /// Writes what was recorded, and closes the trail. Blocks until that is done.
    fn close(&self);
}
