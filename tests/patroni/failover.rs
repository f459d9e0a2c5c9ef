//! What people see while the machines of the ledger fail and Patroni mends it.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    cluster::{Cluster, others},
    crowd::Crowd,
    dice::{self, Dice},
    harness::Counter,
};

/// People at a time.
const PEOPLE: usize = 4;
/// How often all faults are played.
const ROUNDS_DEFAULT: u64 = 1;
/// Receipts that are asked for again at the end.
const ASKED_AGAIN: usize = 200;
/// Longest time without a receipt in a failover: the time to live of a dead primary's key (20 s), an election, the wait of
/// a submission that began before (10 s).
const GAP_MAX: Duration = Duration::from_secs(45);
/// Time in which nothing must be receipted while no standby is there.
const ALONE: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// `kill -9` of the primary's PostgreSQL; its Patroni runs on.
    Postgresql,
    /// The whole machine of the primary, with its member of etcd.
    Machine,
    /// `patronictl switchover`.
    Switchover,
    /// Both standbys, with their Patroni: no commit counts.
    Standbys,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the superuser, PostgreSQL, etcd and Patroni"]
async fn patroni_fails_over_and_nothing_receipted_is_lost_or_doubled() {
    let mut dice = Dice::new(dice::seed());
    let rounds = dice::setting("SPORTELLO_TEST_ROUNDS").unwrap_or(ROUNDS_DEFAULT);
    let mut cluster = Cluster::start();
    let access = cluster.access();
    let access: Vec<_> = access.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let counter = Arc::new(Counter::open_with(&access));
    assert_eq!(away(&counter).await, 0, "present from the start");
    let crowd = Arc::new(Crowd::before(Arc::clone(&counter)));
    // Tasks of their own, which go on while this one waits for other processes.
    let people: Vec<_> = (0..PEOPLE)
        .map(|_| {
            let crowd = Arc::clone(&crowd);
            tokio::spawn(async move { crowd.apply().await })
        })
        .collect();
    let mut order = [Fault::Postgresql, Fault::Machine, Fault::Switchover, Fault::Standbys];
    for _ in 0..rounds {
        for last in (1..order.len()).rev() {
            order.swap(last, dice.below(last + 1));
        }
        for fault in order {
            crowd.next_receipts(PEOPLE).await;
            play(fault, &mut cluster, &counter, &crowd).await;
        }
    }
    crowd.next_receipts(PEOPLE).await;
    crowd.end();
    for person in people {
        person.await.unwrap();
    }
    check(&cluster, &counter, &crowd, &mut dice).await;
}

async fn play(fault: Fault, cluster: &mut Cluster, counter: &Counter, crowd: &Crowd) {
    let primary = cluster.primary_name();
    let others = others(primary);
    let (begun, refused) = (crowd.now(), crowd.refused());
    match fault {
        Fault::Postgresql => cluster.node_mut(primary).kill_postgresql(),
        Fault::Machine => cluster.node_mut(primary).kill(),
        Fault::Switchover => {
            let arguments = ["switchover", "sportello", "--force", "--primary", primary];
            tokio::task::block_in_place(|| cluster.node_mut(primary).control(&arguments));
        }
        Fault::Standbys => {
            for name in others {
                cluster.node_mut(name).kill_database();
            }
            stand_still(counter, crowd).await;
            for name in others {
                cluster.node_mut(name).start();
            }
        }
    }
    let back = crowd.now();
    crowd.next_receipts(2 * PEOPLE).await;
    let (list, now_primary) = (cluster.standbys(), cluster.primary().map(|node| node.name));
    if matches!(fault, Fault::Machine) {
        assert_ne!(now_primary, Some(primary), "the dead one is replaced");
        // Two of three are a majority: intake goes on without the third.
        let alone = tokio::task::block_in_place(|| cluster.await_one_standby());
        let since = crowd.now();
        crowd.next_receipts(10 * PEOPLE).await;
        let gap = crowd.longest_gap(since);
        assert!(gap < Duration::from_secs(5), "{gap:?} without a receipt, with {alone}");
        cluster.node_mut(primary).start();
    }
    let gap = crowd.longest_gap(if matches!(fault, Fault::Standbys) { back } else { begun });
    assert!(gap < GAP_MAX, "{fault:?}: {gap:?} without a receipt");
    tokio::task::block_in_place(|| cluster.await_whole());
    println!(
        "{fault:?}: {:.1} s without a receipt, {} answers 503, {primary} -> {}, then {list}, {:.0} s until whole",
        gap.as_secs_f64(),
        crowd.refused() - refused,
        now_primary.unwrap_or("-"),
        crowd.now().saturating_sub(begun).as_secs_f64(),
    );
}

/// Asserts that nobody gets a receipt while no standby is there, that the server says so, and stays ready for those inside.
async fn stand_still(counter: &Counter, crowd: &Crowd) {
    // What was replicated before may still be answered.
    sleep(Duration::from_secs(1)).await;
    let before = crowd.count();
    sleep(ALONE).await;
    assert_eq!(crowd.count(), before, "a receipt without a standby");
    let is_away = async || (away(counter).await == 1).then_some(());
    crate::polling::until("the server says that the database is away", is_away).await;
    let (status, text) = counter.operator_page("/readyz").await;
    assert_eq!(status, hyper::StatusCode::OK);
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("takes no commits"), "{text}");
    assert_eq!(crowd.count(), before, "a receipt without a standby");
}

/// Every receipt stands for one record, and every person gets theirs again.
async fn check(cluster: &Cluster, counter: &Counter, crowd: &Crowd, dice: &mut Dice) {
    let held = crowd.held();
    let again: Vec<_> =
        (0..ASKED_AGAIN.min(held.len())).map(|_| held[dice.below(held.len())].clone()).collect();
    crowd.ask_again(&again).await;
    let count = "SELECT count(*) FROM sportello_iscro_2024.records";
    let primary = cluster.primary().unwrap();
    let records = primary.sql("sportello", &["-c", count]).unwrap();
    assert_eq!(records, held.len().to_string(), "records and receipts");
    let checksums = primary.sql("postgres", &["-c", "SHOW data_checksums"]).unwrap();
    assert_eq!(checksums, "on");
    counter.all_decided().await;
    let (accepted, settled) = counter.balance().await;
    assert_eq!((accepted, settled), (held.len() as u64, accepted), "each is decided once");
    assert_eq!(away(counter).await, 0);
    let unknown = counter.metric("sportello_commits_unknown_total", &[]).await;
    println!("{} receipts, {unknown} commits looked up, none lost, none twice", held.len());
}

async fn away(counter: &Counter) -> u64 {
    let page = counter.metrics().await;
    assert!(page.contains("sportello_ledger_away{campaign=\"iscro-2024\"} "), "{page}");
    counter.metric("sportello_ledger_away", &[]).await
}
