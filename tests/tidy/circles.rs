//! Finds circles of imports between the files and subdirectories of each directory.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::Import;

/// An import between two neighbours: their directory, the importer, the imported.
///
/// A neighbour is a file, a subdirectory with everything in it, or the directory's own `mod.rs`, called `mod`.
pub(crate) type Pair = (String, String, String);

/// Every import between neighbours, with an example.
///
/// `mod.rs` is a neighbour like the others: it either uses the files of its directory or defines what they use, not both.
/// Its `mod` declarations and its re-exports of own files do not count. Neither does code for tests: tests of a lower
/// module may use a higher one to build their input.
pub(crate) fn neighbours(imports: &[Import]) -> BTreeMap<Pair, String> {
    let mut pairs = BTreeMap::new();
    for Import { from, to, .. } in imports.iter().filter(|import| !import.in_tests) {
        let shared = from.iter().zip(to).take_while(|(one, other)| one == other).count();
        let name = |module: &[String]| module.get(shared).map_or("mod", String::as_str).to_owned();
        let pair = (from[..shared].join("/"), name(from), name(to));
        pairs.entry(pair).or_insert_with(|| format!("{} -> {}", from.join("/"), to.join("/")));
    }
    pairs
}

/// The pairs that are part of a circle: the imported leads back to the importer.
pub(crate) fn in_circles<'p>(pairs: impl IntoIterator<Item = &'p Pair>) -> BTreeSet<Pair> {
    let pairs: BTreeSet<_> = pairs.into_iter().cloned().collect();
    let leads_back = |(directory, from, to): &Pair| {
        let mut reached = BTreeSet::from([to]);
        let mut ahead = vec![to];
        while let Some(at) = ahead.pop() {
            let next = pairs.iter().filter(|(of, by, _)| of == directory && by == at);
            ahead.extend(next.map(|(_, _, next)| next).filter(|next| reached.insert(next)));
        }
        reached.contains(from)
    };
    pairs.iter().filter(|pair| leads_back(pair)).cloned().collect()
}

#[test]
fn a_circle_is_found_over_any_number_of_files_and_nothing_else_is() {
    let import = |from: &str, to: &str| {
        let module = |path: &str| path.split('/').map(str::to_owned).collect();
        Import { from: module(from), to: module(to), in_tests: false }
    };
    let circles = |imports: &[Import]| {
        let found = in_circles(neighbours(imports).keys());
        found.into_iter().map(|(_, from, to)| format!("{from} {to}")).collect::<Vec<_>>()
    };
    let line = [import("a/x", "b/y"), import("b", "c"), import("a/x", "a")];
    assert!(circles(&line).is_empty());
    let circle = [&line[..], &[import("c/z", "a")]].concat();
    assert_eq!(circles(&circle), ["a b", "b c", "c a"]);
    assert_eq!(circles(&[import("a/x", "a"), import("a", "a/x")]), ["mod x", "x mod"]);
    let tests = Import { in_tests: true, ..import("c/z", "a") };
    assert!(circles(&[&line[..], &[tests]].concat()).is_empty());
}
