//! Drafts at several nodes: one wins, nothing acknowledged is lost, and a late removal takes nothing that came after it.

use std::{
    cell::RefCell,
    thread::{self, sleep},
    time::Duration,
};

use futures_util::future::join_all;
use sportello::{
    ledger::{
        drafts::{DRAFTS_MAX, DraftFault, Drafts, Expected, Slot, version_of},
        replicated::{ReplicatedDrafts, ReplicatedEngine},
    },
    urn::Urn,
};
use tokio::runtime::Runtime;

use crate::{
    cluster::Cluster,
    contract_of_drafts::{self, slot},
    node::{engine, keys},
};

const COUNT: &str = "SELECT count(*) FROM sportello.drafts";
/// Changes that wait for a standby.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE application_name = 'sportello' AND wait_event = 'SyncRep'";

/// The drafts at one node.
struct Node {
    drafts: ReplicatedDrafts,
    runtime: Runtime,
    _engine: ReplicatedEngine,
}

impl Node {
    fn open(cluster: &Cluster, name: &str, wait_ms_max: u64) -> Self {
        let engine = engine(cluster, name, Urn::new(64, 1).into(), wait_ms_max).unwrap();
        let drafts = ReplicatedDrafts::new(engine.house().unwrap(), keys());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { drafts, runtime, _engine: engine }
    }

    fn save(&self, slot: Slot, content: &str, expected: Expected) -> Result<(), DraftFault> {
        self.runtime.block_on(self.drafts.save(slot, content.to_owned().into(), expected))
    }

    fn content(&self, slot: Slot) -> Option<String> {
        let draft = self.runtime.block_on(self.drafts.load(slot)).unwrap();
        draft.map(|draft| String::from_utf8(draft.content).unwrap())
    }
}

fn is_away<T>(answer: &Result<T, DraftFault>) -> bool {
    matches!(answer, Err(DraftFault::Away))
}

#[test]
fn the_database_keeps_the_contract_of_drafts() {
    let cluster = Cluster::start();
    let engines = RefCell::new(Vec::new());
    contract_of_drafts::holds(&|session| {
        let name = format!("node-{session}");
        let engine = engine(&cluster, &name, Urn::new(64, 1).into(), 10_000).unwrap();
        let house = engine.house().unwrap();
        engines.borrow_mut().push(engine);
        Box::new(ReplicatedDrafts::new(house, keys()))
    });
}

#[test]
fn of_two_nodes_with_the_same_version_one_saves_and_the_other_is_told() {
    let cluster = Cluster::start();
    let nodes = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    let slot = slot(1, None);
    nodes[0].save(slot, "0", Expected::Anything).unwrap();
    for round in 1..=20 {
        let before = nodes[0].content(slot).unwrap();
        let expected = Expected::OneOf(vec![version_of(before.as_bytes())]);
        let answers = thread::scope(|scope| {
            let saving = nodes.each_ref().map(|node| {
                let (content, expected) =
                    (format!("{round} {}", std::ptr::from_ref(node).addr()), expected.clone());
                scope.spawn(move || (node.save(slot, &content, expected), content))
            });
            saving.map(|saving| saving.join().unwrap())
        });
        let [(one, first), (two, second)] = answers;
        let winner = match (&one, &two) {
            (Ok(()), Err(DraftFault::Changed)) => first,
            (Err(DraftFault::Changed), Ok(())) => second,
            other => panic!("round {round}: {other:?}"),
        };
        for node in &nodes {
            assert_eq!(node.content(slot).as_ref(), Some(&winner));
        }
    }
}

#[test]
fn the_bound_of_drafts_holds_over_nodes() {
    let cluster = Cluster::start();
    let nodes = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    let slot_of = |n: usize| slot(1, Some(("caf", &format!("M-{n}"))));
    let free = 3;
    for n in 0..DRAFTS_MAX - free {
        nodes[0].save(slot_of(n), "{}", Expected::Anything).unwrap();
    }
    let answers = thread::scope(|scope| {
        let saving = nodes.each_ref().map(|node| {
            scope.spawn(move || {
                let first = std::ptr::from_ref(node).addr();
                let saving = (0..8).map(|n| {
                    let slot = slot_of(first + n);
                    node.drafts.save(slot, "{}".into(), Expected::Anything)
                });
                node.runtime.block_on(join_all(saving))
            })
        });
        saving.map(|saving| saving.join().unwrap()).into_iter().flatten().collect::<Vec<_>>()
    });
    let stored = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = |answer: &&Result<(), DraftFault>| matches!(answer, Err(DraftFault::TooMany));
    assert_eq!((stored, answers.iter().filter(refused).count()), (free, 16 - free));
    assert_eq!(cluster.sql(COUNT), DRAFTS_MAX.to_string());
}

