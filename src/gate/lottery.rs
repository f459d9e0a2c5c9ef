//! The draw: a person's number in a round, and the proof that nobody could choose it.
//!
//! A round has a secret seed. Its hash, the commitment, is published before anybody joins the round, and the seed after
//! the draw. A person's number is HMAC-SHA-256 (RFC 2104) of their fiscal code under the seed, so it depends on nothing
//! that they do: not on when, how often or from where they ask. Where rounds are mixed with a public beacon, it is the
//! HMAC of that number under the beacon's value, which did not exist when the last person joined the round.

use std::fmt;

use aws_lc_rs::hmac;

use crate::{
    civic::FiscalCode,
    ledger::rounds::{BeaconValue, Seed},
};

/// Bytes of a number: the first 8 of the 32 bytes of the HMAC.
pub const NUMBER_BYTES: usize = 8;

/// A person's number in a round: the lowest enters first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number([u8; NUMBER_BYTES]);

impl Seed {
    /// A person's number: the first 8 bytes of HMAC-SHA-256(seed, fiscal code in capitals).
    #[must_use]
    pub fn number(&self, person: &FiscalCode) -> Number {
        Number::of(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), person.as_str().as_bytes())
    }
}

/// Mixes numbers with a beacon's value.
pub struct Mixer(hmac::Key);

impl Mixer {
    /// A mixer for one round.
    #[must_use]
    pub fn new(beacon: BeaconValue) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &beacon.0))
    }

    /// The number in a round with this beacon: the first 8 bytes of HMAC-SHA-256(beacon value, number).
    #[must_use]
    pub fn mix(&self, number: Number) -> Number {
        Number::of(&self.0, &number.0)
    }
}

impl Number {
    /// The number that these bytes stand for.
    #[must_use]
    pub fn from_bytes(bytes: [u8; NUMBER_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; NUMBER_BYTES] {
        self.0
    }

    fn of(key: &hmac::Key, message: &[u8]) -> Self {
        let mut first = [0; NUMBER_BYTES];
        first.copy_from_slice(&hmac::sign(key, message).as_ref()[..NUMBER_BYTES]);
        Self(first)
    }

    /// The share of all numbers that are below this one, from 0 to 1: numbers are uniform.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn share_below(self) -> f64 {
        u64::from_be_bytes(self.0) as f64 / u64::MAX as f64
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
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
    use crate::ledger::rounds::SEED_BYTES;

    /// Computed with another program: `openssl dgst -sha256 -mac hmac -macopt hexkey:00..1f`, and with `hexkey:20..3f`
    /// of the first 8 bytes.
    #[test]
    fn anyone_can_recompute_a_number() {
        let seed: Seed =
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".parse().unwrap();
        let person = FiscalCode::parse("RSSMRA80A01H501U").unwrap();
        let number = seed.number(&person);
        assert_eq!(number.to_string(), "75f9fbbda7e63158");
        let beacon =
            "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f".parse().unwrap();
        assert_eq!(Mixer::new(beacon).mix(number).to_string(), "2465ab197b79f687");
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
