//! The rounds of the waiting room: the values of a draw, and the store of seeds.
//!
//! Seeds form chains. Within a chain, each seed is a hash of the one after it, and the *anchor* is that hash of the
//! first one. So the anchor, published before the first round, commits to every round of its chain; each revealed seed
//! proves the one before it, and nobody can compute the next one. A replaced, skipped or repeated seed breaks the
//! chain.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::fault::StorageFault;
use crate::vault::parse_hex;

/// Bytes of a seed, of its commitment and of a beacon's value.
pub const SEED_BYTES: usize = 32;
/// Drawn rounds that are kept and published, the latest ones.
pub const DRAWN_ROUNDS_MAX: usize = 64;
/// Precedes a seed in the hash that links a chain. A commitment is the hash of the seed alone, so the commitment of a
/// round can be published while the seed of the round before is still secret.
const LINK: &[u8] = b"sportello draw chain";

/// A round's seed: secret until the round is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed(pub(crate) [u8; SEED_BYTES]);

/// SHA-256 of a seed's bytes, published before anybody joins the round.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment([u8; SEED_BYTES]);

/// The value of one round of a public beacon, as it was published.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeaconValue(pub(crate) [u8; SEED_BYTES]);

/// The text does not have the 64 hexadecimal digits of a seed, commitment or beacon value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("64 hexadecimal digits are expected")]
pub struct NotHex;

/// A round that is not drawn yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its index: one more than that of the round before.
    pub index: u64,
    /// Its seed.
    pub seed: Seed,
}

/// A chain of seeds, as everybody may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Index of its first round.
    pub first: u64,
    /// Number of its rounds.
    pub rounds: u64,
    /// What the first seed is linked to.
    pub anchor: Seed,
}

/// The beacon round that was named for a round, and its value unless the round was drawn without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrawnBeacon {
    /// Number of the beacon's round.
    pub round: u64,
    /// Its value; `None` if it did not arrive in time.
    pub value: Option<BeaconValue>,
}

/// A round that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrawnRound {
    /// Its index: one more than that of the round before.
    pub round: u64,
    /// Its seed, from which the number of each person in it is made.
    pub seed: Seed,
    /// The commitment to it, published before anybody joined.
    pub commitment: Commitment,
    /// The beacon, if one was named.
    pub beacon: Option<DrawnBeacon>,
    /// How many people were in it.
    pub people: u32,
    /// When it was drawn; the store keeps whole seconds.
    #[serde(with = "in_seconds")]
    pub drawn_at: Timestamp,
}

/// What the store of rounds holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The first round that is not drawn, and the one after it.
    pub next: [Round; 2],
    /// The beacon round that was named for the first of them.
    pub beacon_round: Option<u64>,
    /// The chain of that round, and the chain after it.
    pub chains: [Chain; 2],
    /// The latest drawn rounds, oldest first, at most [`DRAWN_ROUNDS_MAX`].
    pub drawn: Vec<DrawnRound>,
}

/// Where rounds are kept. An index is never used twice, and a restart continues with the same round and the same seed.
///
/// One thread of each node draws; the calls that change something may wait for a disk or another machine.
pub trait Rounds: Send {
    /// Whether this node draws, now: of many nodes one does. May wait for another machine.
    fn leads(&mut self) -> bool {
        true
    }

    /// Takes over what another node has done.
    ///
    /// # Errors
    /// [`StorageFault`]: what it held before stays; try again later.
    fn refresh(&mut self) -> Result<(), StorageFault> {
        Ok(())
    }

    /// What it holds. Everything in it is durable, so its commitments and anchors may be published.
    fn outlook(&self) -> Outlook;

    /// Stores the beacon round for the first round that is not drawn; it is durable when this returns.
    ///
    /// # Errors
    /// [`StorageFault`]: do not publish the name; try again later.
    fn name_beacon(&mut self, beacon_round: u64) -> Result<(), StorageFault>;

    /// Ends the first round that is not drawn; that is durable when this returns.
    ///
    /// # Errors
    /// [`StorageFault`]: do not reveal the seed; try again later.
    fn end(&mut self, drawn: &DrawnRound) -> Result<(), StorageFault>;
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

    /// The seed before this one in its chain, or the anchor: SHA-256 of "sportello draw chain" and this seed.
    #[must_use]
    pub fn before(&self) -> Self {
        let mut hashing = Context::new(&SHA256);
        hashing.update(LINK);
        hashing.update(&self.0);
        let mut hash = [0; SEED_BYTES];
        hash.copy_from_slice(hashing.finish().as_ref());
        Self(hash)
    }
}

impl DrawnRound {
    /// The beacon value that its numbers are mixed with.
    #[must_use]
    pub fn mixed_with(&self) -> Option<BeaconValue> {
        self.beacon.and_then(|beacon| beacon.value)
    }
}

impl fmt::Display for DrawnRound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { round, commitment, seed, people, .. } = self;
        write!(
            formatter,
            "round {round} drawn, {people} people, commitment {commitment}, seed {seed}"
        )?;
        match self.beacon {
            None => Ok(()),
            Some(DrawnBeacon { round, value: Some(value) }) => {
                write!(formatter, ", beacon round {round}, beacon {value}")
            }
            Some(DrawnBeacon { round, value: None }) => {
                write!(formatter, ", WITHOUT its beacon round {round}")
            }
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, rounds, anchor } = self;
        write!(formatter, "anchor {anchor} of rounds {first} to {}", first + rounds - 1)
    }
}

macro_rules! hexadecimal {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                parse_hex(text).map(Self).ok_or(NotHex)
            }
        }
    )*};
}

hexadecimal!(Seed, Commitment, BeaconValue);

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

impl fmt::Debug for BeaconValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BeaconValue({self})")
    }
}

/// Times as whole seconds since 1970.
mod in_seconds {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        at: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_second())
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        Timestamp::from_second(i64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another program: `sha256sum`, and `(printf 'sportello draw chain'; xxd -r -p) | sha256sum`.
    #[test]
    fn anyone_can_recompute_a_commitment_and_a_link() {
        let seed: Seed =
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".parse().unwrap();
        assert_eq!(
            seed.commitment().to_string(),
            "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"
        );
        assert_eq!(
            seed.before().to_string(),
            "f37433ceb02257df66cdcc95f7afd5b30223f0f69c5671cc9195a6625cf6fbfc"
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
}
