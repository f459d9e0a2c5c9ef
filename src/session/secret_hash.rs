//! Hashes under which secrets are kept: the secrets themselves are not.

use std::hash::{Hash, Hasher};

use crate::vault::Subject;

/// The first 128 bits of a secret's hash: too many for anybody to find a second secret for one of a million.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SecretHash([u8; 16]);

impl SecretHash {
    pub(super) fn of(secret: &str) -> Self {
        Self::half(&blake3::hash(secret.as_bytes()))
    }

    /// Of a visit: its keyed hash, so that nobody without the key can test whether a visit is among the hashes.
    pub(super) fn of_visit(visit: Subject) -> Self {
        Self(visit.key())
    }

    /// Its first 64 bits.
    pub(super) fn word(self) -> u64 {
        self.0.as_chunks::<8>().0.first().map_or(0, |word| u64::from_le_bytes(*word))
    }

    fn half(hash: &blake3::Hash) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&hash.as_bytes()[..16]);
        Self(half)
    }
}

impl Hash for SecretHash {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.word());
    }
}

/// A hasher that returns its input: a secret's hash is uniform already, and hashing it again costs as much as the
/// look-up.
#[derive(Clone, Copy, Default)]
pub(super) struct Unhashed(u64);

impl Hasher for Unhashed {
    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
