//! Summaries of the journal: a node that starts reads what lives, and a node that runs misses nothing for it.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sportello::{
    civic::{FiscalCode, ProvedBy},
    identity::Identity,
    ledger::journal::{Event, Opened},
    session::{
        sessions::{NotOpened, Opening},
        visit::Visit,
    },
};

use crate::{
    cluster::Cluster,
    node::{DAY, keys},
    sessions::{Desk, EVENING},
};

/// Makes the latest summary too old to be the latest for long.
const AGE: &str =
    "UPDATE sportello.journal_summaries SET written_at = now() - interval '11 minutes'";
/// Removes rows that are in it, as if they were of two days ago.
const REMOVE: &str = "DELETE FROM sportello.journal \
    WHERE written_at < (SELECT max(written_at) FROM sportello.journal_summaries)";
const NUMBER: &str = "SELECT coalesce(max(number), 0) FROM sportello.journal_summaries";

fn visit(n: u64) -> Visit {
    Visit::parse(&format!("{n:022}")).unwrap()
}

fn identity(person: u64) -> Identity {
    Identity {
        fiscal_code: FiscalCode::made_up(person),
        office: None,
        proved_by: ProvedBy::Spid,
        valid_until: Timestamp::MAX,
    }
}

/// Opens the session of a person in their visit; its token, or why not.
fn enter(desk: &Desk, person: u64) -> Result<String, NotOpened> {
    let (identity, visit, expires_at) =
        (identity(person), visit(person), desk.sessions.expiry(EVENING));
    let (began_at, real_now) = (EVENING, EVENING);
    let opening = Opening { identity: &identity, visit: &visit, began_at, expires_at, real_now };
    desk.sessions.open(opening, desk.leases.take().unwrap()).map(|(token, _)| token)
}

fn renew(desk: &Desk, person: u64) -> String {
    let (identity, visit) = (identity(person), visit(person));
    let (began_at, real_now, expires_at) = (EVENING, EVENING, EVENING);
    let opening = Opening { identity: &identity, visit: &visit, began_at, expires_at, real_now };
    desk.sessions.renew(opening, EVENING).unwrap().0
}

fn is_taken(desk: &Desk, person: u64) -> bool {
    matches!(enter(desk, person), Err(NotOpened::Taken(_)))
}

/// The session of a visit that was open for half an hour until then.
fn opened(n: u64, expires_at: Timestamp) -> Event {
    let keys = keys();
    let visit = keys.visit(visit(n).as_str());
    Event::Opened(Opened {
        visit,
        person: visit,
        subject: visit,
        began_at: expires_at - SignedDuration::from_mins(30),
        proved_by: ProvedBy::Spid,
        expires_at,
        generation: 0,
    })
}

fn ended(n: u64) -> Event {
    Event::Ended { visit: keys().visit(visit(n).as_str()) }
}

/// Starts a node that makes a summary, and waits for it.
fn summarise(cluster: &Cluster, name: &str) -> Desk {
    let before = cluster.sql(NUMBER);
    cluster.sql(AGE);
    let desk = Desk::open(cluster, name, &keys()).unwrap();
    cluster.wait_for(&format!("SELECT ({NUMBER}) > {before}"), "t");
    desk
}

/// Starts a node, and says how long that took.
#[expect(clippy::disallowed_methods, reason = "how long a start takes is shown")]
fn start(cluster: &Cluster, name: &str) -> (Desk, Duration) {
    let started = Instant::now();
    let desk = Desk::open(cluster, name, &keys()).unwrap();
    (desk, started.elapsed())
}

