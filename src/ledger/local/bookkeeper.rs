//! The bookkeeper: decides a batch by the index, signs it, writes it to the store, and only then updates the index.

use std::sync::{Arc, Mutex};

use super::{
    fresh::FreshRecords,
    index::{self, Index},
    store::{Narrow, Rows, Store},
};
use crate::{
    ledger::{
        book::{
            batch::{Batch, Written},
            change::Change,
            decide::Plan,
            entry::Entry,
            sign::{SignedBatch, UnsignedBatch},
        },
        fault::StorageFault,
        position::Position,
        proof::Digest,
    },
    schemes::Campaign,
    vault::HouseKeys,
};

/// The only writer of one campaign's ledger.
pub struct Bookkeeper {
    pub(super) campaign: Campaign,
    pub(super) keys: Arc<HouseKeys>,
    pub(super) index: Arc<Mutex<Index>>,
    pub(super) fresh: Arc<FreshRecords>,
    pub(super) store: Box<dyn Store>,
    /// Batches written so far.
    pub(super) batches: u32,
    /// The root of the last batch; zeros before the first.
    pub(super) previous_root: Digest,
}

impl Bookkeeper {
    /// Decides uniqueness, writes everything and syncs once before it returns.
    ///
    /// # Errors
    /// Any error is final: do not write again, because what is on disk is known only after a restart.
    pub fn write(&mut self, batch: &Batch) -> Result<Written, StorageFault> {
        let mut index = index::lock(&self.index);
        if index.len() + batch.submissions.len() > u32::MAX as usize {
            return Err(StorageFault::Full);
        }
        let plan = Plan::decide(batch, &mut *index);
        drop(index);
        let changes = plan.changes(batch);
        let signed = self.write_plan(batch, &plan, &changes)?;
        self.fresh.take_over(batch, &plan);
        let mut index = index::lock(&self.index);
        index.commit(plan.fresh.iter().map(|submission| submission.channel));
        for (position, change) in changes {
            index.apply(position, change);
        }
        drop(index);
        Ok(plan.settle(batch, signed.as_ref()))
    }

    /// Bounds what a restart has to replay; call it between batches. Returns whether a checkpoint is due.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn tidy(&mut self) -> Result<bool, StorageFault> {
        self.store.tidy()
    }

    /// Signs and writes what is new or changed; `None` if nothing is.
    fn write_plan(
        &mut self,
        batch: &Batch,
        plan: &Plan<'_>,
        changes: &[(Position, Change)],
    ) -> Result<Option<Arc<SignedBatch>>, StorageFault> {
        if plan.fresh.is_empty() && changes.is_empty() {
            return Ok(None);
        }
        let entries: Vec<Entry> = plan.fresh.iter().map(|fresh| Entry::from(*fresh)).collect();
        let unsigned = UnsignedBatch {
            first: plan.first,
            entries: &entries,
            encoded: &Entry::encode_all(&entries),
            changes: &Change::encode_all(changes),
            written_at: batch.at.as_second(),
            previous_root: &self.previous_root,
        };
        let signed = SignedBatch::sign(&self.keys, self.campaign, &unsigned);
        let root = signed.root();
        self.store.write(&Rows {
            number: self.batches + 1,
            batch,
            plan,
            narrow: Narrow {
                first: unsigned.first,
                written_at: unsigned.written_at,
                entries: unsigned.encoded,
                changes: unsigned.changes,
                root: &root,
                signature: signed.signature(),
            },
        })?;
        self.batches += 1;
        self.previous_root = root;
        Ok(Some(Arc::new(signed)))
    }
}
