//! The narrow table's entries and the signed tree over them.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Position,
    engine::{Change, Entry, SignedBatch, StoredBatch, Submission},
    keys::{Generation, HouseKeys},
    proof::{Digest, Proof, Tree, house_leaf, receipt_leaf},
    receipt::ReceiptCode,
    record::{Channel, day_number, day_of},
    seal::{Claim, KeyHash},
};
use crate::schemes::{Campaign, Outcome};

/// Bytes of a stored entry: claim, key, digest, day, channel.
const ENTRY_BYTES: usize = 16 + 16 + 32 + 4 + 1;
/// Bytes of a stored change: position, code.
const CHANGE_BYTES: usize = 4 + 1;
const WITHDRAWN_UNDECIDED: u8 = 0x10;
const WITHDRAWN_DECIDED: u8 = 0x20;
const REVISED: u8 = 0x30;
const ERASED: u8 = 0x40;

impl From<&Submission> for Entry {
    fn from(submission: &Submission) -> Self {
        Self {
            claim: submission.claim,
            key: submission.key,
            digest: submission.digest,
            channel: submission.channel,
            received_on: submission.received_on,
        }
    }
}

impl Entry {
    pub(super) fn encode_all(entries: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
        for entry in entries {
            bytes.extend_from_slice(&entry.claim.0);
            bytes.extend_from_slice(&entry.key.0);
            bytes.extend_from_slice(&entry.digest);
            bytes.extend_from_slice(&day_number(entry.received_on).to_be_bytes());
            bytes.push(entry.channel as u8);
        }
        bytes
    }

    /// The entries of a stored row, or nothing if the row is damaged.
    pub(super) fn decode_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let (rows, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        rest.is_empty().then(|| rows.iter().map(Self::decode).collect())?
    }

    /// The leaf of its receipt.
    pub(super) fn leaf(&self, code: ReceiptCode) -> Digest {
        receipt_leaf(&code.to_string(), &self.received_on.to_string(), &self.digest)
    }

    fn decode(row: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let (claim, rest) = row.split_first_chunk::<16>()?;
        let (key, rest) = rest.split_first_chunk::<16>()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let (day, channel) = rest.split_first_chunk::<4>()?;
        Some(Self {
            claim: Claim(*claim),
            key: KeyHash(*key),
            digest: *digest,
            received_on: day_of(i32::from_be_bytes(*day))?,
            channel: Channel::from_byte(channel[0])?,
        })
    }
}

impl Change {
    pub(super) fn encode_all(changes: &[(Position, Self)]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(changes.len() * CHANGE_BYTES);
        for (position, change) in changes {
            bytes.extend_from_slice(&position.0.to_be_bytes());
            bytes.push(match change {
                Self::Decided(outcome) => *outcome as u8,
                Self::Revised(outcome) => REVISED | *outcome as u8,
                Self::Withdrawn(None) => WITHDRAWN_UNDECIDED,
                Self::Withdrawn(Some(outcome)) => WITHDRAWN_DECIDED | *outcome as u8,
                Self::Erased => ERASED,
            });
        }
        bytes
    }

    /// The changes of a stored row, or nothing if the row is damaged.
    pub(super) fn decode_all(bytes: &[u8]) -> Option<Vec<(Position, Self)>> {
        let (rows, rest) = bytes.as_chunks::<CHANGE_BYTES>();
        rest.is_empty().then(|| rows.iter().copied().map(Self::decode).collect())?
    }

    fn decode(row: [u8; CHANGE_BYTES]) -> Option<(Position, Self)> {
        let (position, code) = row.split_first_chunk::<4>()?;
        let outcome = || Outcome::ALL.get(usize::from(code[0] & 0x0f)).copied();
        let change = match code[0] & 0xf0 {
            0 => Self::Decided(outcome()?),
            WITHDRAWN_UNDECIDED => Self::Withdrawn(None),
            WITHDRAWN_DECIDED => Self::Withdrawn(Some(outcome()?)),
            REVISED => Self::Revised(outcome()?),
            ERASED => Self::Erased,
            _ => return None,
        };
        Some((Position(u32::from_be_bytes(*position)), change))
    }
}

