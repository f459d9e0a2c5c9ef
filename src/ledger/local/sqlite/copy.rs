//! Copying a ledger for a backup: batch by batch, each with its records and decisions.

use rusqlite::{Connection, OptionalExtension as _};

use super::{
    links,
    reader::{BATCH_COLUMNS, batch_from, decision_id},
    writer::erase,
};
use crate::ledger::{
    book::{change::Change, sign::StoredBatch},
    proof::Digest,
};

/// Batches copied in one transaction.
const BATCHES_AT_A_TIME: u32 = 256;

/// Copies the batches that `main` lacks of the attached schema `source`, up to the last one at the time of the call;
/// see [`backup`](crate::ledger::backup).
pub(in crate::ledger) fn copy(
    connection: &Connection,
    progress: &mut dyn FnMut(u64),
) -> rusqlite::Result<Option<u64>> {
    let batches = |schema: &str| {
        let sql = format!("SELECT coalesce(max(number), 0) FROM {schema}.batches");
        connection.query_row(&sql, [], |row| row.get::<_, u32>(0))
    };
    let root = |schema: &str, number: u32| {
        let sql = format!("SELECT root FROM {schema}.batches WHERE number = ?1");
        connection.query_row(&sql, [number], |row| row.get::<_, Digest>(0)).optional()
    };
    let (have, wanted) = (batches("main")?, batches("source")?);
    if root("main", have)? != root("source", have)? {
        return Ok(None);
    }
    let linked = links::count_in(connection, "source")?;
    let mut rows = 0;
    let mut from = have + 1;
    while from <= wanted {
        let to = wanted.min(from + BATCHES_AT_A_TIME - 1);
        let transaction = connection.unchecked_transaction()?;
        for number in from..=to {
            let Some(copied) = copy_batch(&transaction, number)? else { return Ok(None) };
            rows += copied;
            if number <= linked {
                links::copy(&transaction, number, number == linked)?;
            }
        }
        transaction.commit()?;
        progress(rows);
        from = to + 1;
    }
    Ok(Some(rows))
}

/// Copies one batch with its records and decisions, and returns the number of records; `None` if the source is damaged.
fn copy_batch(connection: &Connection, number: u32) -> rusqlite::Result<Option<u64>> {
    let sql = format!("SELECT {BATCH_COLUMNS} FROM source.batches WHERE number = ?1");
    let stored = connection.prepare_cached(&sql)?.query_row([number], batch_from).optional()?;
    let Some((_, Some(StoredBatch { first, entries, changes, .. }))) = stored else {
        return Ok(None);
    };
    connection
        .prepare_cached("INSERT INTO main.batches SELECT * FROM source.batches WHERE number = ?1")?
        .execute([number])?;
    let copied = connection
        .prepare_cached(
            "INSERT INTO main.records SELECT * FROM source.records WHERE position >= ?1 AND position < ?1 + ?2",
        )?
        .execute([i64::from(first.0), i64::try_from(entries.len()).unwrap_or(i64::MAX)])?;
    if copied != entries.len() {
        return Ok(None);
    }
    for (position, change) in changes {
        if change == Change::Erased {
            erase(connection, position)?;
        }
        let Some(turn) = change.turn() else { continue };
        connection
            .prepare_cached(
                "INSERT INTO main.decisions SELECT * FROM source.decisions WHERE id = ?1",
            )?
            .execute([decision_id(position, turn)])?;
    }
    Ok(Some(copied as u64))
}
