//! The engines that the ledger can stand on.

pub mod sqlite;