#[test]
fn a_node_that_starts_reads_what_lives_and_knows_all_that_ended() {
    const DEAD: u64 = 2_000;
    const FIRST: u64 = 1000;
    let cluster = Cluster::start();
    let a = Desk::open(&cluster, "a-node", &keys()).unwrap();
    cluster.wait_for(NUMBER, "1");
    let [stays, renewed, leaves] = [1, 2, 3].map(|person| enter(&a, person).unwrap());
    let fresh = renew(&a, 2);
    let long_ago = EVENING - SignedDuration::from_hours(1);
    for n in FIRST..FIRST + DEAD {
        a.journal.note(opened(n, if n % 2 == 0 { long_ago } else { a.sessions.expiry(EVENING) }));
        if n % 2 == 1 {
            a.journal.note(ended(n));
        }
    }
    let [office, clerk] = ["office", "clerk"].map(|name| keys().office(name));
    a.journal.note(Event::Counted { office, clerk, day: DAY });
    a.journal.note(Event::Counted { office, clerk, day: DAY });
    a.keeps();
    let (without, before) = start(&cluster, "without");
    assert!(without.told.1 as u64 > DEAD * 3 / 2, "all rows: {:?}", without.told);

    let b = summarise(&cluster, "b-node");
    // After the summary.
    a.sessions.close(&leaves);
    let late = enter(&a, 4).unwrap();
    a.keeps();
    let (c, after) = start(&cluster, "c-node");
    println!("{:?} in {before:?} without a summary, {:?} in {after:?}", without.told, c.told);
    assert_eq!(c.told.0, 4, "openings of who is inside");
    assert!((c.told.1 as u64) < DEAD + 20, "a visit is left of each that ended: {:?}", c.told);
    // Whatever rows are left.
    cluster.sql(REMOVE);
    let d = Desk::open(&cluster, "d-node", &keys()).unwrap();
    for desk in [&c, &d] {
        assert!(desk.sees(&stays) && desk.sees(&fresh) && desk.sees(&late));
        assert!(!desk.sees(&renewed), "a token that was renewed");
        assert!(!desk.sees(&leaves) && is_taken(desk, 3));
        assert!(is_taken(desk, FIRST) && is_taken(desk, FIRST + 1), "a visit that has ended");
        assert!(!is_taken(desk, FIRST + DEAD));
        assert!(desk.quotas.reserve(office, clerk, DAY).is_err(), "the quota is used up");
    }
    // The node that ran learns what followed, as if there were no summary.
    b.catches_up();
    assert!(b.sees(&late) && !b.sees(&leaves) && is_taken(&b, 3));

    // One more, made of the one before and what followed; what ended before it is not written again.
    let parts = || cluster.sql("SELECT count(*) FROM sportello.journal_ended WHERE number <= 2");
    let before = parts();
    let maker = summarise(&cluster, "maker");
    assert_eq!(parts(), before);
    cluster.sql(REMOVE);
    drop(maker);
    let last = Desk::open(&cluster, "last", &keys()).unwrap();
    assert!(last.sees(&stays) && last.sees(&fresh) && last.sees(&late));
    assert!(!last.sees(&renewed));
    assert!([3, FIRST, FIRST + 1].iter().all(|person| is_taken(&last, *person)));
}

#[test]
fn a_node_reads_all_rows_if_a_summary_is_old_or_damaged_or_of_another_release() {
    let cluster = Cluster::start();
    let a = Desk::open(&cluster, "a-node", &keys()).unwrap();
    cluster.wait_for(NUMBER, "1");
    let token = enter(&a, 1).unwrap();
    a.journal.note(ended(2));
    a.keeps();
    for (nth, spoil) in [
        "SET written_at = now() - interval '25 hours'",
        "SET sealed = substring(sealed FROM 1 FOR length(sealed) - 1)",
        "SET version = 0",
        "SET part = 1",
    ]
    .iter()
    .enumerate()
    {
        drop(summarise(&cluster, &format!("made-{nth}")));
        cluster.sql(&format!("UPDATE sportello.journal_summaries {spoil}"));
        let desk = Desk::open(&cluster, &format!("node-{nth}"), &keys()).unwrap();
        assert!(desk.sees(&token) && is_taken(&desk, 2), "{spoil}");
    }
    drop(summarise(&cluster, "last"));
    cluster.sql("UPDATE sportello.journal_ended SET sealed = substring(sealed FROM 1 FOR 40)");
    let desk = Desk::open(&cluster, "last-node", &keys()).unwrap();
    assert!(desk.sees(&token) && is_taken(&desk, 2));
}

#[test]
fn a_summary_of_a_later_release_is_left_alone_and_of_many_nodes_one_makes_the_next() {
    let cluster = Cluster::start();
    let a = Desk::open(&cluster, "a-node", &keys()).unwrap();
    cluster.wait_for(NUMBER, "1");
    cluster.sql(AGE);
    let nodes = ["b-node", "c-node", "d-node"].map(|name| {
        let (cluster, keys) = (&cluster, keys());
        Desk::open(cluster, name, &keys).unwrap()
    });
    cluster.wait_for(NUMBER, "2");
    cluster.sql(&format!("{AGE}, version = version + 1"));
    let last = Desk::open(&cluster, "last", &keys()).unwrap();
    // It has looked whether one is due once it has looked for rows, some times over.
    (0..10).for_each(|_| last.catches_up());
    assert_eq!(cluster.sql(NUMBER), "2");
    drop((a, nodes));
}

#[test]
fn rows_of_several_nodes_are_learned_in_their_order_however_many_one_of_them_wrote() {
    // A row takes 16 KiB, and a thousand are read at once.
    const EVENTS: u64 = 900_000;
    let cluster = Cluster::start();
    let [a, b] = ["a-node", "b-node"].map(|name| Desk::open(&cluster, name, &keys()).unwrap());
    cluster.wait_for(NUMBER, "1");
    let event = ended(1);
    (0..EVENTS).for_each(|_| a.journal.note(event));
    a.keeps();
    assert!(
        cluster.sql("SELECT max(number) FROM sportello.journal").parse::<u64>().unwrap() > 1024
    );
    b.journal.note(ended(2));
    b.keeps();
    let c = Desk::open(&cluster, "c-node", &keys()).unwrap();
    assert_eq!(c.last, Some(ended(2)), "it was noted last");
    assert_eq!(c.told.1 as u64, EVENTS + 1);
}
