//! Tests of the ledger on simulated disks that lose, tear, reorder or corrupt writes.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod check;
mod damage;
mod dice;
mod disk;
mod power_cut;
mod trace;
mod writer;
