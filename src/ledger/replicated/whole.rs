//! Whether the chains of a table are whole, row by row; nodes may be writing meanwhile.

use tokio_postgres::Row;

use super::{
    super::{
        audit::{Chained, Month, SearchFault, Walk, heads::Head},
        fault::StorageFault,
    },
    fault::Setback,
    house::House,
};
use crate::vault::HouseKeys;

/// Rows read at a time.
const ROWS_AT_A_TIME: i64 = 512;

/// A table of chains: its statements.
pub(super) struct Chains {
    /// What it holds, for the findings.
    pub(super) what: &'static str,
    /// Node and month of each part of a chain, in this order.
    pub(super) parts: &'static str,
    /// Rows of a month ($1) and node ($2) from a number ($3) on, at most $4, in their order.
    pub(super) page: &'static str,
    /// Which of some rows, given by month, node, number and root, are not there.
    pub(super) missing: &'static str,
}

/// Walks along every chain of a table, and shows each row to `each`, which may add a finding. Returns what is wrong, in words
/// for the operator, and the first month of which there are rows.
///
/// # Errors
/// [`SearchFault`].
pub(super) fn walk<R: Chained + Send + 'static>(
    (house, keys): (&House, &HouseKeys),
    chains: &Chains,
    read: fn(&Row) -> Result<R, Setback>,
    mut each: impl FnMut(&R) -> Option<&'static str>,
) -> Result<(Vec<String>, Option<String>), SearchFault> {
    let (mut findings, mut first_month) = (Vec::new(), None::<String>);
    let mut current: Option<(i32, Walk<'_>)> = None;
    for (node, month) in parts(house, chains.parts)? {
        if current.as_ref().is_none_or(|(walked, _)| *walked != node) {
            let walk = (node, Walk::new(keys));
            findings
                .extend(current.replace(walk).into_iter().flat_map(|(_, walk)| walk.findings()));
        }
        let Some((_, walk)) = &mut current else { continue };
        let is_chained = Month::named(&month).is_chained();
        let of = format!("{} of {month}, node {node}", chains.what);
        walk.begin(of.clone(), is_chained);
        if is_chained {
            first_month = first_month.into_iter().chain([month.clone()]).min();
        }
        let mut from = 0;
        loop {
            let rows = page(house, chains.page, (&month, node, from), read)?;
            let Some(last) = rows.last() else { break };
            from = last.number() + 1;
            for row in &rows {
                walk.row(row);
                findings
                    .extend(each(row).map(|fault| format!("{of}: row {}: {fault}", row.number())));
            }
        }
    }
    findings.extend(current.into_iter().flat_map(|(_, walk)| walk.findings()));
    Ok((findings, first_month))
}

fn parts(house: &House, sql: &'static str) -> Result<Vec<(i32, String)>, SearchFault> {
    let parts = house.wait_for(move |link| {
        Box::pin(async move {
            let read = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
            link.rows(sql, &[]).await?.iter().map(read).collect::<Result<Vec<_>, Setback>>()
        })
    });
    Ok(parts.map_err(StorageFault::from)?)
}

fn page<R: Send + 'static>(
    house: &House,
    sql: &'static str,
    (month, node, from): (&str, i32, i64),
    read: fn(&Row) -> Result<R, Setback>,
) -> Result<Vec<R>, SearchFault> {
    let month = month.to_owned();
    let rows = house.wait_for(move |link| {
        Box::pin(async move {
            let rows = link.rows(sql, &[&month, &node, &from, &ROWS_AT_A_TIME]).await?;
            rows.iter().map(read).collect::<Result<Vec<_>, _>>()
        })
    });
    Ok(rows.map_err(StorageFault::from)?)
}

/// A finding for each end that is not where it was.
///
/// # Errors
/// [`SearchFault`].
pub(super) fn missing(
    house: &House,
    chains: &Chains,
    ends: Vec<Head>,
) -> Result<Vec<String>, SearchFault> {
    let (what, sql) = (chains.what, chains.missing);
    let missing = house.wait_for(move |link| {
        Box::pin(async move {
            let months: Vec<&str> = ends.iter().map(|end| end.of.1.as_str()).collect();
            let nodes: Vec<i32> = ends.iter().map(|end| end.of.2).collect();
            let numbers: Vec<i64> = ends.iter().map(|end| end.number).collect();
            let roots: Vec<&[u8]> = ends.iter().map(|end| end.root.as_slice()).collect();
            let rows = link.rows(sql, &[&months, &nodes, &numbers, &roots]).await?;
            let found = rows.iter().map(|row| {
                let (month, node): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
                let number: i64 = row.try_get(2)?;
                Ok(format!(
                    "{what} of {month}, node {node}: rows up to {number} are missing or changed"
                ))
            });
            found.collect::<Result<Vec<_>, Setback>>()
        })
    });
    Ok(missing.map_err(StorageFault::from)?)
}
