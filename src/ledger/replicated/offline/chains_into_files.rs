//! Moving the audit trail and the messages of identity providers from the database into files, one a month.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Transaction;

use super::{
    super::{fault::Setback, link::Link, schema::HOUSE},
    held::{self, digest},
    receipts::gone,
    rows::{Rows, snapshot},
    tabled::Tabled,
    way::Way,
};
use crate::ledger::{
    audit::{End, Month, MonthCopy},
    fault::StorageFault,
    migration::MigrationFault,
};

/// Rows in memory at a time; one may have some hundred kilobytes.
const ROWS_MAX: i32 = 128;

/// The ends of chains in one month.
type Ends = BTreeMap<i32, End>;

/// Each month becomes a file as a whole, what commands did the last one. A month that is there was copied by a run that was
/// interrupted.
///
/// # Errors
/// [`MigrationFault`].
pub(super) async fn copy<R: Tabled>(
    way: &Way<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), MigrationFault> {
    let there = held::in_files::<R>(way.directory)?.parts;
    let there: BTreeSet<_> = there.into_iter().map(|part| part.month).collect();
    let mut link = Link::open_to_read(way.address, Some(HOUSE)).await.map_err(gone)?;
    let snapshot = snapshot(&mut link).await.map_err(gone)?;
    let mut copied = 0;
    for (month, ends) in months::<R>(&snapshot).await.map_err(gone)? {
        if there.contains(&month) {
            continue;
        }
        let month = Month::named(&month);
        let mut counting = |rows| progress(copied + rows);
        copied += copy_month::<R>(way, &snapshot, (&month, ends), &mut counting).await?;
    }
    Ok(())
}

/// The months of which there are rows, or should be, with the ends that the table of nodes names. Their names sort by time, and
/// before that of the commands.
async fn months<R: Tabled>(snapshot: &Transaction<'_>) -> Result<BTreeMap<String, Ends>, Setback> {
    let mut months = BTreeMap::<String, Ends>::new();
    let all = format!("SELECT DISTINCT month FROM {}", R::MONTHLY.rows);
    for row in snapshot.query(&all, &[]).await? {
        months.insert(row.try_get(0)?, Ends::new());
    }
    let ends =
        format!("SELECT month, node, number, root FROM {} WHERE number >= 0", R::MONTHLY.nodes);
    for row in snapshot.query(&ends, &[]).await? {
        let end = End { number: row.try_get(2)?, root: digest(row.try_get(3)?)? };
        months.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?, end);
    }
    Ok(months)
}

/// Returns the number of rows.
async fn copy_month<R: Tabled>(
    way: &Way<'_>,
    snapshot: &Transaction<'_>,
    (month, told): (&Month, Ends),
    progress: &mut dyn FnMut(u64),
) -> Result<u64, MigrationFault> {
    if !held::is_month(month) {
        return Err(StorageFault::Damaged.into());
    }
    let (table, columns) = (R::MONTHLY.rows, R::COLUMNS);
    let all = format!(
        "SELECT {columns}, node FROM {table} WHERE month = '{month}' ORDER BY node, number"
    );
    let mut rows = Rows::of(snapshot, &all, ROWS_MAX).await.map_err(gone)?;
    let mut file = MonthCopy::<R>::begin(way.directory, month)?;
    let (mut ends, mut copied) = (Ends::new(), 0);
    while let Some(row) = rows.next(snapshot).await.map_err(gone)? {
        let node: i32 = row.try_get("node").map_err(|fault| gone(fault.into()))?;
        let stored = R::read(&row).map_err(gone)?;
        file.row(month.is_chained().then_some(node), &stored)?;
        ends.insert(node, End { number: stored.number(), root: *stored.signed().0 });
        copied += 1;
        progress(copied);
    }
    // If rows are missing at the end of a chain, the file says so, too.
    ends.extend(told);
    for (node, end) in ends.into_iter().filter(|_| month.is_chained()) {
        file.end(node, end)?;
    }
    file.finish()?;
    Ok(copied)
}
