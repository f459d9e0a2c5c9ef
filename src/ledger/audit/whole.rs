//! Whether the chains in the files of months are whole, row by row, each with its end.

use std::{collections::BTreeMap, path::Path};

use super::{
    chain::{End, Walk},
    found::SearchFault,
    heads::{Head, NODE_OF_COMMANDS},
    month::Month,
    stored::{self, Stored},
};
use crate::vault::HouseKeys;

/// Walks along the chain of this machine and those of nodes, and shows each row to `each`. Returns what is wrong, in words for
/// the operator, and the first month of which there are rows.
///
/// # Errors
/// [`SearchFault`].
pub(super) fn walk<R: Stored>(
    directory: &Path,
    keys: &HouseKeys,
    mut each: impl FnMut(&R),
) -> Result<(Vec<String>, Option<String>), SearchFault> {
    let (mut findings, mut first_month) = (Vec::new(), None);
    let (mut own, mut nodes) = (Walk::new(keys), BTreeMap::new());
    for month in stored::months::<R>(directory)? {
        let mut last = BTreeMap::new();
        // The chain whose rows are read.
        let mut current = None;
        stored::each_row(directory, &month, |node, row: R| {
            let walk = match node {
                None => &mut own,
                Some(node) => nodes.entry(node).or_insert_with(|| Walk::new(keys)),
            };
            if current != Some(node) {
                current = Some(node);
                walk.begin(called::<R>(&month, node), month.is_chained());
            }
            walk.row(&row);
            if let Some(node) = node {
                last.insert(node, End { number: row.number(), root: *row.signed().0 });
            }
            each(&row);
            Ok(())
        })?;
        if month.is_chained() {
            first_month = first_month.or_else(|| current.map(|_| month.to_string()));
            // The rows of this machine come last.
            if current != Some(None) {
                own.pass_over();
            }
        }
        findings.extend(other_ends::<R>(directory, &month, &last)?);
    }
    let walks = std::iter::once(own).chain(nodes.into_values());
    let walked: Vec<_> = walks.flat_map(Walk::findings).collect();
    Ok(([walked, findings].concat(), first_month))
}

/// A finding for each chain of a node that does not end where it did when the file was moved here.
fn other_ends<R: Stored>(
    directory: &Path,
    month: &Month,
    last: &BTreeMap<i32, End>,
) -> Result<Vec<String>, SearchFault> {
    let ends = stored::ends_of_nodes::<R>(directory, month)?;
    let nodes = ends.keys().chain(last.keys().filter(|node| !ends.contains_key(node)));
    let other = nodes.filter(|node| ends.get(node) != last.get(node)).map(|node| {
        let called = called::<R>(month, Some(*node));
        match ends.get(node) {
            Some(End { number, .. }) => missing_up_to(&called, *number),
            None => format!("{called}: nothing says where it ends"),
        }
    });
    Ok(other.collect())
}

/// A finding for each end that some row names and that is not there.
///
/// # Errors
/// [`SearchFault`].
pub(super) fn missing<R: Stored>(
    directory: &Path,
    ends: Vec<Head>,
) -> Result<Vec<String>, SearchFault> {
    let months = stored::months::<R>(directory)?;
    let mut findings = Vec::new();
    for Head { of: (_, name, node), number, root } in ends {
        let month = months.iter().find(|month| month.as_str() == name);
        let chain = (node != NODE_OF_COMMANDS).then_some(node);
        let found = month
            .map(|month| stored::root_at::<R>(directory, month, (chain, number)))
            .transpose()?;
        if found.flatten() != Some(root) {
            let called = format!("{} of {name}, node {node}", R::CALLED);
            findings.push(missing_up_to(&called, number));
        }
    }
    Ok(findings)
}

fn called<R: Stored>(month: &Month, node: Option<i32>) -> String {
    let of = R::CALLED;
    node.map_or_else(|| format!("{of} of {month}"), |node| format!("{of} of {month}, node {node}"))
}

fn missing_up_to(called: &str, number: i64) -> String {
    format!("{called}: rows up to {number} are missing or changed")
}
