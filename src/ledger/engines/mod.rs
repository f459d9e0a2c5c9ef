//! The engines that the ledger can stand on.

pub mod files;
pub(super) mod log;
pub mod sqlite;
