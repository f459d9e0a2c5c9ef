//! Holds the house to its plan: floors, the one gate, sizes, and metrics that exist.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use sportello::metrics;

/// The floors of the house, from the ground up: what stands on a line may import from its own line and those above it.
const FLOORS: [&[&str]; 6] = [
    &["civic", "schemes", "application"],
    &["ledger", "urn", "clock", "log", "metrics", "registry"],
    &["gate", "session", "identity"],
    &["intake", "judges"],
    &["http", "operator"],
    &["cli", "config", "server", "upkeep", "main", "lib"],
];
/// Lines of a file at most; fewer read better.
const FILE_LINES_MAX: usize = 500;

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

/// The modules that a source names behind `crate::`, also in grouped imports.
fn imported(source: &str) -> BTreeSet<String> {
    let code: String = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut modules = BTreeSet::new();
    for (_, rest) in
        code.match_indices("crate::").map(|(at, found)| (at, &code[at + found.len()..]))
    {
        let Some(group) = rest.strip_prefix('{') else {
            modules.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                _ if start && letter.is_alphanumeric() => {
                    modules.insert(word(&group[at..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    modules
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn imports_point_downwards_only() {
    let source = root().join("src");
    let mut seen = 0;
    for path in files(&source, ".rs") {
        let relative = path.strip_prefix(&source).unwrap().with_extension("");
        let module = relative.iter().next().unwrap().to_str().unwrap().to_owned();
        let own = floor_of(&module).unwrap_or_else(|| panic!("{module} stands on no floor"));
        for import in imported(&fs::read_to_string(&path).unwrap()) {
            if let Some(other) = floor_of(&import) {
                assert!(
                    other <= own,
                    "{}: floor {own} imports {import} of floor {other}",
                    relative.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "the reader of imports has gone blind: {seen}");
}

#[test]
fn grouped_and_plain_imports_are_read() {
    let read = |text| imported(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(read("use crate::{ledger::{a, b}, civic::C, urn};"), "civic ledger urn");
    assert_eq!(read("fn f() -> crate::http::X {} // crate::cli"), "http");
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
fn the_registry_of_sessions_keeps_its_map_to_itself() {
    for path in files(&root().join("src"), ".rs") {
        let text = fs::read_to_string(&path).unwrap();
        let allowed = path.ends_with("session/registry.rs") || path.ends_with("gate/limits.rs");
        assert!(allowed || !text.contains("dashmap"), "{} names dashmap", path.display());
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
