//! `verify` and `erase` on the database.

use sportello::ledger::book::{record::Turn, submission::Disposition};
use sportello::schemes::Outcome;

use super::{Desk, Hand, done, failed};
use crate::{
    cluster::Cluster,
    node::{Node, filing, submission},
};

const SCHEMA: &str = "sportello_iscro_2024";
/// Tables that a test damages and puts back.
const TABLES: [&str; 7] =
    ["nodes", "batches", "records", "changes", "undecided", "pending", "filings"];

impl Node {
    fn hand(&self) -> Hand<'_> {
        Hand { ledger: &*self.ledger, runtime: &self.runtime }
    }
}

/// Damages the tables, gives the exit code of `verify` and what it says, and puts the tables back.
fn verify_after(cluster: &Cluster, desk: &Desk, damage: &str) -> (Option<i32>, String) {
    cluster.sql(&format!("SET search_path TO {SCHEMA}; {damage}"));
    let (code, _, told) = desk.on_database(&["verify"]);
    for table in TABLES {
        let restore = format!(
            "BEGIN; TRUNCATE {SCHEMA}.{table}; \
             INSERT INTO {SCHEMA}.{table} OVERRIDING SYSTEM VALUE SELECT * FROM kept.{table}; COMMIT"
        );
        cluster.sql(&restore);
    }
    (code, told)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of everything that may be tampered with")]
fn verify_is_content_with_what_two_nodes_write_and_names_every_tampering() {
    let cluster = Cluster::start();
    let desk = Desk::at(cluster.url());
    let nodes = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    let mut receipts = Vec::new();
    for (node, first) in nodes.iter().zip([100, 200]) {
        receipts.extend(node.hand().fill(first));
    }
    // One node decides and withdraws what another one accepted.
    let (position, receipt) = nodes[0].hand().apply(300, submission(300, 0, 0));
    nodes[1].hand().decide(300, position, Turn::First, Outcome::Pending);
    nodes[0].hand().withdraw(position);
    receipts.push(receipt);
    let list = desk.keep(&receipts);
    // While the nodes run.
    let out = done(desk.on_database(&["verify", "--receipts", list.to_str().unwrap()]));
    let counts = "iscro-2024: accepted 17 = decided 9 + undecided 6 + withdrawn before a decision 2; withdrawn later 3";
    assert!(out.contains(counts) && out.contains("whole"), "{out}");
    assert!(out.contains("receipts: 17 read, 17 distinct, 0 lost, 0 faulty"), "{out}");
    let node = nodes[0].submit_one(submission(400, 0, 0));
    assert!(matches!(node, Ok(Disposition::Accepted(..))), "the nodes still work");
    cluster.sql("CREATE SCHEMA kept");
    for table in TABLES {
        cluster.sql(&format!("CREATE TABLE kept.{table} AS TABLE {SCHEMA}.{table}"));
    }
    let newest = "(SELECT max(number) FROM batches WHERE node = 1)";
    let granted = "(SELECT min(position) FROM changes WHERE sealed IS NOT NULL)";
    let two = "(SELECT array_agg(position ORDER BY position) FROM (SELECT position FROM records \
        WHERE channel = 0 AND nth = 0 LIMIT 2) r)";
    let mut missed = Vec::new();
    for (damage, expected) in [
        (
            "UPDATE records SET sealed = set_byte(sealed, 80, get_byte(sealed, 80) # 1) WHERE position = 0".to_owned(),
            "the record does not open for its subject",
        ),
        (format!("DELETE FROM changes WHERE position = {granted}"), "its changes are not those that the chain records"),
        (
            format!("UPDATE changes SET change = 1 WHERE position = {granted}"),
            "its changes are not those that the chain records",
        ),
        (format!("UPDATE changes SET sealed = NULL WHERE position = {granted}"), "the decision is missing"),
        (
            format!("UPDATE changes SET sealed = set_byte(sealed, 30, get_byte(sealed, 30) # 1) WHERE position = {granted}"),
            "the decision does not open for its subject",
        ),
        ("INSERT INTO changes VALUES (4000, 0, 0, NULL)".to_owned(), "a change of it is left, and no record"),
        ("DELETE FROM batches WHERE node = 1 AND number = 2".to_owned(), "chain 1 is broken before batch 3"),
        (format!("DELETE FROM batches WHERE node = 1 AND number = {newest}"), "batches and not the"),
        (
            format!("UPDATE nodes SET batches = batches - 1 WHERE node = 1; DELETE FROM batches WHERE node = 1 AND number = {newest}"),
            "batches and not the",
        ),
        (
            "UPDATE batches SET signature = overlay(signature placing 'AAAA' from 12 for 4) WHERE node = 2 AND number = 1".to_owned(),
            "iscro-2024: batch 1 of chain 2 does not match its signed root",
        ),
        (
            "UPDATE batches SET written_at = written_at + 1 WHERE node = 2 AND number = 3".to_owned(),
            "iscro-2024: batch 3 of chain 2 does not match its signed root",
        ),
        (
            "UPDATE batches SET entries = set_byte(entries, 0, get_byte(entries, 0) # 1) WHERE node = 1 AND number = 1".to_owned(),
            "its batch does not match its signed root",
        ),
        (
            format!("DROP INDEX records_claim; UPDATE records r SET claim = o.claim FROM records o WHERE \
                (r.position, o.position) IN (({two}[1], {two}[2]), ({two}[2], {two}[1])); \
                CREATE UNIQUE INDEX records_claim ON records (claim, nth)"),
            "its claim, key, digest or channel is not the one that was signed",
        ),
        ("DELETE FROM records WHERE position = 0".to_owned(), "the record is missing"),
        (
            "INSERT INTO records SELECT 4000, '\\x00', 0, '\\x00', digest, channel, sealed FROM records WHERE position = 0".to_owned(),
            "its batch is missing or cannot be read",
        ),
        (
            "UPDATE nodes SET decided[1] = decided[1] + 1 WHERE node = 2".to_owned(),
            "chain 2: the counts of its node are not those of its batches",
        ),
        ("DELETE FROM nodes WHERE node = 2".to_owned(), "chain 2 has batches, and its node has no row"),
        ("DELETE FROM undecided WHERE position = 0".to_owned(), "it is on a work list and should not be"),
        ("INSERT INTO pending VALUES (0)".to_owned(), "it is on a work list and should not be"),
        ("DELETE FROM filings".to_owned(), "the list of its office does not show it as it is"),
    ] {
        let (code, told) = verify_after(&cluster, &desk, &damage);
        if code != Some(1) || !told.contains(expected) {
            missed.push(format!("{damage}: {code:?} {told}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    let next = cluster.sql(&format!("SELECT next FROM {SCHEMA}.positions"));
    cluster.sql(&format!("UPDATE {SCHEMA}.positions SET next = 1"));
    let told = failed(desk.on_database(&["verify"]), 1);
    assert!(told.contains("used positions would be given away again"), "{told}");
    cluster.sql(&format!("UPDATE {SCHEMA}.positions SET next = {next}"));
    done(desk.on_database(&["verify"]));
    // A receipt that a failover or a restore has taken back.
    let foreign = "ISCRO-2024-7K3M-9QXT-B2FD-0YHR\n";
    let list = desk.path("lost");
    std::fs::write(&list, foreign).unwrap();
    let told = failed(desk.on_database(&["verify", "--receipts", list.to_str().unwrap()]), 1);
    assert!(
        told.contains("LOST: the ledger does not hold ISCRO-2024-7K3M-9QXT-B2FD-0YHR"),
        "{told}"
    );
}

#[test]
fn verify_with_another_key_says_so_and_a_backup_says_what_to_do_instead() {
    let cluster = Cluster::start();
    let desk = Desk::at(cluster.url());
    let node = Node::open(&cluster, "one", 20_000);
    node.hand().apply(1, submission(1, 0, 0));
    let to = desk.path("copy");
    let told = failed(desk.on_database(&["backup", "--to", to.to_str().unwrap()]), 2);
    assert!(told.contains("pg_basebackup") && told.contains("sportello migrate"), "{told}");
    assert!(!to.exists());
    std::fs::write(desk.path("ledger.key"), "08".repeat(32) + "\n").unwrap();
    let told = failed(desk.on_database(&["verify"]), 2);
    assert!(told.contains("was written with another key"), "{told}");
}

#[test]
fn an_application_is_erased_while_nodes_run_and_the_others_still_verify() {
    let cluster = Cluster::start();
    let desk = Desk::at(cluster.url());
    let [one, two] = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    one.hand().fill(100);
    let (pending, receipt) = two.hand().apply(1, filing("caf", 1, 7, 0));
    let erase = ["erase", "--reason", "order 12/2026", "--receipt", &receipt.receipt];
    let told = failed(desk.on_database(&erase), 1);
    assert!(told.contains("withdraw an undecided application first"), "{told}");
    one.hand().decide(1, pending, Turn::First, Outcome::Pending);
    let holds = |what: &str| {
        cluster.sql(&format!("SELECT count(*) FROM {SCHEMA}.{what}")).parse::<u64>().unwrap()
    };
    assert_eq!(holds("filings"), 2);
    let out = done(desk.on_database(&erase));
    assert!(out.contains(&format!("erased {}", receipt.receipt)), "{out}");
    assert_eq!(holds("records WHERE sealed = ''"), 1);
    assert_eq!(holds("filings"), 1);
    let code = sportello::ledger::ReceiptCode::parse(&receipt.receipt).unwrap();
    assert_eq!(two.runtime.block_on(two.ledger.find(code)).unwrap(), None);
    let told = failed(desk.on_database(&erase), 1);
    assert!(told.contains("it was erased before"), "{told}");
    // Its person may not apply again: it stood.
    assert!(matches!(two.submit_one(submission(1, 9, 0)), Ok(Disposition::AlreadyApplied(_))));
    // The judge who had it is too late.
    two.hand().decide(1, pending, Turn::Again, Outcome::Granted);
    done(desk.on_database(&["verify"]));
    assert!(!done(desk.on_database(&["export"])).contains(&receipt.receipt));
    let unknown = ["erase", "--reason", "r", "--receipt", "ISCRO-2024-7K3M-9QXT-B2FD-0YHR"];
    assert!(failed(desk.on_database(&unknown), 1).contains("the ledger does not hold it"));

    let campaign = ["erase", "--reason", "kept for ten years", "--campaign", "iscro-2024"];
    let told = failed(desk.on_database(&campaign), 2);
    assert!(told.contains("stop them first"), "{told}");
    drop((one, two));
    cluster.wait_for(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sportello'",
        "0",
    );
    done(desk.on_database(&campaign));
    assert_eq!(cluster.sql(&format!("SELECT to_regnamespace('{SCHEMA}') IS NULL")), "t");
    assert!(failed(desk.on_database(&campaign), 1).contains("there is no such ledger"));
}
