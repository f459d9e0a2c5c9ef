//! The kit itself: what it breaks is broken, and what it mends works again.

use cluster::{Cluster, Network, Setup, until};

use crate::{facts::PATIENCE, session::Session};

async fn insert(cluster: &Cluster, at: &str, claim: &str) {
    let access = cluster.access();
    let session = Session::open(&access, cluster.node(at).host().address()).await.unwrap();
    let claims = "CREATE TABLE IF NOT EXISTS claims (claim text PRIMARY KEY)";
    session.client.batch_execute(claims).await.unwrap();
    let insert = format!("INSERT INTO claims VALUES ('{claim}')");
    assert_eq!(session.client.execute(&insert, &[]).await.unwrap(), 1);
    assert_eq!(session.warnings(), [""; 0]);
}

async fn count(cluster: &Cluster, at: &str) -> usize {
    let access = cluster.access();
    let session = Session::open(&access, cluster.node(at).host().address()).await.unwrap();
    session.column("SELECT claim FROM claims").await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disks_are_cut_off_and_filled_and_clocks_are_wrong_and_nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::open(Setup { disk_mib: Some(384), ..Setup::default() }).unwrap();
    insert(&cluster, "a", "before the cut of all").await;
    for name in ["a", "b", "c"] {
        cluster.node_mut(name).cut_power().unwrap();
    }
    cluster.tell("the power of all is cut");
    for name in ["a", "b", "c"] {
        cluster.node_mut(name).power_on().unwrap();
    }
    assert_eq!(cluster.primary(), Some("a"));
    cluster.await_streaming("b", "a").unwrap();
    assert_eq!(count(&cluster, "a").await, 1);

    cluster.node_mut("a").cut_power().unwrap();
    let new = cluster.promote_ahead("a").unwrap();
    assert_eq!(count(&cluster, new).await, 1);
    insert(&cluster, new, "after the cut of the primary").await;
    cluster.node_mut("a").power_on().unwrap();
    assert_eq!(cluster.primary(), Some(new), "both say that they are one; the other is older");
    cluster.node_mut("a").kill().unwrap();
    cluster.rejoin("a", new).unwrap();
    cluster.await_applied("a", new).unwrap();
    assert_eq!(count(&cluster, "a").await, 2);

    let other = cluster.others(new).into_iter().find(|name| *name != "a").unwrap();
    cluster.node(other).fill_disk().unwrap();
    cluster.tell(format_args!("the disk of {other} is full"));
    insert(&cluster, new, "while a disk is full").await;
    cluster.node(other).free_disk().unwrap();
    if cluster.node_mut(other).is_primary().is_err() {
        cluster.node_mut(other).kill().unwrap();
        cluster.node_mut(other).start().unwrap();
    }
    cluster.await_streaming(other, new).unwrap();

    cluster.node_mut(other).stop().unwrap();
    cluster.node_mut(other).start_with_clock(-7200).unwrap();
    let now = |name: &str| -> i64 {
        cluster.node(name).sql("SELECT extract(epoch FROM now())::bigint").unwrap().parse().unwrap()
    };
    let ahead = now(other) - now(new);
    assert!((-7230..-7170).contains(&ahead), "{ahead} s");
    cluster.await_streaming(other, new).unwrap();
    insert(&cluster, new, "while a clock is wrong").await;
    cluster.await_applied(other, new).unwrap();
    assert_eq!(count(&cluster, other).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_pauses_and_lag_stop_what_they_must_and_end() {
    let mut cluster = Cluster::open(Setup::default()).unwrap();
    insert(&cluster, "a", "before").await;
    cluster.await_applied("c", "a").unwrap();
    cluster.node_mut("c").set("recovery_min_apply_delay", "10min").unwrap();
    insert(&cluster, "a", "while c lags").await;
    let has_all = || {
        cluster.node("c").position().ok().filter(|c| *c >= cluster.node("a").position().unwrap())
    };
    until("c has the WAL", PATIENCE, has_all).unwrap();
    assert_eq!(count(&cluster, "c").await, 1, "c has received and not applied it");
    cluster.node_mut("c").set("recovery_min_apply_delay", "0").unwrap();

    cluster.node("b").host().isolate().unwrap();
    insert(&cluster, "a", "while b is alone").await;
    let address = cluster.node("b").host().address();
    assert!(Session::open(&cluster.access(), address).await.is_err());
    cluster.heal().unwrap();
    cluster.await_streaming("b", "a").unwrap();

    cluster.node("a").pause().unwrap();
    assert!(cluster.node("a").sql("SELECT 1").is_err());
    let address = cluster.node("a").host().address();
    assert!(Session::open(&cluster.access(), address).await.is_err());
    cluster.node("a").resume().unwrap();
    insert(&cluster, "a", "after the pause").await;
}

#[test]
fn a_panic_leaves_no_network_behind() {
    let made = std::thread::spawn(|| {
        let network = Network::open().unwrap();
        let host = network.host(0).unwrap();
        let path = host.command("true").get_args().next().unwrap().to_owned();
        let path = path.to_str().unwrap().trim_start_matches("--net=").to_owned();
        assert!(std::path::Path::new(&path).exists());
        std::panic::panic_any(path);
    });
    let path = *made.join().unwrap_err().downcast::<String>().unwrap();
    assert!(path.starts_with("/run/netns/") && !std::path::Path::new(&path).exists(), "{path}");
}
