//! Moving the audit trail and the messages of identity providers into the database: the chain of the files becomes that of
//! one node, and what commands did becomes that of the node of commands.

use std::{marker::PhantomData, path::Path};

use tokio_postgres::types::ToSql;

use super::{
    super::{
        fault::Setback,
        link::{Link, UNHURRIED},
        messages,
        months::{self, Monthly},
        schema::{HOUSE, OF_HOUSE, migrate},
        trail::{self, FoundBy},
    },
    receipts::gone,
    way::{Side, Sum, Thing, Way},
};
use crate::ledger::{
    audit::{End, Filed, MessageRow, Month, SearchFault, TrailRow},
    fault::{OpenFault, StorageFault},
    migration::{Direction, MigrationFault},
    proof::Digest,
};

/// Rows that are inserted together; one may have some hundred kilobytes.
const ROWS_AT_A_TIME: usize = 128;

/// The audit trail.
pub(super) const TRAIL: Chains<TrailRow> = Chains(PhantomData);
/// The messages of identity providers.
pub(super) const MESSAGES: Chains<MessageRow> = Chains(PhantomData);

/// Chains of such rows.
pub(super) struct Chains<R>(PhantomData<R>);

/// Lists of the columns of some rows.
type Lists<'r> = Vec<Box<dyn ToSql + Sync + 'r>>;

/// A row that has a table in the database, too.
pub(super) trait Tabled: Filed {
    const WHAT: &'static str;
    const MONTHLY: Monthly;
    /// Adds rows; parameters: month, node, and [`lists`](Self::lists).
    const ADD: &'static str;

    /// # Errors
    /// The number of a row that is damaged.
    fn lists(rows: &[Self]) -> Result<Lists<'_>, i64>;
}

impl Tabled for TrailRow {
    const WHAT: &'static str = "audit trail";
    const MONTHLY: Monthly = trail::MONTHLY;
    // The lists of a row by which it is found are of different lengths, so each is a text here.
    const ADD: &'static str = "INSERT INTO trail \
        (month, node, number, written_at, events, actors, control, root, signature, people, named) \
        SELECT $1, $2, number, written_at, events, actors, control, root, signature, people::bigint[], named::bigint[] \
        FROM unnest($3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::text[], $8::bytea[], $9::text[], \
        $10::text[], $11::text[]) \
        AS t(number, written_at, events, actors, control, root, signature, people, named)";

    fn lists(rows: &[Self]) -> Result<Lists<'_>, i64> {
        let found_by = |row| FoundBy::of(row).ok_or(row.number);
        let found_by = rows.iter().map(found_by).collect::<Result<Vec<_>, _>>()?;
        Ok(vec![
            list(rows, |row| row.number),
            list(rows, |row| row.written_at),
            list(rows, |row| row.events.as_slice()),
            list(rows, |row| row.actors.as_slice()),
            list(rows, |row| row.control.as_str()),
            list(rows, |row| row.root.as_slice()),
            list(rows, |row| row.signature.as_str()),
            Box::new(found_by.iter().map(|by| as_text(&by.people)).collect::<Vec<_>>()),
            Box::new(found_by.iter().map(|by| as_text(&by.named)).collect::<Vec<_>>()),
        ])
    }
}

impl Tabled for MessageRow {
    const WHAT: &'static str = "messages of identity providers";
    const MONTHLY: Monthly = messages::MONTHLY;
    const ADD: &'static str = "INSERT INTO messages \
        (month, node, number, written_at, handle, owner, sealed, root, signature) \
        SELECT $1, $2, number, written_at, handle, owner, sealed, root, signature \
        FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::bytea[], $7::bytea[], $8::bytea[], $9::text[]) \
        AS t(number, written_at, handle, owner, sealed, root, signature)";

    fn lists(rows: &[Self]) -> Result<Lists<'_>, i64> {
        Ok(vec![
            list(rows, |row| row.number),
            list(rows, |row| row.written_at),
            list(rows, |row| row.handle.as_str()),
            list(rows, |row| row.owner.0.as_slice()),
            list(rows, |row| row.sealed.as_slice()),
            list(rows, |row| row.root.as_slice()),
            list(rows, |row| row.signature.as_str()),
        ])
    }
}

fn list<'r, R, T: ToSql + Sync + 'r>(
    rows: &'r [R],
    of: impl Fn(&'r R) -> T,
) -> Box<dyn ToSql + Sync + 'r> {
    Box::new(rows.iter().map(of).collect::<Vec<_>>())
}

