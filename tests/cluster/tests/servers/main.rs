//! Real PostgreSQL servers that fail on command: the facts on which the replicated ledger rests, and clients that
//! meet faults.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod controls;
mod facts;
mod failover;
mod kit;
mod nemesis;
mod reference;
mod session;
