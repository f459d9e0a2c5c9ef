//! The ledger of many machines on real servers: a primary and two standbys for each test, on this machine.
//!
//! `cargo test --features postgres --test postgres`. They need the programs of `PostgreSQL` 14 or newer, and fail without them.
//! As the superuser, which `PostgreSQL` refuses to serve, they start them as the user `postgres`.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

mod cluster;
#[path = "../it/contract.rs"]
mod contract;
#[path = "../it/contract_of_drafts.rs"]
mod contract_of_drafts;
#[path = "../it/contract_of_mandates.rs"]
mod contract_of_mandates;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../durability/dice.rs"]
mod dice;
mod drafts;
mod entering;
mod failing;
mod guarding;
mod judging;
mod mandates;
mod node;
mod nodes;
mod rounds;
mod sessions;
mod summaries;
mod tools;
mod trail;