fn as_text(numbers: &[i64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(i64::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

impl<R: Tabled> Thing for Chains<R> {
    fn name(&self) -> String {
        R::WHAT.to_owned()
    }

    fn sum(&self, way: &Way<'_>, side: Side) -> Result<Option<Sum>, MigrationFault> {
        let (months, commands) = match side {
            Side::Files => in_files::<R>(way.directory)?,
            Side::Database => way.runtime.block_on(in_database::<R>(way)).map_err(gone)?,
        };
        let is_any = !months.is_empty() || !commands.is_empty();
        Ok(is_any.then_some(Sum::Chains(months, commands)))
    }

    fn copy(
        &self,
        way: &Way<'_>,
        direction: Direction,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), MigrationFault> {
        match direction {
            Direction::IntoDatabase => into_database::<R>(way, progress),
            // They do not go along: files have one chain, and the database one for each node.
            Direction::IntoFiles => Ok(()),
        }
    }
}

/// The months and their ends, and every row of what commands did.
type Ends = (Vec<(String, u64, End)>, Vec<End>);

fn in_files<R: Filed>(directory: &Path) -> Result<Ends, MigrationFault> {
    let (mut months, mut commands) = (Vec::new(), Vec::new());
    for month in R::months(directory)? {
        named_as_month(directory, &month)?;
        let (mut rows, mut end) = (0, None);
        R::each(directory, &month, &mut |row| {
            let (number, root) = (row.number(), *row.signed().0);
            if !month.is_chained() {
                commands.push(End { number, root });
            }
            rows += 1;
            end = Some(End { number, root });
            Ok(())
        })?;
        if let Some(end) = end.filter(|_| month.is_chained()) {
            months.push((month.to_string(), rows, end));
        }
    }
    Ok((months, commands))
}

async fn in_database<R: Tabled>(way: &Way<'_>) -> Result<Ends, Setback> {
    let (mut months, mut commands) = (Vec::new(), Vec::new());
    let link = Link::open_to_read(way.address, Some(HOUSE)).await?;
    let table = R::MONTHLY.rows;
    let there = link.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok((months, commands));
    }
    let ends = format!(
        "SELECT month, counted.rows, number, t.root FROM (SELECT month, node, count(*) AS rows, max(number) AS number \
         FROM {table} WHERE node > 0 GROUP BY month, node) AS counted JOIN {table} t USING (month, node, number) \
         ORDER BY month, node"
    );
    for row in link.query(&ends, &[]).await? {
        let rows = u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default();
        let end = End { number: row.try_get(2)?, root: digest(row.try_get(3)?)? };
        months.push((row.try_get(0)?, rows, end));
    }
    let of_commands =
        format!("SELECT number, root FROM {table} WHERE node = 0 ORDER BY month, number");
    for row in link.query(&of_commands, &[]).await? {
        commands.push(End { number: row.try_get(0)?, root: digest(row.try_get(1)?)? });
    }
    Ok((months, commands))
}

fn digest(bytes: &[u8]) -> Result<Digest, StorageFault> {
    bytes.try_into().map_err(|_| StorageFault::Damaged)
}

/// In one transaction.
fn into_database<R: Tabled>(
    way: &Way<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), MigrationFault> {
    let months = R::months(way.directory)?;
    let opening = async {
        migrate(way.address, HOUSE, OF_HOUSE).await?;
        let link = Link::open(way.address, Some(HOUSE)).await?;
        link.batch_execute(UNHURRIED).await?;
        link.batch_execute("BEGIN").await?;
        Ok::<_, Setback>(link)
    };
    let link = way.runtime.block_on(opening).map_err(gone)?;
    let (ends, commands) = in_files::<R>(way.directory)?;
    let node = way.runtime.block_on(take_nodes::<R>(&link, &ends, &commands)).map_err(gone)?;
    let mut copied = 0;
    for month in months {
        let node = if month.is_chained() { node } else { 0 };
        let place = (&month, node);
        way.runtime.block_on(make_partition::<R>(&link, &month)).map_err(gone)?;
        let mut gathered = Vec::with_capacity(ROWS_AT_A_TIME);
        let mut insert = |gathered: &mut Vec<R>| {
            copied += gathered.len() as u64;
            insert(way, &link, place, gathered)?;
            progress(copied);
            gathered.clear();
            Ok(())
        };
        R::each(way.directory, &month, &mut |row| {
            gathered.push(row);
            if gathered.len() < ROWS_AT_A_TIME { Ok(()) } else { insert(&mut gathered) }
        })?;
        insert(&mut gathered)?;
    }
    Ok(way.runtime.block_on(link.commit()).map_err(gone)?)
}

/// The name of a month becomes part of the name of a table.
fn named_as_month(directory: &Path, month: &Month) -> Result<(), OpenFault> {
    let is_month = |name: &str| {
        name.len() == 7
            && name.bytes().enumerate().all(|(at, byte)| match at {
                4 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    };
    if !month.is_chained() || is_month(month.as_str()) {
        return Ok(());
    }
    let what = format!("there is a file of {month}, which is no month: move it away");
    Err(OpenFault::Foreign { path: directory.to_owned(), what })
}

/// Adds the node that takes over the chain of the files, and gives the node of commands its end.
async fn take_nodes<R: Tabled>(
    link: &Link,
    ends: &[(String, u64, End)],
    commands: &[End],
) -> Result<i32, Setback> {
    let nodes = R::MONTHLY.nodes;
    if let Some(End { number, root }) = commands.last() {
        let sql =
            format!("UPDATE {nodes} SET number = $1, root = $2 WHERE node = 0 AND number = -1");
        if link.execute(&sql, &[number, &root.as_slice()]).await? != 1 {
            return Err(StorageFault::Damaged.into());
        }
    }
    let Some((month, _, End { number, root })) = ends.last() else { return Ok(0) };
    let sql =
        format!("INSERT INTO {nodes} (month, number, root) VALUES ($1, $2, $3) RETURNING node");
    Ok(link.query_one(&sql, &[month, number, &root.as_slice()]).await?.try_get(0)?)
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
