//! The writing side: decides what is new, writes a batch in one transaction, and bounds the write-ahead log.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use rusqlite::{Connection, Transaction, params, wal::CheckpointMode};

use super::{Bounds, Log, checkpoint, decision_id};
use crate::{
    ledger::{
        Position,
        engine::{
            Batch, Change, Engine, Entry, SignedBatch, StorageFault, Submission, Verdict, Written,
        },
        engines::files::PAGE_BYTES,
        entry::Contents,
        index::{Index, Standing},
        keys::HouseKeys,
        proof::Digest,
    },
    schemes::Campaign,
};

/// A page of the log with its head.
const FRAME_BYTES: u64 = PAGE_BYTES as u64 + 24;
/// More than such a part of a long log is moved beside the writer; of a long one, the writer moves what is left itself.
const LEFT_PART: u64 = 8;
/// Past so many times the longest log the writer moves it whatever is left: the disk does not keep up.
const LOGS_MAX: u64 = 4;

/// The writer of one campaign's files.
pub struct SqliteEngine {
    pub(super) connection: Connection,
    pub(super) campaign: Campaign,
    pub(super) keys: Arc<HouseKeys>,
    pub(super) index: Arc<Mutex<Index>>,
    /// Batches written so far.
    pub(super) batches: u32,
    pub(super) previous_root: Digest,
    pub(super) log: Arc<Log>,
    pub(super) bounds: Bounds,
}

impl SqliteEngine {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the index about every part of the batch; returns what is new.
    fn decide<'b>(&self, batch: &'b Batch) -> Plan<'b> {
        let mut index = self.index();
        let first = index.len();
        let mut plan = Plan {
            first: Position(u32::try_from(first).unwrap_or(u32::MAX)),
            standings: Vec::with_capacity(batch.submissions.len()),
            fresh: Vec::with_capacity(batch.submissions.len()),
            rulings: Vec::with_capacity(batch.rulings.len()),
            withdrawals: Vec::with_capacity(batch.withdrawals.len()),
            erasures: Vec::with_capacity(batch.erasures.len()),
        };
        for submission in &batch.submissions {
            let standing = index.admit(submission);
            if matches!(standing, Standing::New(_)) {
                plan.fresh.push(submission);
            }
            plan.standings.push(standing);
        }
        // One application may be decided and withdrawn in one batch: the ruling counts first, then the withdrawal.
        let mut decided_here = HashMap::new();
        for ruling in &batch.rulings {
            let change = index
                .permits(ruling.position, ruling.change())
                .filter(|_| !decided_here.contains_key(&ruling.position));
            if change.is_some() {
                decided_here.insert(ruling.position, ruling.outcome);
            }
            plan.rulings.push(change);
        }
        let mut withdrawn_here = HashSet::new();
        for &position in &batch.withdrawals {
            let change = index
                .permits(position, Change::Withdrawn(None))
                .filter(|_| withdrawn_here.insert(position))
                .map(|change| match decided_here.get(&position) {
                    Some(&outcome) => Change::Withdrawn(Some(outcome)),
                    None => change,
                });
            plan.withdrawals.push(change);
        }
        // An erasure comes alone, not in one batch with what it erases.
        let mut erased_here = HashSet::new();
        for &position in &batch.erasures {
            let change = index
                .permits(position, Change::Erased)
                .filter(|_| erased_here.insert(position))
                .filter(|_| !withdrawn_here.contains(&position));
            plan.erasures.push(change);
        }
        plan
    }

    fn insert(&mut self, batch: &Batch, plan: &Plan<'_>) -> rusqlite::Result<Option<SignedBatch>> {
        let changes = plan.changes(batch);
        if plan.fresh.is_empty() && changes.is_empty() {
            return Ok(None);
        }
        let entries: Vec<Entry> = plan.fresh.iter().map(|fresh| Entry::from(*fresh)).collect();
        let (encoded, changes) = (Entry::encode_all(&entries), Change::encode_all(&changes));
        let written_at = batch.at.as_second();
        let contents = Contents {
            first: plan.first,
            entries: &entries,
            encoded: &encoded,
            changes: &changes,
            written_at,
            previous_root: &self.previous_root,
        };
        let (tree, codes) = self.keys.tree(self.campaign, &contents);
        let root = tree.root();
        let signature = self.keys.sign_root(&root);

        let transaction = self.connection.unchecked_transaction()?;
        plan.write(batch, &transaction)?;
        let number = self.batches + 1;
        transaction
            .prepare_cached("INSERT INTO batches VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![
                number,
                plan.first.0,
                written_at,
                encoded,
                changes,
                root,
                signature
            ])?;
        transaction.commit()?;
        self.batches = number;
        self.previous_root = root;
        Ok(Some(SignedBatch { first: plan.first, codes, tree, signature }))
    }
}

