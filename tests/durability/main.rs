//! The ledger on disks that lose, tear, mix up and change what they were given.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod check;
mod damage;
mod dice;
mod disk;
mod power_cut;
mod trace;
mod writer;
