//! Three counters on three PostgreSQL servers, each in a network namespace of its own, while parts of it fail: what people
//! are told over HTTPS stays true.
//!
//! Ignored by default; `cargo test --features postgres --test counters -- --ignored --nocapture` runs it as the superuser.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../it/answer.rs"]
mod answer;
mod client;
mod counter;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../durability/dice.rs"]
mod dice;
mod ending;
mod house;
mod nemesis;
mod people;
mod person;
mod rolling;
mod waiting;
