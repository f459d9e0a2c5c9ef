//! The messages with which identity providers signed people in: kept sealed for 24 months, then removed.
//!
//! SPID and CIE ask every service to keep them, so that it can be shown later what a provider said of whom. One file a
//! month (Europe/Rome), next to the trail, exists from the month's first sign-in on. A row is one attempt to sign in: the
//! handle of its session, the keyed hash of the person whom its messages name, the messages sealed for that person, and
//! the root that chains it to the row before. An attempt that names nobody is sealed for its own visit.
//!
//! [`MessageStore`] has them written, on a thread of its own; [`MessageSearch`] reads the files. As in the trail, a failed
//! write or sync is final for this process: nobody is signed in by a provider from then on, because it could not be
//! recorded.

mod attempt;
mod file;
mod search;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub(in crate::ledger) use self::file::MessageRow;
#[cfg(feature = "postgres")]
pub(in crate::ledger) use self::{
    attempt::{Attempt, MessageWriter},
    file::MONTHS_KEPT,
};
pub use self::{
    search::{FoundMessages, MessageSearch, inspect},
    store::{LoginMessages, MessageStore, NotRecorded},
};
