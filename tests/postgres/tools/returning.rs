//! `migrate` of the audit trail and of the messages of identity providers from the database into files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{
    Desk, done, failed,
    recording::{SESSIONS, answers, fill, serve, serve_files},
};
use crate::cluster::Cluster;

const ROWS: &str = "SELECT month || '|' || node || '|' || number || '|' || encode(root, 'hex') \
    FROM sportello.TABLE WHERE node > 0 ORDER BY month, node, number";

/// A database into which files were moved, and in which two servers went on; what `audit` shows of it.
struct Moved {
    cluster: Cluster,
    desk: Desk,
    shown: Vec<String>,
    controls: String,
}

impl Moved {
    fn into_database() -> Self {
        let cluster = Cluster::start();
        let desk = Desk::at(cluster.url());
        let data = desk.path("data");
        fill(&data.join("ledger"));
        done(desk.migrate(data.to_str().unwrap(), &cluster.url()));
        // The second is the first one in time, and writes in two months.
        serve(&cluster, cluster.url(), "one", &[("2024-09-19T12:00:00Z", "visit-4")]);
        let later = [("2024-09-18T12:00:00Z", "visit-5"), ("2024-10-02T12:00:00Z", "visit-6")];
        serve(&cluster, cluster.url(), "two", &later);
        cluster.wait_for(SESSIONS, "0");
        done(desk.on_database(&["verify"]));
        let shown = answers(|question| done(desk.on_database(question)));
        let controls = done(desk.on_database(&["audit", "--controls"]));
        assert!(shown[0].lines().count() == 9 && shown[2].contains("visit-6"), "{shown:?}");
        assert!(controls.contains("operator: visit-5"), "{controls}");
        Self { cluster, desk, shown, controls }
    }

    /// Moves everything out of the database; the data directory.
    fn back_into(&self, name: &str) -> PathBuf {
        let data = self.desk.path(name);
        let out = self.moved(&data);
        assert!(out.contains("audit trail: ") && !out.contains("was there already"), "{out}");
        data
    }

    #[track_caller]
    fn moved(&self, data: &Path) -> String {
        let (code, out, told) = self.desk.migrate(&self.cluster.url(), data.to_str().unwrap());
        assert_eq!(code, Some(0), "{out}{told}");
        assert!(out.contains("whole"), "{out}");
        let left = "not copied: rounds of the waiting room (they begin anew, above every number so far), journal";
        assert!(told.contains(left) && !told.contains("audit trail"), "{told}");
        out
    }

    /// What `audit` shows of files.
    fn answers(&self, data: &Path) -> Vec<String> {
        answers(|question| done(self.desk.on_files(data, question)))
    }

    /// The chains of nodes in the files of a kind, as [`ROWS`].
    fn rows(data: &Path, prefix: &str) -> String {
        let ledgers = fs::read_dir(data.join("ledger")).unwrap();
        let mut rows = Vec::new();
        for file in ledgers.map(|file| file.unwrap()) {
            let name = file.file_name().into_string().unwrap();
            let month = name.strip_prefix(prefix).and_then(|name| name.strip_suffix(".sqlite"));
            let Some(month) = month.filter(|month| *month != "commands") else { continue };
            let file = Connection::open(file.path()).unwrap();
            let sql = "SELECT node, number, lower(hex(root)) FROM node_rows";
            let mut select = file.prepare(sql).unwrap();
            let read = select.query_map([], |row| {
                let (node, number, root): (i32, i64, String) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok((month.to_owned(), node, number, root))
            });
            rows.extend(read.unwrap().map(|row| row.unwrap()));
        }
        rows.sort();
        let rows: Vec<_> = rows
            .iter()
            .map(|(month, node, number, root)| format!("{month}|{node}|{number}|{root}"))
            .collect();
        rows.join("\n")
    }
}

