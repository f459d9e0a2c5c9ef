//! Tables with a partition for each month: made when the month begins, dropped as a whole when it is too old.

use jiff::Timestamp;

use super::{
    super::audit::Month, fault::Setback, house::HouseLink, lock_keys::MONTHS, pool::Prepared as _,
};

/// A table with a partition for each month, and the one of its nodes.
pub(super) struct Monthly {
    pub(super) rows: &'static str,
    pub(super) nodes: &'static str,
}

/// Makes the partition of a month if there is none.
///
/// # Errors
/// [`Setback`]; another try goes on where this one stopped.
pub(super) async fn ensure(
    link: &HouseLink,
    table: &Monthly,
    month: &Month,
) -> Result<(), Setback> {
    let partition = partition(table, month);
    let known = link.rows("SELECT to_regclass($1) IS NOT NULL", &[&partition]).await?;
    if known.first().is_some_and(|row| row.get(0)) {
        return Ok(());
    }
    link.begin().await?;
    link.change("SELECT pg_advisory_xact_lock($1)", &[&MONTHS]).await?;
    link.link().batch_execute(&creation(table, month)).await?;
    link.commit().await
}

/// The statement that makes the partition of a month if there is none.
pub(super) fn creation(table: &Monthly, month: &Month) -> String {
    // A name of a table cannot be a parameter; the month is digits and a hyphen.
    format!(
        "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES IN ('{month}')",
        partition(table, month),
        table.rows
    )
}

/// Drops the months before `oldest`, unless another node is doing it. Returns which.
///
/// # Errors
/// [`Setback`]; another try goes on where this one stopped.
pub(super) async fn retire(
    link: &HouseLink,
    table: &Monthly,
    oldest: &Month,
) -> Result<Vec<String>, Setback> {
    link.begin().await?;
    let locked = link.rows("SELECT pg_try_advisory_xact_lock($1)", &[&MONTHS]).await?;
    let mut dropped = Vec::new();
    if locked.first().is_some_and(|row| row.get(0)) {
        let all = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
             WHERE i.inhparent = to_regclass($1) ORDER BY 1";
        let first_kept = partition(table, oldest);
        for row in link.rows(all, &[&table.rows]).await? {
            let name: String = row.try_get(0)?;
            // The names of months sort by time, and before that of the commands.
            if name < first_kept {
                link.link().batch_execute(&format!("DROP TABLE {name}")).await?;
                dropped.push(name);
            }
        }
        if !dropped.is_empty() {
            let nodes = table.nodes;
            let gone = format!("DELETE FROM {nodes} WHERE month < '{oldest}'");
            link.link().batch_execute(&gone).await?;
        }
    }
    link.commit().await?;
    Ok(dropped)
}

/// The first month that is kept at a time, and the removal of those before it, logged.
///
/// # Errors
/// [`Setback`].
pub(super) async fn retire_before(
    link: &HouseLink,
    table: &Monthly,
    now: Timestamp,
    months_kept: u64,
) -> Result<(), Setback> {
    for partition in retire(link, table, &Month::before(now, months_kept)).await? {
        tracing::info!(partition, "a month is older than the retention: removed");
    }
    Ok(())
}

fn partition(table: &Monthly, month: &Month) -> String {
    format!("{}_{}", table.rows, month.as_str().replace('-', "_"))
}
