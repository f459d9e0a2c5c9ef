//! The guard: what is not durable on a majority is not accepted.

use std::sync::Arc;

use sportello::{
    ledger::{Health, book::submission::Disposition, fault::CommitFault},
    urn::Urn,
};

use crate::{
    cluster::{Cluster, STANDBYS},
    node::{Node, engine, submission},
};

#[test]
fn a_list_of_standbys_that_is_emptied_or_weakened_stops_intake_until_it_is_back() {
    let cluster = Cluster::start();
    let node = Node::open(&cluster, "node", 1500);
    assert!(matches!(node.submit_one(submission(1, 0, 0)), Ok(Disposition::Accepted(..))));
    let wrongs = [
        ("synchronous_standby_names", "", STANDBYS),
        ("synchronous_standby_names", "*", STANDBYS),
        // Of four servers, two are no majority.
        ("synchronous_standby_names", "ANY 1 (b, c, d)", STANDBYS),
        ("synchronous_commit", "local", "on"),
        ("full_page_writes", "off", "on"),
    ];
    for (person, (name, wrong, right)) in (2..).zip(wrongs) {
        cluster.set(name, wrong);
        let answer = node.submit_one(submission(person, 0, 0));
        assert!(matches!(answer, Err(CommitFault::Away)), "{name} = {wrong:?}");
        assert_eq!(node.ledger.health(), Health::Away, "{name} = {wrong:?}");
        let second = engine(&cluster, "second", Arc::new(Urn::new(1, 1)), 1000);
        let told = second.err().unwrap().to_string();
        assert!(told.contains(&format!("{name} is ")), "{told}");
        assert_eq!(
            cluster.sql("SELECT count(*) FROM sportello_iscro_2024.records"),
            (person - 1).to_string()
        );
        cluster.set(name, right);
        let answer = node.submit_one(submission(person, 0, 0));
        assert!(matches!(answer, Ok(Disposition::Accepted(..))), "{name} = {wrong:?}");
        assert_eq!(node.ledger.health(), Health::Sound);
    }
    // As a failover manager writes it while one of the three servers is away.
    cluster.set("synchronous_standby_names", "ANY 1 (b)");
    assert!(matches!(node.submit_one(submission(100, 0, 0)), Ok(Disposition::Accepted(..))));
}