#[test]
fn the_chains_of_all_nodes_move_into_files_and_into_another_database_and_stay_what_they_were() {
    let moved = Moved::into_database();
    let (desk, url) = (&moved.desk, moved.cluster.url());
    let back = moved.back_into("back");
    assert!(moved.moved(&back).contains("audit trail: "), "and again");
    for (table, prefix) in [("trail", "audit-"), ("messages", "messages-")] {
        let there = moved.cluster.sql(&ROWS.replace("TABLE", table));
        assert_eq!(Moved::rows(&back, prefix), there.trim(), "{table}");
    }
    assert_eq!(moved.answers(&back), moved.shown);
    let controls = done(desk.on_files(&back, &["audit", "--controls"]));
    let (before, after) = controls.split_at(moved.controls.len());
    assert_eq!(before, moved.controls);
    assert_eq!(after.matches("migrated from").count(), 2, "{after}");

    // The machine goes on with a chain of its own, in a month of the nodes and in a later one.
    let ledgers = back.join("ledger");
    serve_files(&ledgers, &[("2024-10-03T12:00:00Z", "visit-7")]);
    let later = [("2024-10-04T12:00:00Z", "visit-8"), ("2024-11-04T12:00:00Z", "visit-9")];
    serve_files(&ledgers, &later);
    done(desk.on_files(&back, &["verify"]));
    let shown = moved.answers(&back);
    assert_eq!(shown[0].lines().count(), 12, "{shown:?}");
    assert!(shown[2].contains("visit-1") && shown[2].contains("visit-9"), "{shown:?}");
    let controls = done(desk.on_files(&back, &["audit", "--controls"]));
    assert!(!controls.contains("ends of chains"), "{controls}");
    let told = failed(desk.migrate(&url, back.to_str().unwrap()), 2);
    assert!(told.contains("the target holds something else"), "{told}");

    // A backup has everything, and takes up what follows.
    let copy = desk.path("copy");
    let to = ["backup", "--to", copy.to_str().unwrap()];
    done(desk.on_files(&back, &to));
    serve_files(&ledgers, &[("2024-11-05T12:00:00Z", "visit-10")]);
    done(desk.on_files(&back, &to));
    done(desk.on_files(&copy, &["verify"]));
    let shown = moved.answers(&back);
    assert_eq!(moved.answers(&copy), shown);

    // Somebody had another database serve once: a server that wrote nothing has the number of a node.
    moved.cluster.sql("CREATE DATABASE other");
    let other = url.replace("/sportello?", "/other?");
    let there = Desk::at(other.clone());
    serve(&moved.cluster, other.clone(), "idle", &[]);
    moved.cluster.wait_for(SESSIONS, "0");
    done(desk.migrate(back.to_str().unwrap(), &other));
    assert_eq!(answers(|question| done(there.on_database(question))), shown);
    serve(&moved.cluster, other.clone(), "three", &[("2024-11-06T12:00:00Z", "visit-11")]);
    moved.cluster.wait_for(SESSIONS, "0");
    done(there.on_database(&["verify"]));
    let shown = answers(|question| done(there.on_database(question)));
    assert!(shown[2].contains("visit-11"), "{shown:?}");
    let (code, out, told) = desk.migrate(&other, desk.path("once-more").to_str().unwrap());
    assert_eq!(code, Some(0), "{out}{told}");
    assert_eq!(moved.answers(&desk.path("once-more")), shown);
}

/// Statements, a file, and words of the finding.
const TAMPERINGS: [(&str, &str, &str); 15] = [
    (
        "UPDATE node_rows SET written_at = written_at + 1 WHERE node = 2 AND number = 2",
        "audit-2024-09",
        "audit trail of 2024-09, node 2: row 2 was changed",
    ),
    (
        // It may be that of a control action, which has none.
        "UPDATE node_rows SET actors = x'00' WHERE node = 1 AND number = 1",
        "audit-2024-07",
        "audit trail of 2024-07, node 1: row 1 was changed",
    ),
    (
        "DELETE FROM node_rows WHERE node = 3 AND number = 1",
        "audit-2024-09",
        "audit trail of 2024-09, node 3: rows before 2 are missing",
    ),
    (
        "DELETE FROM node_rows WHERE node = 2 AND number = (SELECT max(number) FROM node_rows WHERE node = 2)",
        "audit-2024-09",
        "audit trail of 2024-09, node 2: rows up to",
    ),
    (
        "DELETE FROM node_rows WHERE node = 3 AND number = (SELECT max(number) FROM node_rows WHERE node = 3); \
         UPDATE node_ends SET (number, root) = (SELECT number, root FROM node_rows WHERE node = 3 ORDER BY number DESC LIMIT 1) \
         WHERE node = 3",
        "audit-2024-10",
        "audit trail of 2024-10, node 3: rows up to",
    ),
    (
        "DELETE FROM node_rows WHERE node = 3; DELETE FROM node_ends WHERE node = 3",
        "audit-2024-10",
        "audit trail of 2024-10, node 3: rows up to",
    ),
    (
        "DELETE FROM node_rows WHERE node = 2; DELETE FROM node_ends WHERE node = 2",
        "audit-2024-09",
        "audit trail of 2024-09, node 2: rows up to",
    ),
    (
        "DELETE FROM node_ends WHERE node = 3",
        "audit-2024-10",
        "audit trail of 2024-10, node 3: nothing says where it ends",
    ),
    (
        "UPDATE trail SET control = 'nothing' WHERE number = 1",
        "audit-2024-10",
        "audit trail of 2024-10: row 1 was changed",
    ),
    (
        "DELETE FROM trail",
        "audit-2024-10",
        "audit trail of 2024-11: row 0 was changed, or the one before it",
    ),
    (
        "DELETE FROM trail WHERE number > 1",
        "audit-commands",
        "audit trail of commands, node 0: rows up to",
    ),
    (
        "UPDATE node_rows SET sealed = x'' WHERE node = 1 AND number = 1",
        "messages-2024-08",
        "messages of 2024-08, node 1: row 1 was changed",
    ),
    (
        "DELETE FROM node_rows WHERE node = 2 AND number = 1",
        "messages-2024-09",
        "messages of 2024-09, node 2: rows up to 1",
    ),
    (
        "DELETE FROM node_rows WHERE node = 3; DELETE FROM node_ends WHERE node = 3",
        "messages-2024-10",
        "messages of 2024-10, node 3: rows up to 1",
    ),
    (
        "UPDATE message SET owner = zeroblob(16) WHERE number = 1",
        "messages-2024-11",
        "messages of 2024-11: row 1 was changed",
    ),
];

