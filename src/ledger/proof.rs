//! Receipts that prove themselves: one signed Merkle root per batch. Leaves are sorted, so that a path shows no order.
//!
//! Hashing follows RFC 9162, section 2.1.1: a leaf is `SHA-256(0x00 ‖ data)`, a node `SHA-256(0x01 ‖ left ‖ right)`.
//! Each batch also has a house leaf: it covers the root of the batch before, the time of writing, the entries (claims,
//! keys, digests) and the changes of the batch. So the roots form a chain, and a record that is removed or inserted
//! later breaks it.

use aws_lc_rs::{
    digest::{Context, SHA256, digest},
    signature::{ED25519, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Characters of the longest step of a path: `right:` and a digest in base 64.
const STEP_CHARACTERS_MAX: usize = 6 + 44;

/// The path from a receipt's leaf to a signed root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Sibling hashes from the leaf upwards, each with its side: `left:BASE64` or `right:BASE64`.
    pub path: Vec<String>,
    /// The root at the end of the path, base 64.
    pub root: String,
    /// The Ed25519 signature over the root, `ed25519=:BASE64:`.
    pub signature: String,
}

/// The SHA-256 digest of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    as_digest(digest(&SHA256, bytes).as_ref())
}

/// A digest in the form of RFC 9530: `sha-256=:BASE64:`.
#[must_use]
pub fn content_digest(digest: &Digest) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest))
}

/// The leaf of a receipt: the hash of its code, its filing date and the digest of the application.
#[must_use]
pub fn receipt_leaf(receipt: &str, received_on: &str, digest: &Digest) -> Digest {
    hash(&[&[0], receipt.as_bytes(), b"\n", received_on.as_bytes(), b"\n", digest])
}

/// The house leaf of a batch: the hash of the previous root, the time of writing (seconds since 1970), and the encoded
/// entries and changes.
#[must_use]
pub(super) fn house_leaf(
    previous_root: &Digest,
    written_at: i64,
    entries: &[u8],
    changes: &[u8],
) -> Digest {
    let entries_bytes = (entries.len() as u64).to_be_bytes();
    let written_at = written_at.to_be_bytes();
    hash(&[&[0], b"house\n", previous_root, &written_at, &entries_bytes, entries, changes])
}

/// The root of a row of the audit trail. It is a hash chain without a tree, because nobody needs a path into it.
#[must_use]
pub(super) fn trail_root(previous_root: &Digest, written_at: i64, parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(b"trail\n");
    context.update(previous_root);
    context.update(&written_at.to_be_bytes());
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    as_digest(context.finish().as_ref())
}

/// The Merkle tree over the sorted leaves of one batch.
pub(super) struct Tree {
    /// From the leaves (first) to the root (last).
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// Builds the tree. There is always one leaf at least: the house leaf.
    pub(super) fn of(mut leaves: Vec<Digest>) -> Self {
        leaves.sort_unstable();
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node(left, right),
                    // A node without a sibling moves up unchanged; this gives the tree of RFC 9162 for any number of
                    // leaves.
                    single => single[0],
                })
                .collect();
            levels.push(above);
        }
        Self { levels }
    }

    pub(super) fn root(&self) -> Digest {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_default()
    }

    /// The path of a leaf; `None` if the tree does not hold it.
    pub(super) fn path(&self, leaf: &Digest) -> Option<Vec<String>> {
        let mut place = self.levels[0].binary_search(leaf).ok()?;
        let mut path = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            if let Some(sibling) = level.get(place ^ 1) {
                let side = if place % 2 == 1 { "left:" } else { "right:" };
                let mut step = String::with_capacity(STEP_CHARACTERS_MAX);
                step.push_str(side);
                STANDARD.encode_string(sibling, &mut step);
                path.push(step);
            }
            place /= 2;
        }
        Some(path)
    }
}

impl Proof {
    /// Whether the path leads from `leaf` to a root that was signed with one of the keys.
    #[must_use]
    pub fn holds_for(&self, leaf: Digest, public_keys: &[Vec<u8>]) -> bool {
        self.root_of(leaf).is_some_and(|root| self.is_signed(&root, public_keys))
    }

    /// The root to which the path leads from `leaf`; `None` if it is not the root that this proof names.
    #[must_use]
    pub fn root_of(&self, leaf: Digest) -> Option<Digest> {
        let mut hash = leaf;
        for step in &self.path {
            let (side, sibling) = step.split_once(':')?;
            let sibling = decode_digest(sibling)?;
            hash = match side {
                "left" => node(&sibling, &hash),
                "right" => node(&hash, &sibling),
                _ => return None,
            };
        }
        (decode_digest(&self.root)? == hash).then_some(hash)
    }

    /// Whether one of the keys made the signature over `root`.
    #[must_use]
    pub fn is_signed(&self, root: &Digest, public_keys: &[Vec<u8>]) -> bool {
        let encoded =
            self.signature.strip_prefix("ed25519=:").and_then(|text| text.strip_suffix(':'));
        let Some(Ok(signature)) = encoded.map(|text| STANDARD.decode(text)) else { return false };
        let signed_with =
            |key: &Vec<u8>| UnparsedPublicKey::new(&ED25519, key).verify(root, &signature).is_ok();
        public_keys.iter().any(signed_with)
    }
}

fn decode_digest(text: &str) -> Option<Digest> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn node(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    as_digest(context.finish().as_ref())
}

fn as_digest(bytes: &[u8]) -> Digest {
    let mut digest = Digest::default();
    digest.copy_from_slice(bytes);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::HouseKeys;

    fn leaves(count: u32) -> Vec<Digest> {
        (0..count).map(|n| receipt_leaf(&format!("R-{n}"), "2024-09-16", &sha256(b"x"))).collect()
    }

    #[test]
    fn every_leaf_of_a_tree_of_any_size_is_proven_and_no_other() {
        let keys = HouseKeys::from_master(&[7; 32]);
        for count in 1..40 {
            let tree = Tree::of(leaves(count));
            for leaf in leaves(count) {
                let proof = Proof {
                    path: tree.path(&leaf).unwrap(),
                    root: STANDARD.encode(tree.root()),
                    signature: keys.sign(&tree.root()),
                };
                let known = keys.public_keys();
                assert!(proof.holds_for(leaf, &known));
                assert!(!proof.holds_for(sha256(b"another"), &known));
                let others = HouseKeys::from_master(&[8; 32]).public_keys();
                assert!(!proof.holds_for(leaf, &others));
                let both = [others, known].concat();
                assert!(proof.holds_for(leaf, &both), "one of several keys will do");
            }
            assert_eq!(tree.path(&sha256(b"another")), None);
        }
    }
}
