//! The signed tree over a batch, from which its receipts take their proofs.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::civil::Date;

use super::{
    super::{
        position::Position,
        proof::{Digest, Proof, Tree, content_digest, house_leaf, receipt_leaf},
        receipt::{Receipt, ReceiptCode},
    },
    change::Change,
    entry::Entry,
};
use crate::{schemes::Campaign, vault::HouseKeys};

/// A batch as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// The position of its first entry; of the next record if it has none.
    pub first: Position,
    /// When it was written, seconds since 1970.
    pub written_at: i64,
    /// Its entries, in the order of positions.
    pub entries: Vec<Entry>,
    /// The changes that it made.
    pub changes: Vec<(Position, Change)>,
    /// The root of the batch before; zeros for the first.
    pub previous_root: Digest,
    /// Its own root.
    pub root: Digest,
    /// The signature over the root.
    pub signature: String,
}

/// A batch under its signed root.
pub struct SignedBatch {
    first: Position,
    /// In the order of positions.
    codes: Vec<ReceiptCode>,
    tree: Tree,
    signature: String,
}

/// What the tree of a batch covers.
pub(in crate::ledger) struct UnsignedBatch<'b> {
    pub(in crate::ledger) first: Position,
    pub(in crate::ledger) entries: &'b [Entry],
    /// The entries, encoded.
    pub(in crate::ledger) encoded: &'b [u8],
    /// The changes, encoded.
    pub(in crate::ledger) changes: &'b [u8],
    /// Seconds since 1970.
    pub(in crate::ledger) written_at: i64,
    pub(in crate::ledger) previous_root: &'b Digest,
}

impl UnsignedBatch<'_> {
    /// Builds the tree, and the codes of the batch's receipts in the order of positions.
    fn tree(&self, keys: &HouseKeys, campaign: Campaign) -> (Tree, Vec<ReceiptCode>) {
        let code = |offset| ReceiptCode::of(keys, campaign, Position(self.first.0 + offset));
        let codes: Vec<_> = (0..).map(code).take(self.entries.len()).collect();
        let mut leaves = Vec::with_capacity(self.entries.len() + 1);
        leaves.push(house_leaf(self.previous_root, self.written_at, self.encoded, self.changes));
        leaves.extend(codes.iter().zip(self.entries).map(|(code, entry)| entry.leaf(*code)));
        (Tree::of(leaves), codes)
    }
}

impl StoredBatch {
    /// Builds its tree again.
    pub(in crate::ledger) fn tree(
        &self,
        keys: &HouseKeys,
        campaign: Campaign,
    ) -> (Tree, Vec<ReceiptCode>) {
        let Self { first, written_at, ref entries, ref previous_root, .. } = *self;
        let changes = Change::encode_all(&self.changes);
        let encoded = Entry::encode_all(entries);
        let batch = UnsignedBatch {
            first,
            entries,
            encoded: &encoded,
            changes: &changes,
            written_at,
            previous_root,
        };
        batch.tree(keys, campaign)
    }
}

impl SignedBatch {
    /// Signs the tree over a batch with the newest key.
    pub(in crate::ledger) fn sign(
        keys: &HouseKeys,
        campaign: Campaign,
        batch: &UnsignedBatch<'_>,
    ) -> Self {
        let (tree, codes) = batch.tree(keys, campaign);
        let signature = keys.sign(&tree.root());
        Self { first: batch.first, codes, tree, signature }
    }

    pub(in crate::ledger) fn root(&self) -> Digest {
        self.tree.root()
    }

    /// The codes of its receipts, in the order of positions.
    #[cfg(feature = "postgres")]
    pub(in crate::ledger) fn codes(&self) -> &[ReceiptCode] {
        &self.codes
    }

    pub(in crate::ledger) fn signature(&self) -> &str {
        &self.signature
    }

    /// Builds the tree of a stored batch again.
    pub(in crate::ledger) fn restored(
        keys: &HouseKeys,
        campaign: Campaign,
        stored: StoredBatch,
    ) -> Arc<Self> {
        let (tree, codes) = stored.tree(keys, campaign);
        Arc::new(Self { first: stored.first, codes, tree, signature: stored.signature })
    }

    /// Whether its signature is the house's, and covers `root`.
    pub(in crate::ledger) fn is_genuine(&self, keys: &HouseKeys, root: &Digest) -> bool {
        self.tree.root() == *root && keys.has_signed(root, &self.signature)
    }

    /// The receipt of one of its records; `None` if it holds no record with this position, date and digest.
    #[must_use]
    pub fn receipt(
        &self,
        position: Position,
        received_on: Date,
        digest: &Digest,
    ) -> Option<Receipt> {
        let code = self.codes.get(position.0.checked_sub(self.first.0)? as usize)?.to_string();
        let received_on = received_on.to_string();
        let path = self.tree.path(&receipt_leaf(&code, &received_on, digest))?;
        let root = STANDARD.encode(self.tree.root());
        let proof = Proof { path, root, signature: self.signature.clone() };
        Some(Receipt::new(code, received_on, content_digest(digest), proof))
    }
}
