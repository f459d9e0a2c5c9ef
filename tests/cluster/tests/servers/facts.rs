//! What PostgreSQL does that the replicated ledger must know, each fact shown on real servers.
//!
//! If a new version of PostgreSQL fails one of these, a reason of the ledger's design has changed.

use std::time::Duration;

use cluster::{Cluster, Fault, Setup, until};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;

use crate::session::Session;

/// Longest time until a server shows what a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A cluster with an empty table of claims.
async fn ground() -> Cluster {
    let cluster = Cluster::open(Setup::default()).unwrap();
    let session = open(&cluster, "a").await;
    session.client.batch_execute("CREATE TABLE claims (claim text PRIMARY KEY)").await.unwrap();
    cluster
}

async fn open(cluster: &Cluster, name: &str) -> Session {
    Session::open(&cluster.access(), cluster.node(name).host().address()).await.unwrap()
}

/// Drops packets from the first server to the others: nothing that it writes reaches a standby.
fn silence(cluster: &Cluster, primary: &str) {
    for standby in cluster.others(primary) {
        cluster.partition_one_way(primary, standby).unwrap();
    }
}

/// Inserts a claim on another task; its session comes back with the result.
fn inserting(
    session: Session,
    claim: &str,
) -> JoinHandle<(Session, Result<u64, tokio_postgres::Error>)> {
    let insert = format!("INSERT INTO claims VALUES ('{claim}')");
    tokio::spawn(async move {
        let done = session.client.execute(&insert, &[]).await;
        (session, done)
    })
}

/// Waits until a session waits for `event` at a server.
pub(crate) fn await_event(cluster: &Cluster, name: &str, pid: i32, event: &str) {
    let waits = format!(
        "SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND '{event}' IN (wait_event, wait_event_type)"
    );
    let look = || cluster.node(name).sql(&waits).ok().filter(|found| !found.is_empty());
    until(&format!("a session waits for {event}"), PATIENCE, look).unwrap();
}

