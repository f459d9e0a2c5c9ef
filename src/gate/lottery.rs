//! The draw of lots: a person's number in a round, and the proof that nobody chose it.
//!
//! A round has a secret seed. Its hash, the commitment, is published before anybody is in the round; the seed follows once the
//! round is drawn. A person's number is HMAC-SHA-256 (RFC 2104) of their fiscal code under the seed, so that it depends on
//! nothing that they do: not on when, how often or from where they ask.

use std::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use thiserror::Error;

use crate::{civic::FiscalCode, vault::parse_hex};

/// Bytes of a seed, and of its commitment.
pub const SEED_BYTES: usize = 32;
/// Bytes of a number: the first of the 32 that HMAC gives.
pub const NUMBER_BYTES: usize = 8;

/// The secret of a round until it is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed([u8; SEED_BYTES]);

/// SHA-256 of a seed's bytes: published before the round, so that the seed cannot be chosen afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Commitment([u8; SEED_BYTES]);

/// A person's number in a round: the lowest goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number([u8; NUMBER_BYTES]);

/// Not a seed or commitment: 64 hexadecimal digits are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("64 hexadecimal digits are expected")]
pub struct NotHex;

impl Seed {
    /// A seed of these bytes; they have to be hard to guess.
    #[must_use]
    pub fn new(bytes: [u8; SEED_BYTES]) -> Self {
        Self(bytes)
    }

    /// What is published before the round.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        let mut hash = [0; SEED_BYTES];
        hash.copy_from_slice(digest(&SHA256, &self.0).as_ref());
        Commitment(hash)
    }

    /// The number of a person: the first eight bytes of HMAC-SHA-256(seed, fiscal code in capitals).
    #[must_use]
    pub fn number(&self, person: &FiscalCode) -> Number {
        let tag =
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), person.as_str().as_bytes());
        let mut first = [0; NUMBER_BYTES];
        first.copy_from_slice(&tag.as_ref()[..NUMBER_BYTES]);
        Number(first)
    }
}

impl Number {
    /// The part of all numbers that lie below this one, from 0 to 1: they are spread evenly.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn share_below(self) -> f64 {
        u64::from_be_bytes(self.0) as f64 / u64::MAX as f64
    }
}

macro_rules! hexadecimal {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }
    )*};
}

hexadecimal!(Seed, Commitment, Number);

macro_rules! read_hexadecimal {
    ($($name:ident),*) => {$(
        impl std::str::FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                parse_hex(text).map(Self).ok_or(NotHex)
            }
        }
    )*};
}

read_hexadecimal!(Seed, Commitment);

/// Unrevealed seeds stay out of logs.
impl fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Seed(..)")
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Commitment({self})")
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Number({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another program: `openssl dgst -sha256 -mac hmac -macopt hexkey:00..1f`, and `sha256sum`.
    #[test]
    fn anyone_can_recompute_a_number_and_a_commitment() {
        let mut bytes = [0; SEED_BYTES];
        for (byte, value) in bytes.iter_mut().zip(0..) {
            *byte = value;
        }
        let seed = Seed::new(bytes);
        let person = FiscalCode::parse("RSSMRA80A01H501U").unwrap();
        assert_eq!(seed.number(&person).to_string(), "75f9fbbda7e63158");
        assert_eq!(
            seed.commitment().to_string(),
            "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"
        );
    }

    #[test]
    fn seeds_and_commitments_are_read_as_they_are_written() {
        let seed = Seed::new([0xA5; SEED_BYTES]);
        assert_eq!(seed.to_string().parse(), Ok(seed));
        assert_eq!(seed.to_string().to_uppercase().parse(), Ok(seed));
        let commitment = seed.commitment();
        assert_eq!(commitment.to_string().parse(), Ok(commitment));
        for wrong in ["", "a5", &"g".repeat(64), &"a".repeat(63), &"a".repeat(66), &"è".repeat(32)]
        {
            assert_eq!(wrong.parse::<Seed>(), Err(NotHex), "{wrong}");
        }
        assert_eq!(format!("{seed:?}"), "Seed(..)");
    }

    #[test]
    fn numbers_are_spread_evenly() {
        let seed = Seed::new([7; SEED_BYTES]);
        let shares: Vec<f64> =
            (0..4096).map(|n| seed.number(&FiscalCode::made_up(n)).share_below()).collect();
        let mut counts = [0_usize; 8];
        for share in &shares {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
            let eighth = ((share * 8.0) as usize).min(7);
            counts[eighth] += 1;
        }
        // 512 are expected in each eighth; 7 standard deviations are 148.
        assert!(counts.iter().all(|count| count.abs_diff(512) < 148), "{counts:?}");
    }
}
