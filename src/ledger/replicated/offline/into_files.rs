//! Copying a campaign out of the database into a file.

use std::path::Path;

use tokio_postgres::{Row, Transaction};

use super::{
    super::{
        campaign::counts::{self, Counts},
        fault::Setback,
        link::Link,
    },
    receipts::gone,
    rows::{Rows, snapshot},
};
use crate::{
    ledger::{
        book::{
            change::{Change, Tally},
            entry::Entry,
        },
        fault::{OpenFault, StorageFault},
        local::sqlite::{BatchRow, End, Gathering},
        migration::MigrationFault,
        position::Position,
        proof::Digest,
    },
    schemes::Campaign,
};

/// Rows in memory at a time.
const ROWS_MAX: i32 = 256;

/// The ends of all chains, and the counts of all nodes.
///
/// # Errors
/// [`Setback`].
pub(super) async fn heads(
    read: &(impl tokio_postgres::GenericClient + Sync),
) -> Result<(Vec<End>, Tally), Setback> {
    let sql = format!("SELECT node, batches, root, {} FROM nodes ORDER BY node", counts::COLUMNS);
    let (mut ends, mut counts) = (Vec::new(), Counts::default());
    for row in read.query(&sql, &[]).await? {
        counts.add(&Counts::read(&row, 3)?);
        let (chain, batches) = (natural(row.try_get(0)?)?, natural(row.try_get(1)?)?);
        let root = digest(row.try_get(2)?)?;
        if batches > 0 {
            ends.push(End { chain, batches, root });
        }
    }
    Ok((ends, counts.tally()))
}

/// Copies a campaign into a new file in a directory: all of it, or nothing. Calls `progress` with the number of records.
///
/// # Errors
/// [`MigrationFault`].
pub(super) async fn copy(
    link: &mut Link,
    (directory, campaign): (&Path, Campaign),
    progress: &mut dyn FnMut(u64),
) -> Result<(), MigrationFault> {
    let mut file = Gathering::begin(directory, campaign)?;
    let snapshot = snapshot(link).await.map_err(gone)?;
    for end in heads(&snapshot).await.map_err(gone)?.0 {
        file.end(&end)?;
    }
    batches(&snapshot, &mut file).await?;
    records(&snapshot, &mut file, progress).await?;
    decisions(&snapshot, &mut file).await?;
    Ok(file.finish()?)
}

async fn batches(snapshot: &Transaction<'_>, file: &mut Gathering) -> Result<(), MigrationFault> {
    const ALL: &str = "SELECT node, number, first, written_at, entries, changes, root, signature FROM batches \
        ORDER BY first NULLS LAST, node, number";
    let mut rows = Rows::of(snapshot, ALL, ROWS_MAX).await.map_err(gone)?;
    let mut next = 0;
    while let Some(row) = rows.next(snapshot).await.map_err(gone)? {
        let batch = batch_of(&row, next).map_err(gone)?;
        let entries = Entry::decode_all(batch.entries).ok_or(StorageFault::Damaged)?;
        let entries = u32::try_from(entries.len()).map_err(|_| StorageFault::Damaged)?;
        next = batch.first.0.checked_add(entries).ok_or(StorageFault::Damaged)?;
        file.batch(&batch)?;
    }
    Ok(())
}

/// A row of a batch. One with changes only has the position `next`.
fn batch_of(row: &Row, next: u32) -> Result<BatchRow<'_>, Setback> {
    let first: Option<i64> = row.try_get(2)?;
    Ok(BatchRow {
        link: (natural(row.try_get(0)?)?, natural(row.try_get(1)?)?),
        first: first.map_or(Ok(Position(next)), position)?,
        written_at: row.try_get(3)?,
        entries: row.try_get(4)?,
        changes: row.try_get(5)?,
        root: row.try_get(6)?,
        signature: row.try_get(7)?,
    })
}

async fn records(
    snapshot: &Transaction<'_>,
    file: &mut Gathering,
    progress: &mut dyn FnMut(u64),
) -> Result<(), MigrationFault> {
    const ALL: &str = "SELECT position, sealed FROM records ORDER BY position";
    let mut rows = Rows::of(snapshot, ALL, ROWS_MAX).await.map_err(gone)?;
    let mut copied = 0;
    while let Some(row) = rows.next(snapshot).await.map_err(gone)? {
        let (at, sealed): (i64, &[u8]) = (got(row.try_get(0))?, got(row.try_get(1))?);
        file.record(position(at)?, sealed)?;
        copied += 1;
        progress(copied);
    }
    Ok(())
}

async fn decisions(snapshot: &Transaction<'_>, file: &mut Gathering) -> Result<(), MigrationFault> {
    const ALL: &str = "SELECT position, change, sealed FROM changes WHERE sealed IS NOT NULL ORDER BY position, step";
    let mut rows = Rows::of(snapshot, ALL, ROWS_MAX).await.map_err(gone)?;
    while let Some(row) = rows.next(snapshot).await.map_err(gone)? {
        let (at, code): (i64, i16) = (got(row.try_get(0))?, got(row.try_get(1))?);
        let turn = u8::try_from(code).ok().and_then(Change::from_code).and_then(Change::turn);
        let turn = turn.ok_or(StorageFault::Damaged)?;
        file.decision(position(at)?, turn, got(row.try_get(2))?)?;
    }
    Ok(())
}

fn got<T>(value: Result<T, tokio_postgres::Error>) -> Result<T, OpenFault> {
    value.map_err(|fault| gone(fault.into()))
}

fn natural(number: i32) -> Result<u32, StorageFault> {
    u32::try_from(number).map_err(|_| StorageFault::Damaged)
}

fn position(at: i64) -> Result<Position, StorageFault> {
    u32::try_from(at).map(Position).map_err(|_| StorageFault::Damaged)
}

fn digest(bytes: &[u8]) -> Result<Digest, StorageFault> {
    bytes.try_into().map_err(|_| StorageFault::Damaged)
}
