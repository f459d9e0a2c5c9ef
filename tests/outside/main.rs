//! Tests that need more than the Rust toolchain: other people's tools, and real disks that fail.
//!
//! Those with disks need the superuser. All are ignored unless asked for: `cargo test -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod crowd;
mod cut_disk;
mod disk;
mod failing_sync;
mod full_disk;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../it/harness.rs"]
mod harness;
mod no_place;
mod proxies;
mod stranger;
