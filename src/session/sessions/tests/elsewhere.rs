//! Sessions of several nodes that share a journal.

use super::*;
use crate::ledger::journal::Event;

/// One node, and what it noted.
struct Node {
    journal: Arc<Noted>,
    leases: Leases,
    sessions: Sessions,
    /// How much of the journal of the others it has learned.
    learned: std::sync::Mutex<std::collections::HashMap<usize, usize>>,
}

impl Node {
    fn open() -> Self {
        let (journal, leases) = (Noted::shared(), Leases::new(9));
        let remembered = Remembered::nothing();
        let own = Arc::clone(&journal);
        let sessions = Sessions::new(config(99, 3), keys(), own, remembered, &leases, at(0));
        Self { journal, leases, sessions, learned: std::sync::Mutex::default() }
    }

    /// Learns what others have noted since it last did.
    fn learns(&self, others: &[&Self]) {
        for other in others {
            let from = std::ptr::from_ref(*other).addr();
            let mut learned = self.learned.lock().unwrap();
            let known = learned.entry(from).or_default();
            let events = other.journal.events();
            events[*known..].iter().for_each(|event| self.sessions.learn(event));
            *known = events.len();
        }
    }

    fn counts(&self) -> (usize, usize) {
        (self.sessions.len(), self.leases.held())
    }

    fn open_for(&self, n: u64, visit: &Visit) -> String {
        open_in(visit, &self.sessions, &self.leases, &citizen(n)).unwrap().0
    }

    fn sees(&self, token: &str) -> Option<Arc<Session>> {
        let known = self.sessions.find(token, at(1));
        known.or_else(|| self.sessions.reopen(token, at(1)))
    }
}

/// All of them learn from each other until nothing is new.
fn settle(nodes: &[&Node]) {
    for _ in 0..3 {
        for node in nodes {
            let others: Vec<&Node> =
                nodes.iter().copied().filter(|other| !std::ptr::eq(*other, *node)).collect();
            node.learns(&others);
        }
    }
}

#[test]
fn a_session_works_at_every_node_and_its_lease_is_held_once() {
    let [a, b, c] = [(); 3].map(|()| Node::open());
    let visit = some_visit();
    let token = a.open_for(1, &visit);
    assert!(b.sees(&token).is_none() && b.sessions.is_unheard_of(&token, at(1)));
    settle(&[&a, &b, &c]);
    assert!(!b.sessions.is_unheard_of(&token, at(1)) && b.sessions.knows(&visit));
    assert_eq!([&a, &b, &c].map(Node::counts), [(1, 1), (0, 0), (0, 0)], "known, and not counted");

    let here = a.sessions.find(&token, at(1)).unwrap();
    let there = b.sees(&token).unwrap();
    assert_eq!((&there.tag, there.subject, there.expires_at), (&here.tag, here.subject, at(60)));
    settle(&[&a, &b, &c]);
    assert_eq!([&a, &b, &c].map(Node::counts), [(0, 0), (1, 1), (0, 0)]);
    let noted = b.journal.events().len();
    for node in [&a, &b, &a, &b] {
        assert!(node.sees(&token).is_some(), "it works at both");
    }
    settle(&[&a, &b, &c]);
    assert_eq!(b.journal.events().len(), noted, "requests here and there move nothing");

    // Its person submits where its lease is not.
    let session = a.sees(&token).unwrap();
    a.sessions.take_back(&session);
    session.finishing(&a.leases).unwrap().done();
    a.sessions.has_finished(&session);
    settle(&[&a, &b, &c]);
    assert_eq!([&a, &b, &c].map(Node::counts), [(1, 0), (0, 0), (0, 0)]);
    assert!(c.sees(&token).is_some());
    assert_eq!(c.counts(), (1, 0), "a lease that was used is not reserved again");
    b.sessions.take_back(&there);
    assert_eq!(b.counts().1, 0);
}