impl HouseKeys {
    /// The tree over a batch, its receipts and what the house adds, and the receipts' codes in the order of their positions.
    pub(super) fn tree(
        &self,
        campaign: Campaign,
        batch: &Contents<'_>,
    ) -> (Tree, Vec<ReceiptCode>) {
        let code = |offset| self.receipt(campaign, Position(batch.first.0 + offset));
        let codes: Vec<_> = (0..).map(code).take(batch.entries.len()).collect();
        let mut leaves = Vec::with_capacity(batch.entries.len() + 1);
        leaves.push(house_leaf(
            batch.previous_root,
            batch.written_at,
            batch.encoded,
            batch.changes,
        ));
        leaves.extend(codes.iter().zip(batch.entries).map(|(code, entry)| entry.leaf(*code)));
        (Tree::of(leaves), codes)
    }

    /// The house's signature over a root, by its newest key.
    pub(super) fn sign_root(&self, root: &Digest) -> String {
        let ring = self.ring();
        ring.last().map(|newest| newest.sign_root(root)).unwrap_or_default()
    }

    /// Whether a signature over a root is the house's, by any of its keys. Ed25519 gives the same signature every time, so
    /// signing again tells, at a third of the cost of verifying.
    pub(super) fn signed_root(&self, root: &Digest, signature: &str) -> bool {
        self.ring().iter().rev().any(|generation| generation.sign_root(root) == signature)
    }
}

impl Generation {
    fn sign_root(&self, root: &Digest) -> String {
        format!("ed25519=:{}:", STANDARD.encode(self.signing.sign(root).as_ref()))
    }
}

/// What a batch's tree stands over.
pub(super) struct Contents<'b> {
    pub(super) first: Position,
    pub(super) entries: &'b [Entry],
    /// The same, encoded.
    pub(super) encoded: &'b [u8],
    /// Encoded.
    pub(super) changes: &'b [u8],
    /// Seconds since 1970.
    pub(super) written_at: i64,
    pub(super) previous_root: &'b Digest,
}

impl StoredBatch {
    /// Its tree, made again.
    pub(super) fn tree(&self, keys: &HouseKeys, campaign: Campaign) -> (Tree, Vec<ReceiptCode>) {
        let Self { first, written_at, ref entries, ref previous_root, .. } = *self;
        let changes = Change::encode_all(&self.changes);
        let encoded = Entry::encode_all(entries);
        let contents = Contents {
            first,
            entries,
            encoded: &encoded,
            changes: &changes,
            written_at,
            previous_root,
        };
        keys.tree(campaign, &contents)
    }
}

impl SignedBatch {
    /// The tree of a stored batch, made again.
    pub(super) fn restored(keys: &HouseKeys, campaign: Campaign, stored: StoredBatch) -> Arc<Self> {
        let (tree, codes) = stored.tree(keys, campaign);
        Arc::new(Self { first: stored.first, codes, tree, signature: stored.signature })
    }

    /// The code of the receipt at a position.
    pub(super) fn code(&self, position: Position) -> Option<ReceiptCode> {
        self.codes.get(position.0.checked_sub(self.first.0)? as usize).copied()
    }

    pub(super) fn proof(&self, leaf: &Digest) -> Option<Proof> {
        Some(Proof {
            path: self.tree.path(leaf)?,
            root: STANDARD.encode(self.tree.root()),
            signature: self.signature.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_changes_come_back_as_they_were_and_damage_is_seen() {
        let entry = |n: u8| Entry {
            claim: Claim([n; 16]),
            key: KeyHash([n + 1; 16]),
            digest: [n + 2; 32],
            channel: Channel::ALL[usize::from(n % 2)],
            received_on: jiff::civil::date(2024, 9, i8::try_from(n).unwrap()),
        };
        let entries: Vec<_> = (1..5).map(entry).collect();
        let bytes = Entry::encode_all(&entries);
        assert_eq!(Entry::decode_all(&bytes), Some(entries));
        assert_eq!(Entry::decode_all(&bytes[1..]), None);

        let mut changes: Vec<_> =
            Outcome::ALL.map(|outcome| (Position(7), Change::Decided(outcome))).into();
        changes.extend(Outcome::ALL.map(|outcome| (Position(8), Change::Withdrawn(Some(outcome)))));
        changes.extend(Outcome::ALL.map(|outcome| (Position(9), Change::Revised(outcome))));
        changes.push((Position(10), Change::Erased));
        changes.push((Position(u32::MAX), Change::Withdrawn(None)));
        let bytes = Change::encode_all(&changes);
        assert_eq!(Change::decode_all(&bytes), Some(changes));
        assert_eq!(Change::decode_all(&[0, 0, 0, 1, 0xff]), None);
    }
}
