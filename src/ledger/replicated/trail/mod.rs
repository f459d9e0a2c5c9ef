//! The audit trail in the database: a chain of signed rows for each node, searched and verified together.
//!
//! The rows, their hashes and their signatures are those of the files (see [`audit`](crate::ledger::audit)); the months of a
//! node are what the files of one machine are. An event of a showing to somebody else is on a majority of servers before the
//! data leave. While the database is away, who would have to wait longer than the bound is refused, and everything resumes
//! by itself.

mod commands;
mod heads;
mod rows;
mod search;
mod store;
mod verify;
mod writer;

pub use self::store::ReplicatedTrail;
pub(super) use self::{
    commands::note_command,
    rows::{FoundBy, read_row},
    search::{Search, controls},
    verify::inspect,
    writer::MONTHLY,
};

/// The text as the database takes it.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
