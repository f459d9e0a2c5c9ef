//! The rounds of the waiting room at several nodes: one draws, and all know the same seeds.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use sportello::{
    ledger::{
        replicated::{ReplicatedEngine, ReplicatedRounds},
        rounds::{DrawnRound, Outlook, Round, Rounds as _},
    },
    urn::Urn,
};

use crate::{
    cluster::Cluster,
    node::{engine, keys},
};

/// Time until another node draws after the primary has come back.
const PATIENCE: Duration = Duration::from_secs(30);

fn node(cluster: &Cluster, name: &str) -> (ReplicatedEngine, ReplicatedRounds) {
    let engine = engine(cluster, name, Urn::new(64, 1).into(), 5_000).unwrap();
    let house = engine.house().unwrap();
    let rounds = ReplicatedRounds::open(house, keys(), Timestamp::UNIX_EPOCH).unwrap();
    (engine, rounds)
}

fn drawn(outlook: &Outlook, people: u32) -> DrawnRound {
    let Round { index, seed } = outlook.next[0];
    let (commitment, drawn_at) = (seed.commitment(), Timestamp::UNIX_EPOCH);
    DrawnRound { round: index, seed, commitment, beacon: None, people, drawn_at }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test waits for other processes")]
fn one_node_draws_and_all_know_the_same_rounds_whatever_dies() {
    let mut cluster = Cluster::start();
    let (one_engine, mut one) = node(&cluster, "one");
    let (other_engine, mut other) = node(&cluster, "other");
    assert_eq!(one.outlook(), other.outlook(), "the second one did not begin anew");
    assert!(one.leads() && !other.leads() && one.leads());

    let first = drawn(&one.outlook(), 3);
    one.end(&first).unwrap();
    // A node that has not seen it ends nothing, and knows it from then on.
    let late = drawn(&other.outlook(), 5);
    assert!(other.end(&late).is_err());
    assert_eq!(other.outlook(), one.outlook());
    assert_eq!(other.outlook().drawn, [first]);

    other.name_beacon(7).unwrap();
    one.refresh().unwrap();
    assert_eq!(one.outlook().beacon_round, Some(7));

    let before = one.outlook();
    cluster.kill_primary();
    assert!(one.end(&drawn(&before, 1)).is_err());
    cluster.start_primary();
    let started = Instant::now();
    while one.refresh().is_err() || other.refresh().is_err() {
        assert!(started.elapsed() < PATIENCE, "the database does not come back");
        sleep(Duration::from_millis(100));
    }
    assert_eq!(one.outlook(), before, "what failed has not happened");
    let lead = [one.leads(), other.leads()];
    assert!(lead[0] != lead[1], "{lead:?}");
    drop((one, one_engine));
    while !other.leads() {
        assert!(started.elapsed() < PATIENCE, "nobody takes over");
        sleep(Duration::from_millis(100));
    }
    drop(other_engine);
}
