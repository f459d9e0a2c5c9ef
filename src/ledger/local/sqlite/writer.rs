//! The writing side: one transaction a batch, and a bound on the write-ahead log.

use std::sync::{Arc, atomic::Ordering};

use rusqlite::{Connection, Transaction, params, wal::CheckpointMode};

use super::{
    super::{
        super::{fault::StorageFault, position::Position},
        files::PAGE_BYTES,
        store::{Rows, Store},
    },
    checkpoint::{WalProgress, checkpoint},
    reader::{decision_id, decision_ids},
};

/// Bytes of a frame of the log: a page and its header.
const FRAME_BYTES: u64 = PAGE_BYTES as u64 + 24;
/// If more than 1/8 of a long log is not yet checkpointed, the checkpoint thread does it; otherwise the writer.
const WRITER_PART: u64 = 8;
/// Factor of the log's bound from which the writer checkpoints everything: the checkpoint thread does not keep up.
const OVERRUN_FACTOR: u64 = 4;

/// The writer of one campaign's files.
pub(super) struct SqliteWriter {
    pub(super) connection: Connection,
    pub(super) wal: Arc<WalProgress>,
    pub(super) wal_bytes_max: u64,
}

impl Store for SqliteWriter {
    fn write(&mut self, rows: &Rows<'_>) -> Result<(), StorageFault> {
        if rows.plan.erasures.iter().any(Option::is_some) {
            // Overwrites what is erased instead of only releasing it.
            self.connection.pragma_update(None, "secure_delete", "ON")?;
        }
        let transaction = self.connection.unchecked_transaction()?;
        rows.insert(&transaction)?;
        transaction.commit()?;
        Ok(())
    }

    fn tidy(&mut self) -> Result<bool, StorageFault> {
        let bytes = |frames| u64::from(frames) * FRAME_BYTES;
        let written = self.wal.written.load(Ordering::Acquire);
        let rest = written.saturating_sub(self.wal.checkpointed.load(Ordering::Acquire));
        let most = self.wal_bytes_max;
        let overrun = bytes(written) > most.saturating_mul(OVERRUN_FACTOR);
        if bytes(rest) > most / WRITER_PART && !overrun {
            return Ok(!self.wal.requested.swap(true, Ordering::AcqRel));
        }
        if bytes(written) <= most {
            return Ok(false);
        }
        // If a reader is in the way, the next batch tries again. Otherwise that batch starts the log from its
        // beginning.
        if let Some(frames) = checkpoint(&self.connection, CheckpointMode::PASSIVE)? {
            let frames = if frames < written { frames } else { 0 };
            self.wal.checkpointed.store(frames, Ordering::Release);
        }
        Ok(false)
    }
}

impl Drop for SqliteWriter {
    /// Empties the log if possible; otherwise the next start replays it.
    fn drop(&mut self) {
        if let Err(fault) = checkpoint(&self.connection, CheckpointMode::TRUNCATE) {
            tracing::warn!(%fault, "the write-ahead log was not emptied: the next start replays it");
        }
    }
}

impl Rows<'_> {
    fn insert(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let Self { number, batch, plan, narrow } = self;
        let mut record = transaction.prepare_cached("INSERT INTO records VALUES (?1, ?2)")?;
        for (position, submission) in (plan.first.0..).zip(&plan.fresh) {
            record.execute(params![position, submission.record])?;
        }
        let mut decision = transaction.prepare_cached("INSERT INTO decisions VALUES (?1, ?2)")?;
        for (ruling, change) in batch.rulings.iter().zip(&plan.rulings) {
            if change.is_some() {
                let id = decision_id(ruling.position, ruling.turn);
                decision.execute(params![id, ruling.decision])?;
            }
        }
        for (position, change) in batch.erasures.iter().zip(&plan.erasures) {
            if change.is_some() {
                erase(transaction, *position)?;
            }
        }
        transaction
            .prepare_cached("INSERT INTO batches VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![
                number,
                narrow.first.0,
                narrow.written_at,
                narrow.entries,
                narrow.changes,
                narrow.root,
                narrow.signature
            ])?;
        Ok(())
    }
}

/// Erases the contents of an application and its decisions; the row of its record remains.
pub(super) fn erase(connection: &Connection, position: Position) -> rusqlite::Result<()> {
    connection.execute("UPDATE main.records SET sealed = x'' WHERE position = ?1", [position.0])?;
    let ids = decision_ids(position);
    connection.execute(
        "DELETE FROM main.decisions WHERE id BETWEEN ?1 AND ?2",
        [ids.start(), ids.end()],
    )?;
    Ok(())
}
