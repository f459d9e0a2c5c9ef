//! The engines that the ledger can stand on.

pub mod files;
mod log;
pub mod sqlite;
