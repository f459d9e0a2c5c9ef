//! Revocations and telephone PINs at several nodes: a revocation counts everywhere at once, a PIN is redeemed once, and
//! tries add up.

use std::{cell::Cell, thread};

use sportello::{
    civic::TelephonePin,
    ledger::{
        mandates::{Acting, Mandates as _},
        replicated::{ReplicatedEngine, ReplicatedMandates},
        telephone::{CLERK_MISSES_PER_DAY_MAX, RedeemFault, WRONG_TRIES_MAX},
    },
    registry::mandates::Mandate,
    urn::Urn,
};
use tokio::runtime::Runtime;

use crate::{
    cluster::Cluster,
    contract_of_mandates::{
        self, CAMPAIGN, DAY, at, centers, covers, is_refused, keys, other, person, redeem, registry,
    },
    node::engine,
};

/// Changes that wait for a standby.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE application_name = 'sportello' AND wait_event = 'SyncRep'";

/// The mandates at one node.
struct Node {
    mandates: ReplicatedMandates,
    runtime: Runtime,
    engine: ReplicatedEngine,
}

/// Opens the mandates of an engine.
fn mandates(cluster: &Cluster, engine: &ReplicatedEngine, name: &str) -> ReplicatedMandates {
    let registry = registry(&cluster.directory(name));
    let (house, centers) = (engine.house().unwrap(), centers());
    ReplicatedMandates::open(house, (keys(), &centers), Some(registry)).unwrap()
}

impl Node {
    fn open(cluster: &Cluster, name: &str, wait_ms_max: u64) -> Self {
        let engine = engine(cluster, name, Urn::new(64, 1).into(), wait_ms_max).unwrap();
        let mandates = mandates(cluster, &engine, name);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { mandates, runtime, engine }
    }

    fn covers(&self, office: &str, n: u64) -> bool {
        self.runtime.block_on(covers(&self.mandates, office, n, DAY, None))
    }

    fn tries_left(&self, n: u64) -> Option<u8> {
        let standing = self.runtime.block_on(self.mandates.pin(person(n), at(1))).unwrap();
        standing.map(|standing| standing.tries_left)
    }
}

#[test]
fn the_database_keeps_the_contract_of_mandates_over_two_nodes() {
    let cluster = Cluster::start();
    let names = ["one", "two"];
    let nodes = names.map(|name| Node::open(&cluster, name, 10_000));
    let turn = Cell::new(0);
    contract_of_mandates::holds(&|| {
        turn.set(turn.get() + 1);
        let at = turn.get() % 2;
        Box::new(mandates(&cluster, &nodes[at].engine, names[at]))
    });
}

#[test]
fn a_revocation_counts_at_every_node_once_it_is_acknowledged_and_is_not_taken_back() {
    let mut cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| Node::open(&cluster, name, 3_000));
    assert!(one.covers("caf-1", 1) && two.covers("caf-1", 1) && two.covers("caf-1", 2));
    let revoke =
        |n, reference| one.runtime.block_on(one.mandates.revoke(person(n), reference, at(0)));
    assert!(revoke(1, "M-1").unwrap());
    assert!(!two.covers("caf-1", 1) && two.covers("caf-1", 2));

    // A revocation that the primary alone has: neither yes nor no is answered.
    cluster.kill_standbys();
    let shown = thread::scope(|scope| {
        let revoking = scope.spawn(|| revoke(2, "M-2"));
        cluster.wait_for(WAITING, "1");
        let cancelled = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
            WHERE application_name = 'sportello' AND wait_event = 'SyncRep'";
        assert_eq!(cluster.sql(cancelled), "t");
        cluster.wait_for("SELECT count(*) FROM sportello.revocations", "2");
        assert!(revoking.join().unwrap().is_err(), "never acknowledged");
        let (office, person) = (keys().office("caf-1"), person(2));
        let acting = Acting { office, person, campaign: CAMPAIGN, reference: None };
        two.runtime.block_on(two.mandates.cover(acting, DAY))
    });
    assert!(shown.is_err(), "{shown:?} before any standby has it");
    cluster.kill_primary();
    cluster.start_standbys_and_promote();
    let [one, two] = ["three", "four"].map(|name| Node::open(&cluster, name, 20_000));
    assert!(!one.covers("caf-1", 1) && !two.covers("caf-1", 1), "it was acknowledged");
    assert!(one.covers("caf-1", 2), "it was lost, and nobody was told of it");
}

