//! Rows that name the ends of other chains: who removes the last rows of one chain has to change another.
//!
//! Such a row is a control row of its own. The nodes of a database write them, and so does the command that moves chains of nodes
//! into files.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use super::super::proof::Digest;

/// The node of what commands did; its chain has no months.
pub(in crate::ledger) const NODE_OF_COMMANDS: i32 = 0;
const BEGINS: &str = "ends of chains:";

/// A chain in one month: kind of rows, month and node.
pub(in crate::ledger) type Of = (String, String, i32);

/// The end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct Head {
    pub(in crate::ledger) of: Of,
    pub(in crate::ledger) number: i64,
    pub(in crate::ledger) root: Digest,
}

/// The text that names some ends; `None` if there are none.
pub(in crate::ledger) fn text(heads: &[Head]) -> Option<String> {
    let mut text = BEGINS.to_owned();
    for Head { of: (kind, month, node), number, root } in heads {
        let root = STANDARD_NO_PAD.encode(root);
        text = format!("{text} {kind}|{month}|{node}|{number}|{root}");
    }
    (!heads.is_empty()).then_some(text)
}

/// The ends that a control row names; `None` if it is another one.
pub(in crate::ledger) fn parse(text: &str) -> Option<Vec<Head>> {
    let parse = |head: &str| {
        let [kind, month, node, number, root] =
            head.split('|').collect::<Vec<_>>().try_into().ok()?;
        let root = STANDARD_NO_PAD.decode(root).ok()?.try_into().ok()?;
        let of = (kind.to_owned(), month.to_owned(), node.parse().ok()?);
        Some(Head { of, number: number.parse().ok()?, root })
    };
    text.strip_prefix(BEGINS)?.split_whitespace().map(parse).collect()
}

/// The last of the ends that were named of each chain and month.
#[derive(Default)]
pub(in crate::ledger) struct Ends(BTreeMap<Of, (i64, Digest)>);

impl Ends {
    /// Adds some, in any order.
    pub(in crate::ledger) fn add(&mut self, heads: Vec<Head>) {
        for Head { of, number, root } in heads {
            let last = self.0.entry(of).or_insert((number, root));
            if number > last.0 {
                *last = (number, root);
            }
        }
    }

    /// Those of one kind in months that are kept, sorted by month: before the first of which there are rows, everything was
    /// removed as a whole.
    pub(in crate::ledger) fn of(&self, kind: &str, first_month: Option<&str>) -> Vec<Head> {
        let kept = self.0.iter().filter(|((of, month, _), _)| {
            of == kind && first_month.is_none_or(|first| month.as_str() >= first)
        });
        kept.map(|(of, (number, root))| Head { of: of.clone(), number: *number, root: *root })
            .collect()
    }
}
