//! Several nodes on one database.

use std::{
    collections::BTreeSet,
    sync::Arc,
    thread::{self, sleep},
    time::Duration,
};

use sportello::{
    ledger::{
        ReceiptCode, State,
        book::{
            change::Ruling,
            record::Turn,
            submission::{Disposition, Submission},
        },
    },
    schemes::Outcome,
    urn::Urn,
};

use crate::{
    cluster::Cluster,
    contract,
    node::{CAMPAIGN, DAY, Node, body, engine, filing, keys, subject, submission},
};

#[test]
fn the_database_keeps_the_contract_of_a_ledger() {
    let cluster = Cluster::start();
    contract::holds(&|session| {
        let name = format!("node-{session}");
        Box::new(engine(&cluster, &name, Arc::new(Urn::new(64, 1)), 10_000).unwrap())
    });
}

#[test]
fn of_two_nodes_with_the_same_people_one_accepts_each_of_them() {
    let cluster = Cluster::start();
    let nodes = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    let people = 200_u64;
    let answers: Vec<Vec<Disposition>> = thread::scope(|scope| {
        let submit = |node: &'static str, (at, own): (usize, &Node)| {
            // In opposite orders, and in batches that overlap.
            let mut order: Vec<u64> = (0..people).collect();
            if at == 1 {
                order.reverse();
            }
            let mut answers: Vec<(u64, Disposition)> = Vec::new();
            for some in order.chunks(16) {
                let batch = some.iter().map(|&person| submission(person, at as u64, 0)).collect();
                answers.extend(some.iter().copied().zip(own.submit(batch).expect(node)));
            }
            answers.sort_by_key(|(person, _)| *person);
            answers.into_iter().map(|(_, answer)| answer).collect::<Vec<_>>()
        };
        let [one, two] = &nodes;
        let first = scope.spawn(move || submit("one", (0, one)));
        let second = scope.spawn(move || submit("two", (1, two)));
        vec![first.join().unwrap(), second.join().unwrap()]
    });
    for (person, (one, two)) in answers[0].iter().zip(&answers[1]).enumerate() {
        let ((Disposition::Accepted(winner, ..), Disposition::AlreadyApplied(loser))
        | (Disposition::AlreadyApplied(loser), Disposition::Accepted(winner, ..))) = (one, two)
        else {
            panic!("person {person}: neither or both")
        };
        assert_eq!(winner, loser);
    }
    assert_eq!(
        cluster.sql("SELECT count(*) FROM sportello_iscro_2024.records"),
        people.to_string()
    );
}

#[test]
fn an_office_uses_a_key_once_wherever_it_asks_and_sees_its_filings_there() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    assert!(matches!(one.submit_one(filing("caf", 1, 5, 0)), Ok(Disposition::Accepted(..))));
    assert!(matches!(two.submit_one(filing("caf", 1, 5, 0)), Ok(Disposition::Replayed(_))));
    assert!(matches!(two.submit_one(filing("caf", 2, 5, 0)), Ok(Disposition::KeyReused)));
    assert!(matches!(two.submit_one(filing("other", 2, 5, 0)), Ok(Disposition::Accepted(..))));
    let filings = two.ledger.filings(keys().office("caf"), None, 10);
    let page = two.runtime.block_on(filings).unwrap();
    assert_eq!(page.filings.len(), 1);
    assert_eq!((page.filings[0].person, page.filings[0].state), (subject(1), State::Waiting));
    assert_eq!(page.next, None);
}

#[test]
fn a_receipt_reads_the_same_at_every_node() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    let batch: Vec<Submission> = (0..20).map(|person| submission(person, 0, 0)).collect();
    for (person, disposition) in (0..).zip(one.submit(batch).unwrap()) {
        let Disposition::Accepted(position, signed, _) = disposition else { panic!("{person}") };
        let digest = sportello::ledger::proof::sha256(body(person, 0).as_bytes());
        let given = signed.receipt(position, DAY, &digest).unwrap();
        let read = two.runtime.block_on(two.ledger.receipt(position)).unwrap().unwrap();
        assert_eq!(read, given);
        let code = ReceiptCode::parse(&given.receipt).unwrap();
        let (found, state) = two.runtime.block_on(two.ledger.find(code)).unwrap().unwrap();
        assert_eq!((found, state), (position, State::Waiting));
        let contents = two.runtime.block_on(two.ledger.read(position, subject(person))).unwrap();
        assert_eq!(contents.application, body(person, 0).as_bytes());
        assert!(two.runtime.block_on(two.ledger.read(position, subject(person + 1))).is_err());
    }
}

