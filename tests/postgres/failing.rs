//! Faults between a submission and its answer: whatever happens, an answer is true, and nothing is stored twice.

use std::{
    thread,
    time::{Duration, Instant},
};

use sportello::ledger::{book::submission::Disposition, fault::CommitFault};

use crate::{
    cluster::Cluster,
    node::{Node, submission, word},
};

const RECORDS: &str = "SELECT count(*) FROM sportello_iscro_2024.records";
/// Somebody who applies before anything fails, so that positions are reserved.
const FIRST: u64 = 100;
/// Commits of this ledger that wait for a standby.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE application_name = 'sportello' AND wait_event = 'SyncRep'";
const STATES: &str =
    "pg_stat_activity WHERE application_name = 'sportello' AND wait_event = 'SyncRep'";

/// A node that has written before.
fn open(cluster: &Cluster, wait_ms_max: u64) -> Node {
    let node = Node::open(cluster, "node", wait_ms_max);
    assert_eq!(word(&node.submit_one(submission(FIRST, 0, 0))), "accepted");
    node
}

/// Submits while `meddle` does its work, and gives the answer and how long it took.
#[expect(clippy::disallowed_methods, reason = "a test measures how long an answer takes")]
fn submit_meanwhile(
    node: &Node,
    person: u64,
    meddle: impl FnOnce(),
) -> (Result<Disposition, CommitFault>, Duration) {
    let started = Instant::now();
    thread::scope(|scope| {
        let submitting =
            scope.spawn(|| (node.submit_one(submission(person, 0, 0)), started.elapsed()));
        // On the test's own thread: the servers that it starts end with their thread.
        meddle();
        submitting.join().unwrap()
    })
}

/// A commit whose wait for the standbys is ended by `statement` is committed on the primary alone. It is acknowledged only
/// after a standby has it.
fn assert_true_although_the_wait_is_ended_by(statement: &str) {
    let cluster = Cluster::start();
    let node = open(&cluster, 30_000);
    cluster.pause_standbys();
    let pause = Duration::from_secs(2);
    let (answer, took) = submit_meanwhile(&node, 1, || {
        cluster.wait_for(WAITING, "1");
        assert_eq!(cluster.sql(&format!("SELECT {statement}(pid) FROM {STATES}")), "t");
        // It is visible, and on no standby.
        cluster.wait_for(RECORDS, "2");
        thread::sleep(pause);
        cluster.continue_standbys();
    });
    assert_eq!(word(&answer), "accepted", "it landed, and is new");
    assert!(took >= pause, "acknowledged after {took:?}, before any standby had it");
    let again = node.submit_one(submission(1, 0, 0));
    assert_eq!(word(&again), "replayed");
    assert_eq!(cluster.sql(RECORDS), "2");
}

#[test]
fn a_cancelled_wait_for_the_standbys_is_no_commit() {
    assert_true_although_the_wait_is_ended_by("pg_cancel_backend");
}

#[test]
fn a_terminated_backend_is_no_commit() {
    assert_true_although_the_wait_is_ended_by("pg_terminate_backend");
}

#[test]
fn without_standbys_intake_stops_and_a_repeated_submission_is_stored_once() {
    let cluster = Cluster::start();
    let node = open(&cluster, 1500);
    cluster.pause_standbys();
    for _ in 0..2 {
        assert_eq!(word(&node.submit_one(submission(1, 0, 0))), "away");
        assert_eq!(word(&node.submit_one(submission(2, 0, 0))), "away");
    }
    cluster.continue_standbys();
    let mut accepted = 0;
    for person in [1, 2] {
        let answer = loop {
            // The first commit is still waited for, or has just arrived.
            match node.submit_one(submission(person, 0, 0)) {
                Err(CommitFault::Away) => {}
                other => break other.unwrap(),
            }
        };
        match answer {
            Disposition::Accepted(..) => accepted += 1,
            Disposition::Replayed(position) => {
                let receipt = node.runtime.block_on(node.ledger.receipt(position)).unwrap();
                assert!(receipt.is_some(), "a replay has a receipt");
            }
            _ => panic!("person {person}"),
        }
    }
    assert!(accepted < 2, "the first one was committed when the standbys came back");
    assert_eq!(cluster.sql(RECORDS), "3");
}

/// Kills the primary when a submission is where `waits` counts one, starts it again, and lets everything continue.
fn assert_stored_once_although_the_primary_dies(mut cluster: Cluster, node: &Node, waits: &str) {
    let shared = &mut cluster;
    let (answer, _) = submit_meanwhile(node, 1, move || {
        shared.wait_for(waits, "1");
        shared.kill_primary();
        shared.start_primary();
        shared.continue_standbys();
    });
    assert_eq!(word(&answer), "accepted");
    let again = node.submit_one(submission(1, 0, 0));
    assert_eq!(word(&again), "replayed");
    assert_eq!(cluster.sql(RECORDS), "2");
}

#[test]
fn a_primary_killed_before_the_commit_takes_nothing_with_it_and_doubles_nothing() {
    let cluster = Cluster::start();
    let node = open(&cluster, 60_000);
    // Holds the transaction between its insertions: the work list is filled after the records.
    let mut holder =
        cluster.sql_beside("BEGIN; LOCK TABLE sportello_iscro_2024.undecided; SELECT pg_sleep(60)");
    cluster.wait_for("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1");
    let waits = "SELECT count(*) FROM pg_stat_activity \
        WHERE application_name = 'sportello' AND wait_event_type = 'Lock'";
    assert_stored_once_although_the_primary_dies(cluster, &node, waits);
    assert!(!holder.wait().unwrap().success(), "its server died");
}

#[test]
fn a_primary_killed_while_it_waits_for_the_standbys_loses_and_doubles_nothing() {
    let cluster = Cluster::start();
    let node = open(&cluster, 60_000);
    cluster.pause_standbys();
    assert_stored_once_although_the_primary_dies(cluster, &node, WAITING);
}
