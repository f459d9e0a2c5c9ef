//! The draw: a person's number in a round, and the proof that nobody could choose it.
//!
//! A round has a secret seed. Its hash, the commitment, is published before anybody joins the round, and the seed after
//! the draw. A person's number is HMAC-SHA-256 (RFC 2104) of their fiscal code under the seed, so it depends on nothing
//! that they do: not on when, how often or from where they ask.

use std::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use jiff::Timestamp;
use thiserror::Error;

use crate::{
    civic::FiscalCode,
    vault::{HouseKeys, parse_hex},
};

/// Bytes of a seed, and of its commitment.
pub const SEED_BYTES: usize = 32;
/// Bytes of a number: the first 8 of the 32 bytes of the HMAC.
pub const NUMBER_BYTES: usize = 8;

/// A round's seed: secret until the round is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed([u8; SEED_BYTES]);

/// SHA-256 of a seed's bytes, published before the round, so that the seed cannot be chosen afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Commitment([u8; SEED_BYTES]);

/// A person's number in a round: the lowest enters first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number([u8; NUMBER_BYTES]);

/// The text is not a seed or commitment, which has 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("64 hexadecimal digits are expected")]
pub struct NotHex;

/// A round that nobody has joined yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextRound {
    /// Its name: greater than that of every round before.
    pub name: u64,
    /// Its seed, and thereby its commitment.
    pub seed: Seed,
}

/// The source of rounds.
///
/// A single node derives them from the house's secret; nodes with a common waiting room need a common source.
pub trait Rounds: Send + Sync {
    /// The round after the one with the name `last`, or the first one if that is 0. `now` only helps to name it.
    ///
    /// The waiting room calls this under its lock: an implementation must not wait for a disk or another machine.
    fn after(&self, last: u64, now: Timestamp) -> NextRound;
}

impl Rounds for HouseKeys {
    /// Named after the current second, or one more than `last` if that is greater. The seed is a keyed hash of the
    /// name.
    fn after(&self, last: u64, now: Timestamp) -> NextRound {
        let name = u64::try_from(now.as_second()).unwrap_or(0).max(last + 1);
        NextRound { name, seed: Seed::new(self.draw_seed(name)) }
    }
}

impl Seed {
    /// A seed of these bytes, which must be unpredictable.
    #[must_use]
    pub fn new(bytes: [u8; SEED_BYTES]) -> Self {
        Self(bytes)
    }

    /// The commitment to this seed.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        let mut hash = [0; SEED_BYTES];
        hash.copy_from_slice(digest(&SHA256, &self.0).as_ref());
        Commitment(hash)
    }

    /// A person's number: the first 8 bytes of HMAC-SHA-256(seed, fiscal code in capitals).
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
    /// The share of all numbers that are below this one, from 0 to 1: numbers are uniform.
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

/// Hides the seed: one that is not revealed yet must not be logged.
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
    fn rounds_have_rising_names_and_seeds_of_their_own() {
        let house = HouseKeys::from_master(&[7; 32]);
        let at = |second| Timestamp::from_second(second).unwrap();
        let first = house.after(0, at(1_726_500_600));
        assert_eq!(first.name, 1_726_500_600);
        assert_eq!(first, house.after(0, at(1_726_500_600)));
        let same_second = house.after(first.name, at(1_726_500_600));
        let clock_set_back = house.after(same_second.name, at(1));
        assert_eq!([same_second.name, clock_set_back.name], [1_726_500_601, 1_726_500_602]);
        assert!(first.seed != same_second.seed && same_second.seed != clock_set_back.seed);
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
