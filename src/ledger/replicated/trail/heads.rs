//! The ends of all chains, named by the rows of every node: who removes the last rows of one chain has to change another.
//!
//! Such a row is written when a node begins a chain or a month, and with what it writes [`EVERY`] later; it names the chains
//! whose end has moved since the node named them last.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use tokio_postgres::Row;

use super::super::{
    super::{
        audit::{
            Month,
            heads::{self, Head, Of},
        },
        fault::StorageFault,
    },
    fault::Setback,
};

/// Interval in which a node that writes names the ends of the others.
pub(super) const EVERY: Duration = Duration::from_mins(5);
/// Ends that a row names, those of the latest nodes first; more nodes do not start in two months unless something is broken.
const HEADS_MAX: i64 = 2000;
/// Table, month, node, number and root of the last row of each chain since a month.
pub(super) const ENDS: &str = "SELECT * FROM (\
    SELECT 'trail' AS kind, month, node, number, root FROM trail_nodes UNION ALL \
    SELECT 'messages', month, node, number, root FROM message_nodes) AS ends \
    WHERE number >= 0 AND month >= $1 ORDER BY node DESC, kind LIMIT $2";

/// The ends that this node has named.
#[derive(Default)]
pub(super) struct NamedEnds(HashMap<Of, i64>);

/// The parameters of [`ENDS`]: the month before a time, and how many.
pub(super) fn since(now: Timestamp) -> (Month, i64) {
    (Month::before(now, 1), HEADS_MAX)
}

/// Reads a row of [`ENDS`].
///
/// # Errors
/// [`Setback`].
pub(super) fn read(row: &Row) -> Result<Head, Setback> {
    let of = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let root: &[u8] = row.try_get(4)?;
    let root = root.try_into().map_err(|_| StorageFault::Damaged)?;
    Ok(Head { of, number: row.try_get(3)?, root })
}

impl NamedEnds {
    /// The text that names those of `ends` that have moved; `None` if none has.
    pub(super) fn text(&mut self, mut ends: Vec<Head>) -> Option<String> {
        ends.retain(|head| self.0.insert(head.of.clone(), head.number) != Some(head.number));
        heads::text(&ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_come_back_as_they_were_and_are_named_once() {
        let head = |node: i32, number| {
            let of = ("trail".to_owned(), "2024-09".to_owned(), node);
            Head { of, number, root: [7; 32] }
        };
        let mut named = NamedEnds::default();
        let text = named.text(vec![head(1, 5), head(2, 0)]).unwrap();
        assert_eq!(heads::parse(&text), Some(vec![head(1, 5), head(2, 0)]));
        assert_eq!(named.text(vec![head(1, 5), head(2, 0)]), None);
        let text = named.text(vec![head(1, 6), head(2, 0)]).unwrap();
        assert_eq!(heads::parse(&text), Some(vec![head(1, 6)]));
        assert_eq!(heads::parse("operator: paused"), None);
    }
}
