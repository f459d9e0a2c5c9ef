//! Codes that were redeemed lately: a code works once, whatever its provider does about it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};

use super::login::LOGIN_SECONDS;

/// Codes that are remembered, about 50 bytes each: ten minutes at 1,600 people a second.
const CODES_MAX: usize = 1_000_000;
/// Bytes of a code's hash.
const HASH_BYTES: usize = 16;

/// What becomes of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spending {
    /// It is redeemed for the first time.
    First,
    /// It was redeemed before.
    Again,
    /// Too many codes were redeemed lately.
    Full,
}

/// The hashes of redeemed codes, and when each was, in seconds since 1970. The lock is held for a look-up, or once in a
/// while for a sweep of all.
#[derive(Default)]
pub(super) struct Spent(Mutex<HashMap<[u8; HASH_BYTES], i64>>);

impl Spent {
    /// Redeems a code that was issued for `state`.
    pub(super) fn spend(&self, state: &str, code: &str, now: i64) -> Spending {
        let hash = digest(&SHA256, format!("{state} {code}").as_bytes());
        let mut short = [0; HASH_BYTES];
        short.copy_from_slice(&hash.as_ref()[..HASH_BYTES]);
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if codes.len() >= CODES_MAX {
            let oldest = now.saturating_sub(i64::from(LOGIN_SECONDS));
            codes.retain(|_, at| *at > oldest);
            if codes.len() >= CODES_MAX {
                return Spending::Full;
            }
        }
        match codes.insert(short, now) {
            None => Spending::First,
            Some(_) => Spending::Again,
        }
    }
}
