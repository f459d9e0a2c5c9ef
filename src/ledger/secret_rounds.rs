//! The rounds with their secrets, as every store keeps them: sealed, and replaced as a whole at each step.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rounds::{Chain, DRAWN_ROUNDS_MAX, DrawnRound, Outlook, Round, SEED_BYTES, Seed};
use crate::vault::{HouseKeys, Place, Subject, fill_random};

/// Rounds of one chain: more than 22 hours at a draw every 5 seconds, and 3 ms to compute a seed from the last one.
pub(super) const CHAIN_ROUNDS: u64 = 16_384;
/// The header of what is sealed: its version.
const HEADER: [u8; 1] = [1];
/// The subject of the seal: rounds belong to no person.
const NOBODY: Subject = Subject([0; 16]);

/// All rounds, secret until they are drawn.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SecretRounds {
    /// The chain of the next round, and the one after it, whose anchor is already public.
    chains: [SecretChain; 2],
    next: u64,
    beacon_round: Option<u64>,
    drawn: VecDeque<DrawnRound>,
}

/// A chain with its secret.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct SecretChain {
    first: u64,
    rounds: u64,
    /// The seed of its last round, which is random. It determines all the others.
    last: Seed,
}

/// Why sealed rounds cannot be opened.
#[derive(Debug)]
pub(super) enum SealFault {
    /// A later release wrote them.
    Version,
    /// They were sealed with another key.
    OtherKey,
    /// They are none.
    Damaged(String),
}

impl SecretRounds {
    /// Before the first round. Its index is the current second: a round takes at least a second, so this is above every
    /// index of rounds that were lost.
    pub(super) fn beginning(real_now: Timestamp, chain_rounds: u64) -> Self {
        let next = u64::try_from(real_now.as_second()).unwrap_or(0);
        let chain = SecretChain::fresh(next, chain_rounds);
        let chains = [chain, SecretChain::fresh(chain.end(), chain_rounds)];
        Self { chains, next, beacon_round: None, drawn: VecDeque::new() }
    }

    pub(super) fn outlook(&self) -> Outlook {
        let Self { chains, next, beacon_round, drawn } = self;
        Outlook {
            next: [*next, next + 1]
                .map(|index| Round { index, seed: self.chain_of(index).seed(index) }),
            beacon_round: *beacon_round,
            chains: chains.map(|chain| chain.public()),
            drawn: drawn.iter().copied().collect(),
        }
    }

    /// With a beacon round for the next round.
    pub(super) fn naming(&self, beacon_round: u64) -> Self {
        Self { beacon_round: Some(beacon_round), ..self.clone() }
    }

    /// After the next round was drawn.
    pub(super) fn ending(&self, drawn: &DrawnRound, chain_rounds: u64) -> Self {
        let mut ended = self.clone();
        if ended.drawn.len() == DRAWN_ROUNDS_MAX {
            ended.drawn.pop_front();
        }
        ended.drawn.push_back(*drawn);
        (ended.next, ended.beacon_round) = (ended.next + 1, None);
        let [chain, following] = ended.chains;
        if ended.next == chain.end() {
            ended.chains = [following, SecretChain::fresh(following.end(), chain_rounds)];
        }
        ended
    }

    pub(super) fn seal(&self, keys: &HouseKeys) -> Vec<u8> {
        let plain = serde_json::to_vec(self).expect("numbers have a JSON form");
        keys.seal(Place::Rounds, NOBODY, &HEADER, &plain)
    }

    /// Opens what [`seal`](Self::seal) returned.
    ///
    /// # Errors
    /// [`SealFault`].
    pub(super) fn open(keys: &HouseKeys, sealed: &[u8]) -> Result<Self, SealFault> {
        if !sealed.starts_with(&HEADER) {
            return Err(SealFault::Version);
        }
        let plain = keys
            .open(Place::Rounds, NOBODY, HEADER.len(), sealed)
            .map_err(|_| SealFault::OtherKey)?;
        serde_json::from_slice(&plain).map_err(|fault| SealFault::Damaged(fault.to_string()))
    }

    fn chain_of(&self, index: u64) -> &SecretChain {
        let [chain, following] = &self.chains;
        if index < chain.end() { chain } else { following }
    }
}

impl SecretChain {
    fn fresh(first: u64, rounds: u64) -> Self {
        let mut last = [0; SEED_BYTES];
        fill_random(&mut last);
        Self { first, rounds, last: Seed::new(last) }
    }

    /// The first index after it.
    fn end(&self) -> u64 {
        self.first + self.rounds
    }

    fn seed(&self, index: u64) -> Seed {
        (index + 1..self.end()).fold(self.last, |seed, _| seed.before())
    }

    fn public(&self) -> Chain {
        let anchor = self.seed(self.first).before();
        Chain { first: self.first, rounds: self.rounds, anchor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_shows_no_seed_and_opens_with_the_same_keys_alone() {
        let keys = HouseKeys::from_master(&[7; 32]);
        let rounds = SecretRounds::beginning(Timestamp::UNIX_EPOCH, 5);
        let sealed = rounds.seal(&keys);
        let plain = serde_json::to_vec(&rounds.chains[0].last).unwrap();
        assert!(!sealed.windows(plain.len()).any(|part| part == plain));
        let opened = SecretRounds::open(&keys, &sealed).unwrap();
        assert_eq!(opened.outlook(), rounds.outlook());
        let others = HouseKeys::from_master(&[8; 32]);
        assert!(matches!(SecretRounds::open(&others, &sealed), Err(SealFault::OtherKey)));
        assert!(matches!(SecretRounds::open(&keys, &[2]), Err(SealFault::Version)));
    }
}
