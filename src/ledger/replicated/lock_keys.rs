//! The keys of all advisory locks, in one list: two uses of one key would wait for each other.

/// Bringing tables up to date: one node does it, the others wait.
pub(super) const MIGRATING: i64 = 0x5370_6f72_7465_6c00;
/// Nodes share it while they serve; a move of the ledgers has it for itself alone.
pub(super) const SERVING: i64 = 0x5370_6f72_7465_6c01;
/// The node that draws the rounds of the waiting room.
pub(super) const DRAWING: i64 = 0x5370_6f72_7465_6c02;
/// Making and dropping the partitions of months.
pub(super) const MONTHS: i64 = 0x5370_6f72_7465_6c03;
/// Removing old rows of the journal.
pub(super) const TIDYING: i64 = 0x5370_6f72_7465_6c4a;
/// Making a summary of the journal.
pub(super) const SUMMARISING: i64 = 0x5370_6f72_7465_6c4b;