#[test]
fn every_tampering_with_the_chains_of_nodes_in_files_is_found() {
    let moved = Moved::into_database();
    let back = moved.back_into("back");
    let ledgers = back.join("ledger");
    let visits = [("2024-10-03T12:00:00Z", "visit-7"), ("2024-11-04T12:00:00Z", "visit-8")];
    serve_files(&ledgers, &visits);
    let verified = || moved.desk.on_files(&back, &["verify"]);
    done(verified());
    for (tampering, file, words) in TAMPERINGS {
        let path = ledgers.join(format!("{file}.sqlite"));
        let kept = fs::read(&path).unwrap();
        let tampered = Connection::open(&path).unwrap();
        tampered.execute_batch(tampering).unwrap();
        assert!(tampered.total_changes() > 0, "{file}: {tampering}: there is no such row");
        drop(tampered);
        let (code, _, told) = verified();
        let is_found = code == Some(1) && told.contains(words);
        assert!(is_found, "{file}: {tampering}: {told}");
        fs::write(&path, kept).unwrap();
        done(verified());
    }
    for (file, words) in [
        ("audit-2024-10", "audit trail of 2024-10, node 3: rows up to"),
        ("audit-2024-08", "audit trail of 2024-09, node 1: row 0 was changed"),
        ("messages-2024-10", "messages of 2024-10, node 3: rows up to 1"),
    ] {
        let path = ledgers.join(format!("{file}.sqlite"));
        let kept = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let told = failed(verified(), 1);
        assert!(told.contains(words), "{file} is missing: {told}");
        fs::write(&path, kept).unwrap();
    }
    done(verified());
}

#[test]
fn a_move_into_files_that_was_interrupted_goes_on_and_keeps_what_the_database_says_is_missing() {
    let moved = Moved::into_database();
    let back = moved.back_into("back");
    let ledgers = back.join("ledger");
    // It had two months, and half of another one.
    for file in ["audit-2024-09", "audit-2024-10", "audit-commands", "messages-2024-10"] {
        fs::remove_file(ledgers.join(format!("{file}.sqlite"))).unwrap();
    }
    fs::write(ledgers.join("audit-2024-09.copying"), "half").unwrap();
    let out = moved.moved(&back);
    assert!(
        !out.lines().any(|line| line.starts_with("audit") && line.ends_with("already")),
        "{out}"
    );
    assert!(!ledgers.join("audit-2024-09.copying").exists());
    assert_eq!(moved.answers(&back), moved.shown);
    // A month that is there and is another one is no part of it.
    let month = Connection::open(ledgers.join("audit-2024-08.sqlite")).unwrap();
    fs::remove_file(ledgers.join("audit-commands.sqlite")).unwrap();
    month.execute("DELETE FROM node_rows WHERE number = 2", []).unwrap();
    drop(month);
    let told = failed(moved.desk.migrate(&moved.cluster.url(), back.to_str().unwrap()), 2);
    assert!(told.contains("audit trail: the target holds something else"), "{told}");

    // The last row of the last node, whose end nobody else names.
    moved.cluster.sql(
        "DELETE FROM sportello.trail WHERE node = 3 AND month = '2024-10' \
         AND number = (SELECT max(number) FROM sportello.trail WHERE node = 3 AND month = '2024-10')",
    );
    let (code, out, told) =
        moved.desk.migrate(&moved.cluster.url(), moved.desk.path("less").to_str().unwrap());
    assert_eq!(code, Some(1), "{out}{told}");
    assert!(told.contains("audit trail of 2024-10, node 3: rows up to"), "{told}");
}