/// A batch after the index was asked.
struct Plan<'b> {
    first: Position,
    standings: Vec<Standing>,
    fresh: Vec<&'b Submission>,
    rulings: Vec<Option<Change>>,
    withdrawals: Vec<Option<Change>>,
    erasures: Vec<Option<Change>>,
}

impl Plan<'_> {
    fn changes(&self, batch: &Batch) -> Vec<(Position, Change)> {
        let rulings = batch.rulings.iter().map(|ruling| ruling.position).zip(&self.rulings);
        let withdrawals = batch.withdrawals.iter().copied().zip(&self.withdrawals);
        let erasures = batch.erasures.iter().copied().zip(&self.erasures);
        rulings
            .chain(withdrawals)
            .chain(erasures)
            .filter_map(|(position, change)| change.map(|change| (position, change)))
            .collect()
    }

    /// Writes what is new, decided and erased.
    fn write(&self, batch: &Batch, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut record = transaction.prepare_cached("INSERT INTO records VALUES (?1, ?2)")?;
        for (position, submission) in (self.first.0..).zip(&self.fresh) {
            record.execute(params![position, submission.record])?;
        }
        let mut decision = transaction.prepare_cached("INSERT INTO decisions VALUES (?1, ?2)")?;
        for (ruling, _) in
            batch.rulings.iter().zip(&self.rulings).filter(|(_, change)| change.is_some())
        {
            decision
                .execute(params![decision_id(ruling.position, ruling.turn), ruling.decision])?;
        }
        for (position, _) in
            batch.erasures.iter().zip(&self.erasures).filter(|(_, change)| change.is_some())
        {
            erase(transaction, *position)?;
        }
        Ok(())
    }
}

/// Takes away what an application says and what was decided on it; that it was there stays.
pub(super) fn erase(connection: &Connection, position: Position) -> rusqlite::Result<()> {
    connection.execute("UPDATE main.records SET sealed = x'' WHERE position = ?1", [position.0])?;
    let ids = [decision_id(position, u8::MIN), decision_id(position, u8::MAX)];
    connection.execute("DELETE FROM main.decisions WHERE id BETWEEN ?1 AND ?2", ids)?;
    Ok(())
}

impl Engine for SqliteEngine {
    fn write(&mut self, batch: &Batch) -> Result<Written, StorageFault> {
        if self.index().len() + batch.submissions.len() > u32::MAX as usize {
            return Err(StorageFault::Full);
        }
        let plan = self.decide(batch);
        if plan.erasures.iter().any(Option::is_some) {
            // What is erased is overwritten, not just let go.
            self.connection.pragma_update(None, "secure_delete", "ON")?;
        }
        let signed = self.insert(batch, &plan)?.map(Arc::new);
        let mut index = self.index();
        index.commit(plan.fresh.iter().map(|submission| submission.channel));
        for (position, change) in plan.changes(batch) {
            index.apply(position, change);
        }
        drop(index);
        let verdict = |(standing, submission): (&Standing, &Submission)| match (*standing, &signed)
        {
            (Standing::New(position), Some(signed)) => {
                Verdict::Accepted(position, Arc::clone(signed), submission.principal)
            }
            (Standing::New(position) | Standing::AlreadyApplied(position), _) => {
                Verdict::AlreadyApplied(position)
            }
            (Standing::Replayed(position), _) => Verdict::Replayed(position),
            (Standing::KeyReused, _) => Verdict::KeyReused,
        };
        let verdicts = plan.standings.iter().zip(&batch.submissions).map(verdict).collect();
        let Plan { rulings, withdrawals, erasures, .. } = plan;
        Ok(Written { verdicts, rulings, withdrawals, erasures })
    }

    fn tidy(&mut self) -> Result<bool, StorageFault> {
        let bytes = |frames| u64::from(frames) * FRAME_BYTES;
        let (written, moved) =
            (self.log.written.load(Ordering::Acquire), self.log.moved.load(Ordering::Acquire));
        let most = self.bounds.wal_bytes_max;
        let left = bytes(written.saturating_sub(moved));
        if left > most / LEFT_PART && bytes(written) <= most.saturating_mul(LOGS_MAX) {
            return Ok(!self.log.asked.swap(true, Ordering::AcqRel));
        }
        if bytes(written) <= most {
            return Ok(false);
        }
        // A reader that is in the way is not waited for: the next batch tries again. With nobody in the way that batch begins
        // the log again.
        if let Some(moved) = checkpoint(&self.connection, CheckpointMode::PASSIVE)? {
            let moved = if moved < written { moved } else { 0 };
            self.log.moved.store(moved, Ordering::Release);
        }
        Ok(false)
    }
}

impl Drop for SqliteEngine {
    /// Leaves no log behind where that is possible; where not, the next start replays it.
    fn drop(&mut self) {
        if let Err(fault) = checkpoint(&self.connection, CheckpointMode::TRUNCATE) {
            tracing::warn!(%fault, "the write-ahead log stays for the next start");
        }
    }
}