#[test]
fn without_a_majority_nothing_is_promised_and_reading_goes_on() {
    let cluster = Cluster::start();
    let node = Node::open(&cluster, "one", 1_500);
    let (mine, empty) = (slot(1, None), slot(2, None));
    node.save(mine, "first", Expected::Anything).unwrap();
    cluster.pause_standbys();
    assert!(is_away(&node.runtime.block_on(node.drafts.remove(empty, Expected::Anything))));
    assert_eq!(node.content(mine).as_deref(), Some("first"));
    assert!(is_away(&node.save(mine, "second", Expected::Anything)));
    assert!(is_away(&node.save(mine, "third", Expected::Anything)), "its turn is taken");
    cluster.continue_standbys();
    cluster.wait_for(WAITING, "0");
    let found = node.content(mine);
    assert!(matches!(found.as_deref(), Some("first" | "second")), "{found:?}");
    node.save(mine, "fourth", Expected::Anything).unwrap();
    assert_eq!(node.content(mine).as_deref(), Some("fourth"));
    assert!(!node.runtime.block_on(node.drafts.remove(empty, Expected::Anything)).unwrap());
}

#[test]
fn a_save_is_never_acknowledged_and_lost_while_the_primary_dies() {
    let mut cluster = Cluster::start();
    let nodes = ["one", "two"].map(|name| Node::open(&cluster, name, 3_000));
    let slot = slot(1, None);
    // How many were acknowledged one after another.
    let acknowledged = thread::scope(|scope| {
        let saving = scope.spawn(|| {
            let save = |n: usize| nodes[n % 2].save(slot, &n.to_string(), Expected::Anything);
            (0..10_000).take_while(|n| save(*n).is_ok()).count()
        });
        cluster.wait_for(COUNT, "1");
        sleep(Duration::from_millis(300));
        // In the middle of a commit, which the first server alone has.
        cluster.kill_standbys();
        cluster.wait_for(WAITING, "1");
        cluster.kill_primary();
        cluster.start_standbys_and_promote();
        saving.join().unwrap()
    });
    assert!(acknowledged > 2);
    let nodes = ["three", "four"].map(|name| Node::open(&cluster, name, 20_000));
    let found: usize = nodes[0].content(slot).unwrap().parse().unwrap();
    // The one under way was not acknowledged; a standby may have it if it was killed before it said so.
    assert!((acknowledged - 1..=acknowledged).contains(&found), "{found} of {acknowledged}");
    nodes[1].save(slot, "afterwards", Expected::Something).unwrap();
    assert_eq!(nodes[0].content(slot).as_deref(), Some("afterwards"));
}

#[test]
fn a_draft_is_forgotten_at_every_node_but_never_one_that_was_saved_since() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    let slots: Vec<_> = (0..10).map(|n| slot(n, None)).collect();
    for slot in &slots {
        one.save(*slot, "submitted", Expected::Anything).unwrap();
    }
    let forget = |slot: &Slot| two.drafts.forget(slot.person, slot.principal, &|| slot.key);
    two.runtime.block_on(join_all(slots[1..].iter().map(forget)));
    assert_eq!(one.content(slots[0]).as_deref(), Some("submitted"), "another person's");
    assert!(slots[1..].iter().all(|slot| one.content(*slot).is_none()));

    // A later save is between the look at the draft and its removal.
    let mut saving = cluster.sql_beside(
        "BEGIN; LOCK TABLE sportello.drafts IN SHARE MODE; \
         UPDATE sportello.drafts SET sealed = sealed; SELECT pg_sleep(2); COMMIT",
    );
    cluster.wait_for("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1");
    two.runtime.block_on(forget(&slots[0]));
    assert!(saving.wait().unwrap().success());
    cluster.wait_for(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sportello' AND wait_event_type = 'Lock'",
        "0",
    );
    // Something that follows the removal at its node.
    two.runtime.block_on(forget(&slots[1]));
    assert_eq!(one.content(slots[0]).as_deref(), Some("submitted"), "it was saved since");
}
