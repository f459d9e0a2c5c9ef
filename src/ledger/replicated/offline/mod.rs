//! The commands for operators, on ledgers in the database.
//!
//! [`ReplicatedTools`] runs them one at a time on the thread that calls. Whatever reads a whole campaign reads one snapshot
//! of it, a bounded number of rows at a time, while servers write.

mod alone;
mod chains;
mod chains_from_files;
mod chains_into_files;
mod erasing;
mod filed;
mod from_files;
mod held;
mod into_files;
mod migrating;
mod moving_ledger;
mod plain;
mod receipts;
mod records;
mod rows;
mod stores;
mod strays;
mod tabled;
mod tools;
mod walk;
mod way;

pub use self::tools::ReplicatedTools;