#[test]
fn what_another_node_renews_or_ends_is_renewed_or_ended_here() {
    let [a, b] = [(); 2].map(|()| Node::open());
    let visit = some_visit();
    let old = a.open_for(1, &visit);
    b.learns(&[&a]);
    let (new, _) = b.sessions.renew(opening(&citizen(1), &visit), at(1)).unwrap();
    assert!(b.sees(&old).is_none() && b.sees(&new).is_some());
    let before = a.sees(&old).expect("not learned yet");
    assert!(a.sees(&new).is_some(), "the newer token says that the older is over");
    assert!(a.sees(&old).is_none());
    settle(&[&a, &b]);
    assert!(a.sees(&old).is_none());
    assert!(Arc::ptr_eq(&before, &a.sees(&new).unwrap()), "a request under way keeps its session");
    assert_eq!(a.counts().1 + b.counts().1, 1);

    // Learned first: the new token is seen after the old one is over.
    let (newest, _) = b.sessions.renew(opening(&citizen(1), &visit), at(1)).unwrap();
    settle(&[&a, &b]);
    assert!(a.sees(&new).is_none() && a.sees(&newest).is_some());
    assert!(Arc::ptr_eq(&before, &a.sees(&newest).unwrap()));

    b.sessions.close(&newest);
    settle(&[&a, &b]);
    assert!(a.sees(&newest).is_none() && !before.is_open(at(1)));
    assert!(a.sessions.renew(opening(&citizen(1), &visit), at(1)).is_none());
    assert_eq!([&a, &b].map(Node::counts), [(0, 0), (0, 0)]);
    assert!(a.sessions.by_visit.is_empty() && a.sessions.by_person.is_empty());
    let ends = |node: &Node| {
        let events = node.journal.events();
        events.iter().filter(|event| matches!(event, Event::Ended { .. })).count()
    };
    assert_eq!((ends(&a), ends(&b)), (0, 1), "said once");
}

#[test]
fn two_nodes_that_wake_one_session_at_once_agree_who_holds_its_lease() {
    for _ in 0..20 {
        let [a, b, c] = [(); 3].map(|()| Node::open());
        let token = a.open_for(1, &some_visit());
        b.learns(&[&a]);
        c.learns(&[&a]);
        assert!(b.sees(&token).is_some() && c.sees(&token).is_some());
        settle(&[&a, &b, &c]);
        let counts = [&a, &b, &c].map(Node::counts);
        assert!(
            matches!(counts, [(0, 0), (1, 1), (0, 0)] | [(0, 0), (0, 0), (1, 1)]),
            "{counts:?}"
        );
    }
}

#[test]
fn of_two_tokens_that_two_nodes_give_at_once_one_works_and_everywhere() {
    let one_holds = |nodes: [&Node; 2], tokens: [String; 2]| {
        settle(&nodes);
        let counts = nodes.map(Node::counts);
        assert!(matches!(counts, [(1, 1), (0, 0)] | [(0, 0), (1, 1)]), "{counts:?}");
        let late = Node::open();
        late.learns(&nodes);
        let [a, b] = nodes;
        let seen =
            [a, b, &late, a].map(|node| tokens.each_ref().map(|token| node.sees(token).is_some()));
        assert!(matches!(seen[0], [true, false] | [false, true]), "{seen:?}");
        assert!(seen.iter().all(|same| *same == seen[0]), "{seen:?}");
    };
    for _ in 0..5 {
        let ([a, b], visit) = ([(); 2].map(|()| Node::open()), some_visit());
        one_holds([&a, &b], [&a, &b].map(|node| node.open_for(1, &visit)));
        let renew =
            |node: &Node| node.sessions.renew(opening(&citizen(1), &visit), at(1)).unwrap().0;
        one_holds([&a, &b], [&a, &b].map(renew));
        one_holds([&a, &b], [&b, &a].map(renew));
    }
}

#[test]
fn the_order_between_nodes_does_not_matter() {
    let [a, b] = [(); 2].map(|()| Node::open());
    let (visit, other) = (some_visit(), some_visit());
    let old = a.open_for(1, &visit);
    let ended = a.open_for(2, &other);
    b.learns(&[&a]);
    let (new, session) = b.sessions.renew(opening(&citizen(1), &visit), at(1)).unwrap();
    b.sessions.has_finished(&session);
    assert!(b.sees(&ended).is_some());
    b.sessions.close(&ended);

    for order in [[&a, &b], [&b, &a]] {
        let late = Node::open();
        late.learns(&order);
        assert!(late.sees(&old).is_none() && late.sees(&ended).is_none());
        assert!(late.sees(&new).is_some());
        assert_eq!(late.counts(), (1, 0), "its lease was used");
        late.sessions.sweep(at(0));
        assert!(late.sessions.early.lock().unwrap().is_empty());

        // A restart reads them in the same orders.
        let mut remembered = Remembered::nothing();
        for event in order.iter().flat_map(|node| node.journal.events()) {
            remembered.take(&event);
        }
        let (journal, leases) = (Noted::shared(), Leases::new(9));
        let read = Sessions::new(config(9, 3), keys(), journal, remembered, &leases, at(1));
        assert!(read.reopen(&old, at(1)).is_none() && read.reopen(&ended, at(1)).is_none());
        assert_eq!((read.len(), leases.held()), (0, 0), "those of others count elsewhere");
        assert!(read.reopen(&new, at(1)).is_some());
        assert_eq!((read.len(), leases.held()), (1, 0));
    }
    let lost = Node::open();
    lost.learns(&[&b]);
    assert!(!lost.sessions.early.lock().unwrap().is_empty());
    (0..100).for_each(|_| lost.sessions.sweep(at(0)));
    assert!(lost.sessions.early.lock().unwrap().is_empty(), "an opening that does not come");
}

