//! What files and the database hold of the trail, or of the messages of identity providers.

use std::path::Path;

use super::{
    super::{fault::Setback, link::Link, schema::HOUSE},
    tabled::Tabled,
    way::{Sum, Way},
};
use crate::ledger::{
    audit::{
        End, Month,
        heads::NODE_OF_COMMANDS,
        stored::{self, Stored},
    },
    fault::{OpenFault, StorageFault},
    migration::MigrationFault,
    proof::Digest,
};

/// What one side holds.
#[derive(Default)]
pub(super) struct Held {
    /// By month and node, the chain that a machine writes in its files last.
    pub(super) parts: Vec<Part>,
    /// Every row of what commands did.
    pub(super) commands: Vec<End>,
}

/// A chain in one month.
pub(super) struct Part {
    pub(super) month: String,
    /// `None`: that of the machine.
    pub(super) node: Option<i32>,
    pub(super) rows: u64,
    pub(super) end: End,
}

impl Held {
    /// As something to compare: the ends of chains without their names. `None` if there is nothing.
    pub(super) fn sum(self) -> Option<Sum> {
        let is_any = !self.parts.is_empty() || !self.commands.is_empty();
        let months = self.parts.into_iter().map(|part| (part.month, part.rows, part.end));
        is_any.then(|| Sum::Chains(months.collect(), self.commands))
    }
}

/// # Errors
/// [`MigrationFault`].
pub(super) fn in_files<R: Stored>(directory: &Path) -> Result<Held, MigrationFault> {
    let mut held = Held::default();
    for month in stored::months::<R>(directory)? {
        if !is_month(&month) {
            let what = format!("there is a file of {month}, which is no month: move it away");
            return Err(OpenFault::Foreign { path: directory.to_owned(), what }.into());
        }
        let Held { parts, commands } = &mut held;
        stored::each_row(directory, &month, |node, row: R| {
            let end = End { number: row.number(), root: *row.signed().0 };
            if !month.is_chained() {
                commands.push(end);
                return Ok(());
            }
            let is_same = |part: &&mut Part| part.node == node && part.month == month.as_str();
            if let Some(part) = parts.last_mut().filter(is_same) {
                (part.rows, part.end) = (part.rows + 1, end);
            } else {
                parts.push(Part { month: month.to_string(), node, rows: 1, end });
            }
            Ok(())
        })?;
    }
    Ok(held)
}

/// # Errors
/// [`Setback`].
pub(super) async fn in_database<R: Tabled>(way: &Way<'_>) -> Result<Held, Setback> {
    let mut held = Held::default();
    let link = Link::open_to_read(way.address, Some(HOUSE)).await?;
    let (table, nodes) = (R::MONTHLY.rows, R::MONTHLY.nodes);
    let there = link.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(held);
    }
    let ends = format!(
        "SELECT month, counted.rows, number, t.root, node FROM (SELECT month, node, count(*) AS rows, max(number) AS number \
         FROM {table} WHERE node > 0 GROUP BY month, node) AS counted JOIN {table} t USING (month, node, number) \
         ORDER BY month, node"
    );
    for row in link.query(&ends, &[]).await? {
        let rows = u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default();
        let end = End { number: row.try_get(2)?, root: digest(row.try_get(3)?)? };
        held.parts.push(Part { month: row.try_get(0)?, node: row.try_get(4)?, rows, end });
    }
    let of_commands = format!(
        "SELECT number, root FROM {table} WHERE node = {NODE_OF_COMMANDS} ORDER BY month, number"
    );
    for row in link.query(&of_commands, &[]).await? {
        held.commands.push(End { number: row.try_get(0)?, root: digest(row.try_get(1)?)? });
    }
    let told =
        format!("SELECT number, root FROM {nodes} WHERE node = {NODE_OF_COMMANDS} AND number >= 0");
    for row in link.query(&told, &[]).await? {
        let end = End { number: row.try_get(0)?, root: digest(row.try_get(1)?)? };
        // In files nothing but their rows says where they end.
        if held.commands.last() != Some(&end) {
            return Err(StorageFault::Damaged.into());
        }
    }
    Ok(held)
}

/// # Errors
/// [`StorageFault::Damaged`].
pub(super) fn digest(bytes: &[u8]) -> Result<Digest, StorageFault> {
    bytes.try_into().map_err(|_| StorageFault::Damaged)
}

/// Whether the name is that of a month, or of what commands did: it becomes part of the name of a table, and of a file.
pub(super) fn is_month(month: &Month) -> bool {
    let name = month.as_str();
    !month.is_chained()
        || name.len() == 7
            && name.bytes().enumerate().all(|(at, byte)| match at {
                4 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
}
