//! The book: how the ledger decides, seals and signs, on every engine.
//!
//! [`decide`] settles each part of a [`batch`]; [`record`] seals applications and decisions with the house keys;
//! [`entry`] encodes the narrow table, which holds what the index and the proofs need; [`sign`] builds the signed tree
//! over a batch. Nothing here knows a store, a thread or a clock.

pub mod batch;
pub mod change;
pub(super) mod decide;
pub mod entry;
pub(in crate::ledger) mod history;
mod packing;
pub mod record;
pub mod sign;
pub mod submission;
