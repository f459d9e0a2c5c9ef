//! Moving the audit trail and the messages of identity providers from files into the database, each in one transaction.
//!
//! The chain that the machine wrote becomes that of a new node. Chains of nodes keep their numbers, by which other rows name
//! their ends.

use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;

use super::{
    super::{
        fault::Setback,
        link::{Link, UNHURRIED},
        months,
        schema::{HOUSE, OF_HOUSE, migrate},
    },
    held::{self, Held},
    receipts::gone,
    tabled::Tabled,
    way::Way,
};
use crate::ledger::{
    audit::{End, Month, SearchFault, heads::NODE_OF_COMMANDS, stored},
    fault::StorageFault,
    migration::MigrationFault,
};

/// Rows that are inserted together; one may have some hundred kilobytes.
const ROWS_AT_A_TIME: usize = 128;

/// # Errors
/// [`MigrationFault`].
pub(super) fn copy<R: Tabled>(
    way: &Way<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), MigrationFault> {
    let opening = async {
        migrate(way.address, HOUSE, OF_HOUSE).await?;
        let link = Link::open(way.address, Some(HOUSE)).await?;
        link.batch_execute(UNHURRIED).await?;
        link.batch_execute("BEGIN").await?;
        Ok::<_, Setback>(link)
    };
    let link = way.runtime.block_on(opening).map_err(gone)?;
    let held = held::in_files::<R>(way.directory)?;
    let nodes = ends_of_nodes::<R>(way, &held)?;
    let own = way.runtime.block_on(take_nodes::<R>(&link, &nodes, &held)).map_err(gone)?;
    let mut copied = 0;
    for month in stored::months::<R>(way.directory)? {
        way.runtime.block_on(make_partition::<R>(&link, &month)).map_err(gone)?;
        let own = if month.is_chained() { own } else { NODE_OF_COMMANDS };
        let mut gathered = Vec::with_capacity(ROWS_AT_A_TIME);
        let mut of = own;
        let mut insert = |of: i32, gathered: &mut Vec<R>| {
            copied += gathered.len() as u64;
            insert(way, &link, (&month, of), gathered)?;
            progress(copied);
            gathered.clear();
            Ok::<_, SearchFault>(())
        };
        stored::each_row(way.directory, &month, |node, row| {
            let node = node.unwrap_or(own);
            if node != of || gathered.len() == ROWS_AT_A_TIME {
                insert(of, &mut gathered)?;
                of = node;
            }
            gathered.push(row);
            Ok(())
        })?;
        insert(of, &mut gathered)?;
    }
    Ok(way.runtime.block_on(link.commit()).map_err(gone)?)
}

/// The last month and the end of each chain of a node, as the files say it.
fn ends_of_nodes<R: Tabled>(
    way: &Way<'_>,
    held: &Held,
) -> Result<BTreeMap<i32, (String, End)>, MigrationFault> {
    let mut ends = BTreeMap::new();
    for part in &held.parts {
        ends.extend(part.node.map(|node| (node, (part.month.clone(), part.end))));
    }
    for month in stored::months::<R>(way.directory)? {
        for (node, end) in stored::ends_of_nodes::<R>(way.directory, &month)? {
            if ends.get(&node).is_none_or(|(last, _)| last.as_str() <= month.as_str()) {
                ends.insert(node, (month.to_string(), end));
            }
        }
    }
    Ok(ends)
}

/// Adds the nodes of the files, and a new one that takes over the chain of the machine, which is returned; gives the node of
/// commands its end.
async fn take_nodes<R: Tabled>(
    link: &Link,
    ends: &BTreeMap<i32, (String, End)>,
    held: &Held,
) -> Result<i32, Setback> {
    let nodes = R::MONTHLY.nodes;
    if let Some(End { number, root }) = held.commands.last() {
        let sql = format!(
            "UPDATE {nodes} SET number = $1, root = $2 WHERE node = {NODE_OF_COMMANDS} AND number = -1"
        );
        if link.execute(&sql, &[number, &root.as_slice()]).await? != 1 {
            return Err(StorageFault::Damaged.into());
        }
    }
    // A server that has written nothing may have taken the number.
    let sql = format!(
        "INSERT INTO {nodes} AS n (node, month, number, root) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4) \
         ON CONFLICT (node) DO UPDATE SET month = $2, number = $3, root = $4 WHERE n.number = -1"
    );
    for (node, (month, End { number, root })) in ends {
        if link.execute(&sql, &[node, month, number, &root.as_slice()]).await? != 1 {
            return Err(StorageFault::Damaged.into());
        }
    }
    // The next one gets a number above theirs.
    let sequence = format!("pg_get_serial_sequence('{nodes}', 'node')");
    let above = format!(
        "SELECT setval({sequence}, greatest((SELECT max(node) + 1 FROM {nodes}), nextval({sequence})), false)"
    );
    link.query_one(&above, &[]).await?;
    let own = held.parts.iter().rev().find(|part| part.node.is_none());
    let Some(part) = own else { return Ok(NODE_OF_COMMANDS) };
    let End { number, root } = part.end;
    let sql =
        format!("INSERT INTO {nodes} (month, number, root) VALUES ($1, $2, $3) RETURNING node");
    Ok(link.query_one(&sql, &[&part.month, &number, &root.as_slice()]).await?.try_get(0)?)
}

async fn make_partition<R: Tabled>(link: &Link, month: &Month) -> Result<(), Setback> {
    if !month.is_chained() {
        return Ok(());
    }
    Ok(link.batch_execute(&months::creation(&R::MONTHLY, month)).await?)
}

fn insert<R: Tabled>(
    way: &Way<'_>,
    link: &Link,
    (month, node): (&Month, i32),
    rows: &[R],
) -> Result<(), SearchFault> {
    let damaged = |row| SearchFault::Damaged { month: month.to_string(), row };
    let lists = R::lists(rows).map_err(damaged)?;
    let name = month.as_str();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&name, &node];
    parameters.extend(lists.iter().map(|list| &**list as &(dyn ToSql + Sync)));
    let inserting = async { Ok::<_, Setback>(link.execute(R::ADD, &parameters).await?) };
    way.runtime.block_on(inserting).map_err(gone)?;
    Ok(())
}