#[test]
fn a_case_is_leased_to_one_judge_and_again_if_that_one_dies_and_decided_once() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    let batch: Vec<Submission> = (0..40).map(|person| submission(person, 0, 0)).collect();
    assert_eq!(one.submit(batch).unwrap().len(), 40);
    assert_eq!(one.urn.len(), 40, "the node that accepted them leases them to its own judges");
    assert!(two.ledger.cases(64).is_empty(), "leased");
    // The judges of the first node never come back.
    sleep(Duration::from_secs(3));
    let leased: Vec<_> =
        [&one, &two, &one, &two].into_iter().flat_map(|node| node.ledger.cases(16)).collect();
    let positions: Vec<_> = leased.iter().map(|case| case.position).collect();
    let different: std::collections::HashSet<_> = positions.iter().copied().collect();
    assert_eq!(different.len(), positions.len(), "leased twice");
    for node in [&one, &two] {
        let rulings = leased.iter().map(|case| {
            let (position, turn, outcome) = (case.position, Turn::First, Outcome::Granted);
            let text = outcome.as_str().as_bytes();
            let sealed =
                keys().seal_decision(CAMPAIGN, case.header.subject, (position, turn), text);
            Ruling { position, turn, outcome, decision: sealed }
        });
        node.ledger.rule(rulings.collect());
    }
    let decided = leased.len();
    assert!(decided > 16);
    cluster.wait_for("SELECT count(*) FROM sportello_iscro_2024.changes", &decided.to_string());
    cluster.wait_for(
        "SELECT count(*) FROM sportello_iscro_2024.undecided",
        &(40 - decided).to_string(),
    );
    // Something that follows both batches of rulings.
    for node in [&one, &two] {
        node.submit(Vec::new()).unwrap();
    }
    assert_eq!(
        cluster.sql("SELECT count(*) FROM sportello_iscro_2024.changes"),
        decided.to_string()
    );
    sleep(Duration::from_secs(3));
    let tallies: BTreeSet<_> =
        [&one, &two].map(|node| node.ledger.tally().decided.iter().sum::<u64>()).into();
    assert_eq!(tallies, [decided as u64].into());
}

#[test]
fn nodes_serve_together_also_after_a_failure_of_the_primary_and_not_while_ledgers_are_moved() {
    const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    let mut cluster = Cluster::start();
    let open =
        |cluster: &Cluster, name| engine(cluster, name, Arc::new(Urn::new(1, 1)), 10_000).unwrap();
    let both = ["one", "two"].map(|name| open(&cluster, name));
    for engine in &both {
        engine.serve().unwrap();
    }
    cluster.wait_for(LOCKS, "2");
    cluster.kill_primary();
    cluster.start_primary();
    cluster.wait_for(LOCKS, "2");
    drop(both);
    cluster.wait_for(LOCKS, "0");
    let serving = 0x5370_6f72_7465_6c01_i64;
    let mut mover =
        cluster.sql_beside(&format!("SELECT pg_advisory_lock({serving}), pg_sleep(60)"));
    cluster.wait_for(LOCKS, "1");
    let told = open(&cluster, "three").serve().unwrap_err().to_string();
    assert!(told.contains("are being moved"), "{told}");
    mover.kill().unwrap();
    mover.wait().unwrap();
}

#[test]
fn batches_find_rows_by_indexes_also_in_tables_that_nobody_counted() {
    const SCANS: &str = "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables \
        WHERE schemaname = 'sportello_iscro_2024' AND relname IN ('records', 'changes', 'undecided', 'batches')";
    const LOOKED_UP: &str = "SELECT idx_scan >= 1000 FROM pg_stat_user_tables \
        WHERE schemaname = 'sportello_iscro_2024' AND relname = 'records'";
    let cluster = Cluster::start();
    let node = Node::open(&cluster, "one", 20_000);
    let before = cluster.sql(SCANS);
    for people in (0..2048).collect::<Vec<_>>().chunks(256) {
        node.submit(people.iter().map(|&person| submission(person, 0, 0)).collect()).unwrap();
    }
    // A session tells what it did once a second.
    sleep(Duration::from_millis(1100));
    node.submit(vec![submission(9999, 0, 0)]).unwrap();
    cluster.wait_for(LOOKED_UP, "t");
    assert_eq!(cluster.sql(SCANS), before);
}

#[test]
fn of_two_that_wait_for_each_other_the_node_decides_again_on_the_same_connection() {
    const RECORDS: &str = "sportello_iscro_2024.records";
    const SESSIONS: &str = "SELECT string_agg(pid::text, ',') FROM pg_stat_activity \
        WHERE application_name = 'sportello'";
    let cluster = Cluster::start();
    let node = Node::open(&cluster, "one", 20_000);
    let two_people = || (0..2).map(|person| submission(person, 0, 0)).collect();
    node.submit(two_people()).unwrap();
    let claims = cluster.sql(&format!("SELECT encode(claim, 'hex') FROM {RECORDS} ORDER BY claim"));
    cluster.sql(&format!("DELETE FROM {RECORDS}"));
    let sessions = cluster.sql(SESSIONS);
    let take = |position: u32, claim: &str| {
        format!("INSERT INTO {RECORDS} VALUES ({position}, '\\x{claim}', 0, '', '', 0, '')")
    };
    // Somebody who takes the claims in another order, the first of them once the node waits, and gives up at last.
    let (first, last) = claims.split_once('\n').unwrap();
    let (first, last) = (take(1_000_000, first), take(1_000_001, last));
    let until_somebody_waits = "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) \
        LOOP PERFORM pg_sleep(0.02); END LOOP; END $$";
    let mut other =
        cluster.sql_beside(&format!("{last}; {until_somebody_waits}; {first}; SELECT 1 / 0"));
    cluster.wait_for("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "t");
    let answers = node.submit(two_people()).unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Disposition::Accepted(..))));
    other.wait().unwrap();
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    cluster.wait_for(deadlocks, "1");
    let same = format!("SELECT count(*) FROM pg_stat_activity WHERE pid IN ({sessions})");
    assert_eq!(cluster.sql(&same), sessions.split(',').count().to_string());
}