/// The claims that are visible at a server.
async fn visible(cluster: &Cluster, name: &str) -> Vec<String> {
    open(cluster, name).await.column("SELECT claim FROM claims ORDER BY claim").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_wait_for_replication_answers_success_with_a_warning() {
    let cluster = ground().await;
    silence(&cluster, "a");
    let session = open(&cluster, "a").await;
    let pid = session.pid;
    let insert = inserting(session, "x");
    await_event(&cluster, "a", pid, "SyncRep");
    cluster.node("a").sql(&format!("SELECT pg_cancel_backend({pid})")).unwrap();
    let (session, done) = insert.await.unwrap();
    assert_eq!(done.unwrap(), 1, "the answer is success");
    let warnings = session.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("canceling wait for synchronous replication"), "{warnings:?}");
    assert_eq!(visible(&cluster, "a").await, ["x"]);
    assert_eq!(visible(&cluster, "b").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_session_has_committed_locally() {
    let cluster = ground().await;
    silence(&cluster, "a");
    let session = open(&cluster, "a").await;
    let pid = session.pid;
    let insert = inserting(session, "x");
    await_event(&cluster, "a", pid, "SyncRep");
    cluster.node("a").sql(&format!("SELECT pg_terminate_backend({pid})")).unwrap();
    let (_session, done) = insert.await.unwrap();
    done.unwrap_err();
    assert_eq!(visible(&cluster, "a").await, ["x"], "an error, and yet it is there");
    assert_eq!(visible(&cluster, "b").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_timeout_does_not_end_the_wait_for_replication() {
    let cluster = ground().await;
    silence(&cluster, "a");
    let session = open(&cluster, "a").await;
    session.client.batch_execute("SET statement_timeout = '200ms'").await.unwrap();
    let timed_out = session.client.batch_execute("SELECT pg_sleep(5)").await.unwrap_err();
    assert_eq!(timed_out.code(), Some(&SqlState::QUERY_CANCELED), "the setting works");
    let pid = session.pid;
    let insert = inserting(session, "x");
    let waits = format!(
        "SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'SyncRep' \
         AND clock_timestamp() - query_start > '2s'"
    );
    let look = || cluster.node("a").sql(&waits).ok().filter(|found| !found.is_empty());
    until("the wait is ten times as long as the timeout", PATIENCE, look).unwrap();
    assert!(!insert.is_finished());
    cluster.heal().unwrap();
    let (session, done) = insert.await.unwrap();
    assert_eq!(done.unwrap(), 1);
    assert_eq!(session.warnings(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_visible_after_a_restart_of_the_primary_alone_is_not_replicated() {
    let mut cluster = ground().await;
    silence(&cluster, "a");
    let session = open(&cluster, "a").await;
    let pid = session.pid;
    let insert = inserting(session, "x");
    await_event(&cluster, "a", pid, "SyncRep");
    assert_eq!(visible(&cluster, "a").await, [""; 0], "not visible while it waits");
    cluster.node_mut("a").kill().unwrap();
    let (_session, done) = insert.await.unwrap();
    done.unwrap_err();
    cluster.node_mut("a").start().unwrap();
    assert_eq!(visible(&cluster, "a").await, ["x"], "visible, and on no other server");
    cluster.node_mut("a").kill().unwrap();
    let new = cluster.promote_ahead("a").unwrap();
    assert_eq!(visible(&cluster, new).await, [""; 0], "gone after the next failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_asks_both_loses_nothing_and_one_that_does_not_loses_what_was_acknowledged()
 {
    let mut cluster = ground().await;
    // Acknowledged because b has it; c does not.
    cluster.partition_one_way("a", "c").unwrap();
    let (_session, done) = inserting(open(&cluster, "a").await, "asked").await.unwrap();
    assert_eq!(done.unwrap(), 1);
    cluster.node_mut("a").kill().unwrap();
    cluster.node("c").pause().unwrap();
    let refused = cluster.promote_ahead("a");
    assert!(matches!(refused, Err(Fault::Unsafe(_))), "one of them does not answer: {refused:?}");
    cluster.node("c").resume().unwrap();
    assert_eq!(cluster.promote_ahead("a").unwrap(), "b");
    assert_eq!(visible(&cluster, "b").await, ["asked"]);
    cluster.heal().unwrap();
    cluster.rejoin("a", "b").unwrap();
    // The same again, with the other kind of promotion.
    cluster.partition_one_way("b", "c").unwrap();
    let (_session, done) = inserting(open(&cluster, "b").await, "unasked").await.unwrap();
    assert_eq!(done.unwrap(), 1);
    cluster.node_mut("b").kill().unwrap();
    cluster.promote_unasked("c").unwrap();
    assert_eq!(visible(&cluster, "c").await, ["asked"], "the acknowledged row is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_in_different_orders_deadlock_and_sorted_ones_wait() {
    let cluster = ground().await;
    for (second, deadlocks) in [(["z", "m", "a"], 1), (["a", "m", "z"], 0)] {
        // A third transaction holds the middle claim until both others wait.
        let holder = open(&cluster, "a").await;
        holder.client.batch_execute("BEGIN; INSERT INTO claims VALUES ('m')").await.unwrap();
        let mut batches = Vec::new();
        for claims in [["a", "m", "z"], second] {
            let session = open(&cluster, "a").await;
            let (pid, claims) = (session.pid, claims.map(str::to_owned).to_vec());
            batches.push(tokio::spawn(async move {
                let insert =
                    "INSERT INTO claims SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING";
                session.client.execute(insert, &[&claims]).await
            }));
            await_event(&cluster, "a", pid, "Lock");
        }
        holder.client.batch_execute("ROLLBACK").await.unwrap();
        let mut deadlocked = 0;
        for batch in batches {
            if let Err(fault) = batch.await.unwrap() {
                assert_eq!(fault.code(), Some(&SqlState::T_R_DEADLOCK_DETECTED), "{fault:?}");
                deadlocked += 1;
            }
        }
        assert_eq!(deadlocked, deadlocks, "{second:?}");
        holder.client.batch_execute("TRUNCATE claims").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_list_of_standbys_makes_commits_local_without_a_warning() {
    let mut cluster = ground().await;
    silence(&cluster, "a");
    let session = open(&cluster, "a").await;
    cluster.node_mut("a").set("synchronous_standby_names", "").unwrap();
    let (session, done) = inserting(session, "x").await.unwrap();
    assert_eq!(done.unwrap(), 1);
    assert_eq!(session.warnings(), [""; 0]);
    assert_eq!(visible(&cluster, "b").await, [""; 0], "acknowledged, and on one server only");
}
