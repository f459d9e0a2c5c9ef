//! The book: how the ledger decides, seals and signs, whatever it is stored on.
//!
//! [`decide`](self::decide) settles what becomes of each part of a [`batch`](self::batch), [`record`](self::record) seals
//! applications and decisions, [`entry`](self::entry) lays out the narrow table, and [`sign`](self::sign) builds the signed tree
//! over a batch. Nothing here knows a store, a thread or a clock.

pub mod batch;
pub mod change;
pub(super) mod decide;
pub mod entry;
mod packing;
pub mod record;
pub mod sign;
pub mod submission;
