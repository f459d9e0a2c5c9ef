//! The ends of all chains, named by the rows of every node: who removes the last rows of one chain has to change another.
//!
//! Such a row is a control row of its own. It is written when a node begins a chain or a month, and with what it writes
//! [`EVERY`] later; it names the chains whose end has moved since the node named them last.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::super::{
    super::{audit::Month, fault::StorageFault, proof::Digest},
    fault::Setback,
};

/// Interval in which a node that writes names the ends of the others.
pub(super) const EVERY: Duration = Duration::from_mins(5);
/// Ends that a row names, those of the latest nodes first; more nodes do not start in two months unless something is broken.
const HEADS_MAX: i64 = 2000;
const BEGINS: &str = "ends of chains:";
/// Table, month, node, number and root of the last row of each chain since a month.
pub(super) const ENDS: &str = "SELECT * FROM (\
    SELECT 'trail' AS kind, month, node, number, root FROM trail_nodes UNION ALL \
    SELECT 'messages', month, node, number, root FROM message_nodes) AS ends \
    WHERE number >= 0 AND month >= $1 ORDER BY node DESC, kind LIMIT $2";

/// A chain in one month: table, month and node.
pub(super) type Of = (String, String, i32);

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) of: Of,
    pub(super) number: i64,
    pub(super) root: Digest,
}

/// The ends that this node has named.
#[derive(Default)]
pub(super) struct NamedEnds(HashMap<Of, i64>);

/// The parameters of [`ENDS`]: the month before a time, and how many.
pub(super) fn since(now: Timestamp) -> (Month, i64) {
    (Month::before(now, 1), HEADS_MAX)
}

impl Head {
    /// Reads a row of [`ENDS`].
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) fn read(row: &Row) -> Result<Self, Setback> {
        let of = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let root: &[u8] = row.try_get(4)?;
        let root = root.try_into().map_err(|_| StorageFault::Damaged)?;
        Ok(Self { of, number: row.try_get(3)?, root })
    }
}

impl NamedEnds {
    /// The text that names those of `heads` that have moved; `None` if none has.
    pub(super) fn text(&mut self, heads: Vec<Head>) -> Option<String> {
        let mut text = BEGINS.to_owned();
        for Head { of, number, root } in heads {
            if self.0.get(&of) != Some(&number) {
                let (kind, month, node) = &of;
                let root = STANDARD_NO_PAD.encode(root);
                text = format!("{text} {kind}|{month}|{node}|{number}|{root}");
                self.0.insert(of, number);
            }
        }
        (text.len() > BEGINS.len()).then_some(text)
    }
}

/// The ends that a control row names; `None` if it is another one.
pub(super) fn parse(text: &str) -> Option<Vec<Head>> {
    let parse = |head: &str| {
        let [kind, month, node, number, root] =
            head.split('|').collect::<Vec<_>>().try_into().ok()?;
        let root = STANDARD_NO_PAD.decode(root).ok()?.try_into().ok()?;
        let of = (kind.to_owned(), month.to_owned(), node.parse().ok()?);
        Some(Head { of, number: number.parse().ok()?, root })
    };
    text.strip_prefix(BEGINS)?.split_whitespace().map(parse).collect()
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
        assert_eq!(parse(&text), Some(vec![head(1, 5), head(2, 0)]));
        assert_eq!(named.text(vec![head(1, 5), head(2, 0)]), None);
        let text = named.text(vec![head(1, 6), head(2, 0)]).unwrap();
        assert_eq!(parse(&text), Some(vec![head(1, 6)]));
        assert_eq!(parse("operator: paused"), None);
    }
}
