//! The engines that the ledger can stand on.

pub mod files;
pub mod sqlite;