#[test]
fn a_pin_that_two_offices_redeem_at_two_nodes_at_the_same_time_gives_one_mandate() {
    let cluster = Cluster::start();
    let nodes = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    for caller in 100..120 {
        let made = nodes[0].runtime.block_on(nodes[0].mandates.make_pin(person(caller), at(0)));
        let pin = made.unwrap_or_else(|fault| panic!("{fault:?}")).pin;
        let redeemed = thread::scope(|scope| {
            let redeeming = nodes.each_ref().map(|node| {
                let (office, clerk) = if std::ptr::eq(node, &raw const nodes[0]) {
                    ("center-1", 8)
                } else {
                    ("center-2", 9)
                };
                // Another clerk each time, so that none of them is stopped.
                let clerk = caller * 10 + clerk;
                scope.spawn(move || {
                    node.runtime.block_on(redeem(&node.mandates, (office, clerk), caller, pin, 1))
                })
            });
            redeeming.map(|redeeming| redeeming.join().unwrap())
        });
        let given = redeemed.iter().filter(|redeemed| redeemed.is_ok()).count();
        let refused = redeemed.iter().filter(|redeemed| is_refused(redeemed)).count();
        assert_eq!((given, refused), (1, 1), "caller {caller}: {redeemed:?}");
        let covered = ["center-1", "center-2"].map(|office| nodes[0].covers(office, caller));
        assert!(covered[0] != covered[1]);
    }
    assert_eq!(cluster.sql("SELECT count(*) FROM sportello.telephone_mandates"), "20");
}

#[test]
fn wrong_tries_add_up_over_nodes_and_outlast_the_loss_of_the_primary() {
    let mut cluster = Cluster::start();
    let nodes = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    let pins = [1, 2, 3, 4, 5].map(|caller| {
        let made = nodes[0].runtime.block_on(nodes[0].mandates.make_pin(person(caller), at(0)));
        let pin = made.unwrap_or_else(|fault| panic!("{fault:?}")).pin;
        // Two wrong tries at each node at the same time, by one clerk.
        let answers = tried(&nodes, 2, (50 + caller, caller), other(pin));
        assert!(answers.iter().all(is_refused), "{answers:?}");
        assert_eq!(nodes[1].tries_left(caller), Some(WRONG_TRIES_MAX - 4), "caller {caller}");
        pin
    });
    let (pin, wrong) = (pins[0], other(pins[0]));
    cluster.kill_primary();
    cluster.promote();
    drop(nodes);
    let nodes = ["three", "four"].map(|name| Node::open(&cluster, name, 20_000));
    assert_eq!(nodes[0].tries_left(1), Some(WRONG_TRIES_MAX - 4));
    let last = redeem(&nodes[0].mandates, ("center-1", 61), 1, wrong, 1);
    assert!(is_refused(&nodes[0].runtime.block_on(last)));
    assert_eq!(nodes[1].tries_left(1), None, "it is void");
    let right = redeem(&nodes[1].mandates, ("center-1", 62), 1, pin, 1);
    assert!(is_refused(&nodes[1].runtime.block_on(right)));

    // Clerk 51 has missed four times.
    let more = CLERK_MISSES_PER_DAY_MAX - 4;
    let answers = tried(&nodes, more, (51, 9), wrong);
    assert_eq!(answers.iter().filter(|answer| is_refused(answer)).count(), more as usize);
    let used_up = answers.iter().filter(|answer| matches!(answer, Err(RedeemFault::UsedUp)));
    assert_eq!(used_up.count(), more as usize);
}

/// What becomes of as many tries at each node at the same time.
fn tried(
    nodes: &[Node; 2],
    tries: u32,
    (clerk, caller): (u64, u64),
    pin: TelephonePin,
) -> Vec<Result<Mandate, RedeemFault>> {
    let answers = thread::scope(|scope| {
        let trying = nodes.each_ref().map(|node| {
            scope.spawn(move || {
                let one = || redeem(&node.mandates, ("center-1", clerk), caller, pin, 1);
                (0..tries).map(|_| node.runtime.block_on(one())).collect::<Vec<_>>()
            })
        });
        trying.map(|trying| trying.join().unwrap())
    });
    answers.into_iter().flatten().collect()
}
