//! What a stranger does with tools of their own, and what real disks do to the real binary.
//!
//! These need more than the Rust toolchain, and the disks need the superuser, so they are ignored unless asked for:
//! `cargo test -- --ignored`.

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
mod stranger;
