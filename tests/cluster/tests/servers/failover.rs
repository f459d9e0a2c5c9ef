//! How long a client waits when the primary is killed and a standby is promoted by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cluster::{
    Cluster, Setup, clock,
    history::{Expect, Outcome, Recorder, check},
    until,
};

use crate::{
    controls::{acknowledged, submission},
    facts::PATIENCE,
    reference::{Counter, create},
};

/// Failovers that are measured.
const TIMES: usize = 3;
/// Longest gap, far above what is measured on a busy machine.
const GAP_MAX: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_waits_for_seconds_when_the_primary_is_killed_and_loses_nothing() {
    let mut cluster = Cluster::open(Setup::default()).unwrap();
    let mut primary = "a";
    create(&cluster.access(), cluster.node(primary).host().address()).await;
    let recorder: Arc<Recorder> = Arc::default();
    let mut counter = Counter::new(1, &cluster.access(), &recorder);
    let is_over: Arc<AtomicBool> = Arc::default();
    let over = Arc::clone(&is_over);
    let applying = tokio::spawn(async move {
        for person in 0.. {
            counter.submit(vec![submission(&format!("person {person}"))]).await;
            if over.load(Ordering::Relaxed) {
                break;
            }
        }
        counter
    });
    let progress = || {
        let from = recorder.now_us();
        let accepted = || (recorder.last_accepted_us() > from).then_some(());
        until("something is accepted", PATIENCE, accepted).unwrap();
    };
    for _ in 0..TIMES {
        progress();
        let begun = clock::now();
        cluster.node_mut(primary).kill().unwrap();
        let new = cluster.promote_ahead(primary).unwrap();
        let promoted = begun.elapsed();
        progress();
        println!("promoted and followed after {} ms", promoted.as_millis());
        cluster.rejoin(primary, new).unwrap();
        primary = new;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut counter = applying.await.unwrap();
    let mut answered: Vec<_> = recorder
        .history()
        .iter()
        .filter(|one| matches!(one.outcome, Outcome::Accepted { .. }))
        .map(|one| one.returned_us)
        .collect();
    answered.sort_unstable();
    let mut gaps: Vec<_> = answered.windows(2).map(|pair| (pair[1] - pair[0]) / 1000).collect();
    gaps.sort_unstable_by(|one, other| other.cmp(one));
    println!("longest times without a receipt, in ms: {:?}", &gaps[..TIMES]);
    assert!(u128::from(gaps[0]) < GAP_MAX.as_millis(), "{gaps:?}");
    for codes in acknowledged(&recorder).chunks(500) {
        counter.read(codes).await;
    }
    assert_eq!(check(&recorder.history(), Expect::default()), []);
}
