//! Tests that need more than the Rust toolchain: external tools, and disks that fail.
//!
//! Those with disks need the superuser. All are ignored by default; `cargo test --test outside -- --ignored` runs them.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../it/answer.rs"]
mod answer;
mod cached_pages;
mod caches;
mod console;
#[path = "../it/counts.rs"]
mod counts;
mod crossings;
mod crowd;
mod cut_disk;
#[path = "../durability/dice.rs"]
mod dice;
mod disk;
#[path = "../it/entrusting.rs"]
mod entrusting;
mod failing_sync;
mod full_disk;
#[expect(dead_code, unused_imports, reason = "other tests use the rest of it")]
#[path = "../it/harness.rs"]
mod harness;
mod machine;
mod manual;
mod no_place;
mod openid;
mod opening;
mod owner;
mod pages;
mod pipeline;
#[path = "../it/polling.rs"]
mod polling;
mod pools;
#[path = "../it/program.rs"]
mod program;
mod proxies;
mod quota;
mod running;
mod slow_sync;
mod states;
mod stranger;
mod traces;
#[path = "../it/trust.rs"]
mod trust;
