//! `migrate` out of the database and back.

use std::{fs, sync::Arc};

use sportello::{
    clock::Clock,
    ledger::{
        Receipt, ReceiptCode, State,
        book::{record::Turn, submission::Disposition},
        replicated::{Config, ReplicatedEngine},
        shelf::Engine,
    },
    schemes::Outcome,
    urn::Urn,
};

use super::{Desk, Hand, done, exporting::files, failed};
use crate::{
    cluster::Cluster,
    node::{CAMPAIGN, Node, config, keys, submission},
};

/// Asserts that a ledger shows every receipt as it was given, and accepts nobody of them again.
#[track_caller]
fn assert_moved(hand: &Hand<'_>, receipts: &[Receipt], people: &[u64]) {
    for receipt in receipts {
        let code = ReceiptCode::parse(&receipt.receipt).unwrap();
        let (position, _) = hand.runtime.block_on(hand.ledger.find(code)).unwrap().unwrap();
        let read = hand.runtime.block_on(hand.ledger.receipt(position)).unwrap().unwrap();
        assert_eq!(read, *receipt);
    }
    for &person in people {
        let again = vec![submission(person, 77, 0)];
        let answers = hand.runtime.block_on(hand.ledger.submit(again)).unwrap();
        assert!(matches!(answers[0], Disposition::AlreadyApplied(_)), "person {person}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one ledger, there and back")]
fn a_ledger_moves_into_files_and_back_and_stays_what_it_was() {
    let cluster = Cluster::start();
    cluster.sql("CREATE DATABASE other");
    let desk = Desk::at(cluster.url());
    let nodes = ["one", "two"].map(|name| Node::open(&cluster, name, 20_000));
    let hands = nodes.each_ref().map(|node| Hand { ledger: &*node.ledger, runtime: &node.runtime });
    let mut receipts = hands[0].fill(100);
    receipts.extend(hands[1].fill(200));
    // Somebody withdraws an application of the second node and applies again at the first, at a lower position.
    let (later, receipt) = hands[1].apply(300, submission(300, 0, 0));
    receipts.push(receipt);
    hands[0].withdraw(later);
    let (earlier, receipt) = hands[0].apply(300, submission(300, 1, 0));
    receipts.push(receipt);
    hands[1].decide(300, earlier, Turn::First, Outcome::Granted);
    let (erased, receipt) = hands[1].apply(301, submission(301, 0, 0));
    hands[0].decide(301, erased, Turn::First, Outcome::Granted);
    done(desk.on_database(&["erase", "--reason", "order", "--receipt", &receipt.receipt]));
    let erased = receipt;
    let people = [100, 101, 102, 103, 105, 106, 200, 206, 300, 301];
    let exported = done(desk.on_database(&["export"]));
    let (url, data) = (cluster.url(), desk.path("moved"));
    let to = data.to_str().unwrap();

    let told = failed(desk.migrate(&url, to), 2);
    assert!(told.contains("stop them first"), "{told}");
    drop(nodes);
    cluster.wait_for(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sportello'",
        "0",
    );
    // A run that was killed leaves a file that is no ledger.
    fs::create_dir_all(data.join("ledger")).unwrap();
    fs::write(data.join("ledger/iscro-2024.copying"), "half").unwrap();
    for done_before in [false, true] {
        let (code, out, told) = desk.migrate(&url, to);
        assert_eq!(code, Some(0), "{out}{told}");
        assert_eq!(out.contains("was there already"), done_before, "{out}");
        assert!(out.contains("19 applications in ") && out.contains("of 3 chains"), "{out}");
        assert!(out.contains("whole") && told.contains("not copied: "), "{out}{told}");
    }
    let list = desk.keep(&[&receipts[..], &[erased]].concat());
    let verify = ["verify", "--receipts", list.to_str().unwrap()];
    let out = done(desk.on_files(&data, &verify));
    assert!(out.contains("receipts: 19 read, 19 distinct, 0 lost, 0 faulty"), "{out}");
    assert_eq!(done(desk.on_files(&data, &["export"])), exported);
    desk.assert_proven(&receipts);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    {
        let engine = files(&data);
        let ledger = engine.open(CAMPAIGN).unwrap();
        let hand = Hand { ledger: &*ledger, runtime: &runtime };
        assert_moved(&hand, &receipts, &people);
        // What was pending is decided again, what waits is drawn, and new applications are accepted.
        assert_eq!(ledger.pending(None, 10).cases.len(), 2);
        assert_eq!(ledger.cases(100).len(), 6);
        for person in [400, 401] {
            let (position, receipt) = hand.apply(person, submission(person, 0, 0));
            receipts.push(receipt);
            hand.decide(person, position, Turn::First, Outcome::Refused);
        }
        ledger.close();
    }
    let list = desk.keep(&receipts);
    let verify = ["verify", "--receipts", list.to_str().unwrap()];
    done(desk.on_files(&data, &verify));
    // A backup of such a ledger holds its chains, too.
    let copy = desk.path("copy");
    done(desk.on_files(&data, &["backup", "--to", copy.to_str().unwrap()]));
    done(desk.on_files(&copy, &verify));
    // The end of a chain cannot be cut off unseen.
    let file = rusqlite::Connection::open(copy.join("ledger/iscro-2024.sqlite")).unwrap();
    file.execute("UPDATE chains SET batches = batches + 1 WHERE chain = 2", []).unwrap();
    let told = failed(desk.on_files(&copy, &verify), 1);
    assert!(told.contains("chain 2 has not the batches up to its last root"), "{told}");
    drop(file);
    let exported = done(desk.on_files(&data, &["export"]));

    let told = failed(desk.migrate(to, &url), 2);
    assert!(told.contains("iscro-2024: the target holds something else"), "{told}");
    let other = url.replace("/sportello?", "/other?");
    let (code, out, told) = desk.migrate(to, &other);
    assert_eq!(code, Some(0), "{out}{told}");
    assert!(out.contains("21 applications in ") && out.contains("of 4 chains"), "{out}");
    let there = Desk::at(other.clone());
    done(there.on_database(&verify));
    assert_eq!(done(there.on_database(&["export"])), exported);
    assert!(done(desk.migrate(to, &other)).contains("was there already"));

    let clock = Clock::standing_at(jiff::Timestamp::UNIX_EPOCH);
    let config = Config { url: other, ..config(&cluster, 20_000) };
    let (directory, urn) = (cluster.directory("three"), Arc::new(Urn::new(64, 1)));
    let engine = ReplicatedEngine::connect(&directory, keys(), urn, clock, config).unwrap();
    let ledger = engine.open(CAMPAIGN).unwrap();
    let hand = Hand { ledger: &*ledger, runtime: &runtime };
    assert_moved(&hand, &receipts, &people);
    let code = ReceiptCode::parse(&receipts.last().unwrap().receipt).unwrap();
    let found = runtime.block_on(ledger.find(code)).unwrap().unwrap();
    assert_eq!(found.1, State::Decided(Outcome::Refused));
    receipts.push(hand.apply(500, submission(500, 0, 0)).1);
    let list = there.keep(&receipts);
    done(there.on_database(&["verify", "--receipts", list.to_str().unwrap()]));
}
