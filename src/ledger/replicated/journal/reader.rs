//! Reads the rows of other nodes, each once.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    sync::Arc,
};

use tokio_postgres::Row;

use super::{
    super::{
        fault::Setback,
        house::{House, HouseLink},
    },
    living::Written,
    row,
};
use crate::{
    ledger::{
        fault::{OpenFault, StorageFault},
        journal::Node,
    },
    vault::HouseKeys,
};

/// Rows of each node that are read at once.
const ROWS_MAX: usize = 1024;
/// The next rows of each other node, in one snapshot: whoever has learned from another node notes later than that one.
const READ: &str = "SELECT nodes.node, rows.number, rows.sealed, \
        (extract(epoch FROM rows.written_at) * 1000000)::bigint FROM journal_nodes AS nodes \
     LEFT JOIN unnest($1::integer[], $2::bigint[]) AS known (node, number) USING (node) \
     CROSS JOIN LATERAL (SELECT journal.number, journal.sealed, journal.written_at FROM journal \
        WHERE journal.node = nodes.node AND journal.number > coalesce(known.number, 0) \
        ORDER BY journal.number LIMIT 1024) AS rows \
     WHERE nodes.node <> $3 ORDER BY nodes.node, rows.number";

/// How far this node has read.
pub(super) struct Reader {
    pub(super) node: i32,
    keys: Arc<HouseKeys>,
    /// The last number of each node.
    known: HashMap<i32, i64>,
}

/// Takes in an event.
pub(super) type Each<'a> = &'a mut (dyn FnMut(Written) + Send);

/// What one look has found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Rows that were learned.
    pub(super) rows: usize,
    /// Some node may have more.
    pub(super) has_more: bool,
    /// A node whose next row does not open with the keys of this one.
    pub(super) unreadable: Option<i32>,
}

impl Reader {
    /// `known`: the number of each node from which it reads on.
    pub(super) fn new(node: i32, keys: Arc<HouseKeys>, known: HashMap<i32, i64>) -> Self {
        Self { node, keys, known }
    }

    /// Reads on while this thread waits.
    ///
    /// # Errors
    /// [`OpenFault::OtherKey`], [`OpenFault::Database`].
    pub(super) fn read_on_waiting(
        &mut self,
        house: &House,
        each: &mut dyn FnMut(Written),
    ) -> Result<Found, OpenFault> {
        let place = self.place();
        let rows = house.wait_for(move |link| Box::pin(look(link, place)));
        let found = rows.and_then(|rows| self.take(&rows, each));
        match found.map_err(|setback| OpenFault::Database { what: setback.to_string() })? {
            Found { unreadable: Some(_), .. } => {
                Err(OpenFault::OtherKey { path: "journal".into() })
            }
            found => Ok(found),
        }
    }

    /// Reads on.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn read_on(
        &mut self,
        house: &House,
        each: Each<'_>,
    ) -> Result<Found, Setback> {
        let place = self.place();
        let rows = house.with(move |link| Box::pin(look(link, place))).await?;
        self.take(&rows, each)
    }

    /// The next rows, on a link, which [`take`](Self::take) takes in.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn next(&self, link: &HouseLink) -> Result<Vec<Row>, Setback> {
        look(link, self.place()).await
    }

    /// The last number of each node that was read.
    pub(super) fn known(&self) -> &HashMap<i32, i64> {
        &self.known
    }

    /// Forgets nodes that have no rows any more.
    pub(super) fn retain(&mut self, nodes: &[i32]) {
        self.known.retain(|node, _| nodes.contains(node));
    }

    fn place(&self) -> (Vec<i32>, Vec<i64>, i32) {
        let (nodes, numbers) = self.known.iter().unzip();
        (nodes, numbers, self.node)
    }

    /// Takes in the events of rows that were read from where it is.
    ///
    /// # Errors
    /// [`Setback`] if a row is none; a row that does not open is in what is returned.
    pub(super) fn take(
        &mut self,
        rows: &[Row],
        each: &mut dyn FnMut(Written),
    ) -> Result<Found, Setback> {
        let mut found = Found { rows: 0, has_more: false, unreadable: None };
        let mut unreadable = HashSet::new();
        let placed = in_time(rows)?;
        // Nodes that may have more rows, and the time of the last one that was read. What others wrote later than that waits,
        // so that the order of all is kept.
        let full = placed.iter().filter(|placed| placed.nth == ROWS_MAX);
        let mut full: HashMap<i32, i64> = full.map(|placed| (placed.node, placed.at)).collect();
        for Placed { node, number, row, at, .. } in placed {
            if full.values().any(|until| at > *until) {
                break;
            }
            // Not later ones without it: its keys may be on their way to this node.
            if unreadable.contains(&node) {
                continue;
            }
            let each = &mut |event| each(Written { node, at, times: 1, event });
            if row::open(&self.keys, (node, number), row.try_get(2)?, each).is_none() {
                unreadable.insert(node);
                full.remove(&node);
                found.unreadable = Some(node);
                continue;
            }
            self.known.insert(node, number);
            found.rows += 1;
        }
        found.has_more = !full.is_empty();
        Ok(found)
    }
}

/// A node, as others know it; `None` for a number that no node has.
pub(super) fn node_of(node: i32) -> Option<Node> {
    u32::try_from(node).ok().and_then(NonZeroU32::new).map(Node)
}

/// A row among those of all nodes.
struct Placed<'r> {
    /// When it was written, microseconds; not before the earlier ones of its node, whatever the clocks of the servers say.
    at: i64,
    node: i32,
    number: i64,
    row: &'r Row,
    /// How many rows of its node were read up to it.
    nth: usize,
}

/// The rows in the order in which they were written, those of a node in the order of their numbers: whoever took a seat at
/// one node left it at another later.
fn in_time(rows: &[Row]) -> Result<Vec<Placed<'_>>, Setback> {
    let mut placed: Vec<Placed<'_>> = Vec::with_capacity(rows.len());
    for row in rows {
        let (node, number, at): (i32, i64, i64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(3)?);
        let before = placed.last().filter(|before| before.node == node);
        let (at, nth) = before.map_or((at, 1), |before| (at.max(before.at), before.nth + 1));
        placed.push(Placed { at, node, number, row, nth });
    }
    placed.sort_by_key(|placed| placed.at);
    Ok(placed)
}

async fn look(
    link: &HouseLink,
    (nodes, numbers, own): (Vec<i32>, Vec<i64>, i32),
) -> Result<Vec<Row>, Setback> {
    link.rows(READ, &[&nodes, &numbers, &own]).await
}

impl Found {
    /// Everything was learned.
    ///
    /// # Errors
    /// [`StorageFault::Damaged`] if a row does not open.
    pub(super) fn whole(self) -> Result<Self, Setback> {
        match self.unreadable {
            Some(_) => Err(StorageFault::Damaged.into()),
            None => Ok(self),
        }
    }
}
