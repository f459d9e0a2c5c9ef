//! The shipped configuration of Patroni, tried: three nodes with etcd on loopback, a server on them, and what people see of
//! a failover.
//!
//! Ignored by default; `cargo test --features postgres --test patroni -- --ignored --nocapture` runs it as the superuser.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../it/answer.rs"]
mod answer;
mod cluster;
#[path = "../it/counts.rs"]
mod counts;
mod crowd;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../durability/dice.rs"]
mod dice;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../it/entrusting.rs"]
mod entrusting;
mod failover;
#[expect(dead_code, unused_imports, reason = "other tests use the rest of it")]
#[path = "../it/harness.rs"]
mod harness;
mod node;
#[path = "../it/polling.rs"]
mod polling;
#[path = "../it/program.rs"]
mod program;
#[path = "../it/trust.rs"]
mod trust;
