//! The one entry that a seat in the waiting room gives, at several nodes.

use std::{thread::sleep, time::Duration};

use jiff::SignedDuration;
use sportello::{
    intake::{Asked, EnterFault, Entered, Proof},
    ledger::journal::{Claimed, SeatEntry, Seated},
};

use crate::{
    cluster::Cluster,
    node::keys,
    sessions::{Counter, Desk, runtime, visit},
};

/// Seconds of a clock within which a person is called after a place is free.
const CALLED_S_MAX: u32 = 60;
/// Claims that are on the primary alone.
const CLAIMS_NOT_REPLICATED: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE wait_event = 'SyncRep' AND query LIKE 'INSERT INTO entries %'";

#[test]
fn an_entry_is_claimed_once_and_again_in_the_same_visit_at_any_node() {
    let cluster = Cluster::start();
    let [a, b] = ["a-node", "b-node"].map(|name| Desk::open(&cluster, name, &keys()).unwrap());
    let claim = |at: &Desk, person: u8, visit: &str| {
        let who = Seated { person: [person; 8], for_office: false };
        let claimed = at.journal.claim_entry(SeatEntry { who, round: 7 }, keys().visit(visit));
        runtime().block_on(claimed).unwrap()
    };
    assert_eq!(claim(&a, 1, "1"), Claimed::Now);
    assert_eq!(claim(&b, 1, "2"), Claimed::Elsewhere);
    drop(a);
    // The node that has claimed it may be gone before it has told them.
    assert_eq!(claim(&b, 1, "1"), Claimed::Before);
    assert_eq!(claim(&b, 2, "2"), Claimed::Now);
    // By a release that did not write the visit.
    cluster.sql("UPDATE sportello.entries SET visit = NULL");
    assert_eq!(claim(&b, 1, "1"), Claimed::Elsewhere);
}

/// Lets a second pass at both nodes: each tidies up, and one of them draws.
fn pass_second(nodes: [&Counter; 2]) {
    for node in nodes {
        node.clock.set(node.clock.now() + SignedDuration::from_secs(1));
        node.intake.tidy();
        node.intake.draw_lots();
    }
    sleep(Duration::from_millis(100));
}

/// Whether somebody is let in, at the latest when they are called.
fn comes_in([node, other]: [&Counter; 2], person: u64, letter: &str) -> bool {
    (0..CALLED_S_MAX).any(|_| match node.enter_once_back(person, &visit(letter)) {
        Ok(Entered::In(..) | Entered::Again(..)) => true,
        Ok(Entered::Waiting(_)) => {
            pass_second([node, other]);
            false
        }
        Err(fault) => panic!("{person} at {letter}: {fault:?}"),
    })
}

fn is_called(node: &Counter, person: u64, visit: &str) -> bool {
    let token = node.identity(person);
    let place = node.intake.place(Asked { visit, proof: Proof::Token(&token), from: None });
    place.unwrap().is_some_and(|place| place.waiting.is_called)
}

#[test]
fn who_was_called_has_one_place_also_if_their_claim_is_lost_with_its_server() {
    let mut cluster = Cluster::start();
    let one_place = [("SPORTELLO_GATE_LEASES_MAX", "1")];
    let [a, b] =
        ["a-node", "b-node"].map(|name| Counter::open_with(&cluster, name, 2_000, &one_place));
    let inside = [(&a, 1, "a"), (&b, 2, "b")].map(|(node, person, letter)| {
        let Ok(Entered::In(token, _)) = node.enter(person, &visit(letter)) else {
            panic!("{person} is not let in")
        };
        token
    });
    assert!(matches!(a.enter(3, &visit("v")), Ok(Entered::Waiting(_))));
    for (node, token) in [&a, &b].into_iter().zip(&inside) {
        node.runtime.block_on(node.intake.leave(token)).unwrap();
    }
    let called = (0..CALLED_S_MAX).any(|_| {
        pass_second([&a, &b]);
        is_called(&a, 3, &visit("v"))
    });
    assert!(called, "nobody calls them");

    cluster.kill_standbys();
    assert!(matches!(a.enter(3, &visit("v")), Err(EnterFault::OutOfReach(_))));
    cluster.wait_for(CLAIMS_NOT_REPLICATED, "1");
    cluster.kill_primary();
    cluster.start_standbys_and_promote();
    assert_eq!(cluster.sql("SELECT count(*) FROM sportello.entries"), "0", "the claim is lost");
    assert!(comes_in([&b, &a], 3, "w"));
    let is_in = |entered: Result<_, _>| matches!(entered, Ok(Entered::In(..) | Entered::Again(..)));
    assert!(
        is_in(a.enter_once_back(4, &visit("x"))),
        "a session that nobody claimed has the place"
    );
    // They come from another device, and take their place along: they have only one.
    assert!(is_in(a.enter_once_back(3, &visit("v"))));
    assert!(is_in(b.enter_once_back(5, &visit("y"))), "two places on one seat");
}
