//! Checks the house against its plan: floors, circles, the one gate, sizes, and the names of metrics.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot continue")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use sportello::metrics;

use self::imports::Import;

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/imports.rs"]
mod imports;

/// The floors of the house, the ground first: a module may import from its own line and those above it.
const FLOORS: [&[&str]; 6] = [
    &["civic", "schemes", "application", "properties"],
    &[
        "ledger",
        "registry",
        "vault",
        "private_files",
        "trusted_roots",
        "urn",
        "clock",
        "live",
        "log",
        "metrics",
        "trace",
    ],
    &["gate", "session", "identity"],
    &["intake", "judges"],
    &["http", "operator"],
    &["cli", "config", "server", "upkeep"],
];
/// The most lines of a file.
const FILE_LINES_MAX: usize = 500;
/// The most lines of the README, a newcomer's first screens.
const README_LINES_MAX: usize = 160;
/// The most characters of a line of the README, tables and code left out.
const README_LINE_CHARS_MAX: usize = 120;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in
        fs::read_dir(directory).unwrap_or_else(|fault| panic!("{}: {fault}", directory.display()))
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// The imports of all modules of a crate except `main.rs`, which nothing can import.
fn imports_of(source: &str) -> Vec<Import> {
    let source = root().join(source);
    let files: Vec<_> =
        files(&source, ".rs").into_iter().filter(|path| !path.ends_with("main.rs")).collect();
    imports::of_crate(&source, &files)
}

#[test]
fn imports_point_downwards_only() {
    let mut seen = 0;
    for Import { from, to, .. } in imports_of("src") {
        let [Some(from_room), Some(to_room)] = [&from, &to].map(|module| module.first()) else {
            continue;
        };
        let [own, other] = [from_room, to_room]
            .map(|room| floor_of(room).unwrap_or_else(|| panic!("{room} stands on no floor")));
        let (from, to) = (from.join("/"), to.join("/"));
        assert!(other <= own, "{from} on floor {own} imports {to} of floor {other}");
        seen += usize::from(from_room != to_room);
    }
    assert!(seen > 100, "too few imports were read: {seen}");
}

#[test]
fn no_directory_or_file_imports_what_imports_it() {
    let mut told = Vec::new();
    for source in ["src", "loadtest/src"] {
        let neighbours = circles::neighbours(&imports_of(source));
        let found = circles::in_circles(neighbours.keys());
        told.extend(found.iter().map(|pair| format!("{source} {pair:?}: {}", neighbours[pair])));
    }
    assert!(told.is_empty(), "circles:\n{}", told.join("\n"));
}

#[test]
fn responses_are_made_at_the_gate_and_nowhere_else() {
    for path in files(&root().join("src/http"), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        let makes = text.contains("Response::new") || text.contains("Response::builder");
        assert_eq!(makes, path.ends_with("http/guard.rs"), "{}", path.display());
    }
}

#[test]
fn the_sessions_keep_their_map_to_themselves() {
    for path in files(&root().join("src"), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        let allowed = path.ends_with("session/sessions.rs") || path.ends_with("gate/limits.rs");
        assert!(allowed || !text.contains("dashmap"), "{} names dashmap", path.display());
    }
}

#[test]
fn every_property_test_keeps_its_seeds_below_tests() {
    for path in files(&root().join("src"), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        let blocks = text.matches("proptest! {").count();
        let configured = text.matches("crate::properties::config()").count();
        assert!(blocks <= configured, "{}: {configured} of {blocks}", path.display());
    }
}

#[test]
fn files_hold_one_idea() {
    for folder in ["src", "tests", "benches", "loadtest"] {
        for path in files(&root().join(folder), ".rs") {
            if path.to_string_lossy().contains("/target/") {
                continue;
            }
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= FILE_LINES_MAX, "{}: {lines} lines", path.display());
        }
    }
}

#[test]
fn the_readme_is_short() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let mut wrong = Vec::new();
    let mut in_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        let is_free = in_code || is_fence || line.starts_with('|');
        if !is_free && line.chars().count() > README_LINE_CHARS_MAX {
            wrong.push(format!("line {number} is too long"));
        }
    }
    let lines = text.lines().count();
    if lines > README_LINES_MAX {
        wrong.push(format!("{lines} lines"));
    }
    assert!(wrong.is_empty(), "README.md: {}", wrong.join(", "));
}

#[test]
fn every_metric_that_an_operator_looks_at_exists() {
    let known: BTreeSet<String> = metrics::ALL
        .iter()
        .flat_map(|metric| {
            let parts =
                ["", "_bucket", "_sum", "_count"].map(|part| format!("{}{part}", metric.name));
            if matches!(metric.kind, metrics::Kind::Histogram(_)) {
                parts.to_vec()
            } else {
                parts[..1].to_vec()
            }
        })
        .collect();
    let mut named = 0;
    for folder in ["deploy/grafana", "deploy/prometheus"] {
        for path in
            [files(&root().join(folder), ".json"), files(&root().join(folder), ".yml")].concat()
        {
            let text = fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices("sportello_") {
                let name = word(&text[at..]);
                // Recording rules are named with colons, after what they record.
                assert!(
                    known.contains(&name) || text[at + name.len()..].starts_with(':'),
                    "{}: {name} does not exist",
                    path.display()
                );
                named += 1;
            }
        }
    }
    assert!(named > 20, "no metric is looked at: {named}");
}