#[test]
fn the_lease_of_a_node_that_died_is_held_where_its_session_is_seen_next_and_once() {
    let [a, running] = [(); 2].map(|()| Node::open());
    let tokens = [1, 2].map(|n| a.open_for(n, &some_visit()));
    running.learns(&[&a]);
    let mut remembered = Remembered::nothing();
    for event in a.journal.events() {
        remembered.take(&event);
    }
    drop(a);
    // One that ran with it, and one that starts later.
    let (journal, leases) = (Noted::shared(), Leases::new(9));
    let own = Arc::clone(&journal);
    let sessions = Sessions::new(config(99, 3), keys(), own, remembered, &leases, at(1));
    let late = Node { journal, leases, sessions, learned: std::sync::Mutex::default() };
    assert_eq!([&running, &late].map(Node::counts), [(0, 0), (0, 0)]);
    let [first, second] = [running.sees(&tokens[0]), late.sees(&tokens[1])].map(Option::unwrap);
    settle(&[&running, &late]);
    assert_eq!([&running, &late].map(Node::counts), [(1, 1), (1, 1)]);
    for (node, session) in [(&running, first), (&late, second)] {
        session.finishing(&node.leases).unwrap().done();
        node.sessions.has_finished(&session);
    }
    // It moves on, and no lease with it.
    assert!(late.sees(&tokens[0]).is_some());
    settle(&[&running, &late]);
    assert_eq!([&running, &late].map(Node::counts), [(0, 0), (2, 0)]);
}

#[test]
fn a_person_has_a_few_sessions_at_all_nodes_and_hands_a_lease_over_between_them() {
    let [a, b] = [(); 2].map(|()| Node::open());
    let tokens = [1, 2, 3].map(|_| a.open_for(1, &some_visit()));
    b.learns(&[&a]);
    let person = Whose::of(&keys(), &citizen(1)).person;
    assert!(b.sessions.hand_over(person, Audience::Intermediaries).is_none());
    let lease = b.sessions.hand_over(person, Audience::Citizens).unwrap();
    let (fourth, _) = b.sessions.open(opening(&citizen(1), &some_visit()), lease).unwrap();
    settle(&[&a, &b]);
    assert!(a.sees(&tokens[0]).is_none() && a.sees(&tokens[1]).is_some(), "the oldest made way");
    assert_eq!([&a, &b].map(Node::counts), [(2, 2), (1, 1)]);
    let mine = b.sees(&fourth).unwrap();
    assert_eq!(b.sessions.of_person(&mine, at(1)).len(), 3, "they see those of every node");
    assert_eq!(b.sessions.end_others(&mine, at(1)), 2);
    settle(&[&a, &b]);
    assert!(a.sees(&tokens[1]).is_none() && a.sees(&tokens[2]).is_none());
    assert_eq!([&a, &b].map(Node::counts), [(0, 0), (1, 1)]);
}

#[test]
fn an_expired_session_of_another_node_is_forgotten_without_a_word() {
    let [a, b] = [(); 2].map(|()| Node::open());
    let token = a.open_for(1, &some_visit());
    settle(&[&a, &b]);
    b.sessions.sweep(at(60));
    assert!(b.sessions.by_visit.is_empty() && b.sessions.by_person.is_empty());
    assert!(b.journal.events().is_empty() && b.sees(&token).is_none());
    a.sessions.sweep(at(60));
    assert!(matches!(a.journal.events().last(), Some(Event::Ended { .. })));
}
