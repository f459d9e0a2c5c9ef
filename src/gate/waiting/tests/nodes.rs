//! One room at several nodes, in virtual time: whatever node a person asks, they have one seat, one number and one turn.

use std::{sync::atomic::AtomicUsize, time::Duration};

use tokio::sync::oneshot;

use super::*;
use crate::ledger::{fault::StorageFault, rounds::Outlook};

/// The journal of one node of several: what it notes is taken out to be learned by the others.
#[derive(Default)]
struct Shared(Mutex<Vec<Event>>, bool);

impl Journal for Shared {
    fn note(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }

    fn synced(&self) -> oneshot::Receiver<()> {
        let (sender, synced) = oneshot::channel();
        sender.send(()).unwrap();
        synced
    }

    fn is_shared(&self) -> bool {
        self.1
    }

    fn close(&self) {}
}

/// The rounds of all nodes; one of them draws.
#[derive(Clone)]
struct SharedRounds {
    rounds: Arc<Mutex<LocalRounds>>,
    leader: Arc<AtomicUsize>,
    /// How often each node fails to read them from now on.
    failures: Arc<AtomicUsize>,
    own: usize,
}

impl Rounds for SharedRounds {
    fn leads(&mut self) -> bool {
        self.leader.load(Ordering::Relaxed) == self.own
    }

    fn refresh(&mut self) -> Result<(), StorageFault> {
        let one_less = |left: usize| left.checked_sub(1);
        let failed = self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        failed.map_or(Ok(()), |_| Err(StorageFault::Damaged))
    }

    fn outlook(&self) -> Outlook {
        self.rounds.lock().unwrap().outlook()
    }

    fn name_beacon(&mut self, beacon_round: u64) -> Result<(), StorageFault> {
        self.rounds.lock().unwrap().name_beacon(beacon_round)
    }

    fn end(&mut self, drawn: &DrawnRound) -> Result<(), StorageFault> {
        let mut rounds = self.rounds.lock().unwrap();
        if rounds.outlook().next[0].index != drawn.round {
            // As if another node was first.
            return Err(StorageFault::Damaged);
        }
        rounds.end(drawn)
    }
}

struct OneNode {
    own: usize,
    room: Room,
    journal: Arc<Shared>,
    /// People inside, by the second in which they leave.
    inside: Vec<i64>,
    places: usize,
}

/// Several nodes with one room.
struct Building {
    nodes: Vec<OneNode>,
    leader: Arc<AtomicUsize>,
    failures: Arc<AtomicUsize>,
    rounds: Arc<Mutex<LocalRounds>>,
    keys: Arc<HouseKeys>,
    /// What is on its way to the others.
    under_way: Vec<(usize, Event)>,
    _directory: tempfile::TempDir,
}

impl Building {
    fn new<const N: usize>(places: [usize; N]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
        let rounds = LocalRounds::open(directory.path(), Arc::clone(&keys), at(0)).unwrap();
        let (rounds, leader) = (Arc::new(Mutex::new(rounds)), Arc::new(AtomicUsize::new(0)));
        let failures = Arc::new(AtomicUsize::new(0));
        let node = |(own, places)| {
            let journal = Arc::new(Shared(Mutex::default(), N > 1));
            let kept = (Arc::clone(&journal) as Arc<dyn Journal>, Remembered::default());
            let rounds = SharedRounds {
                rounds: Arc::clone(&rounds),
                leader: Arc::clone(&leader),
                failures: Arc::clone(&failures),
                own,
            };
            let room = Room::new(CONFIG, Box::new(rounds), None, kept, at(0));
            if let Some(nodes) = &mut room.lock().nodes {
                nodes.drawn_after = Duration::ZERO;
            }
            OneNode { own, room, journal, inside: Vec::new(), places }
        };
        let nodes = (0..).zip(places).map(node).collect();
        Self { nodes, leader, failures, rounds, keys, under_way: Vec::new(), _directory: directory }
    }

    fn supply(&self, node: usize, second: i64) -> Supply {
        let OneNode { inside, places, .. } = &self.nodes[node];
        let inside = inside.iter().filter(|leaves_at| **leaves_at > second).count();
        Supply::of(places - inside)
    }

    /// What was noted a second ago is learned; then every node tidies up.
    fn pass_second(&mut self, second: i64) {
        for (from, event) in std::mem::take(&mut self.under_way) {
            for node in self.nodes.iter().filter(|node| node.own != from) {
                node.room.learn(name(from), &event, at(second));
            }
        }
        for node in 0..self.nodes.len() {
            let supply = self.supply(node, second);
            let room = &self.nodes[node].room;
            room.tidy(&supply, at(second));
            room.draw(&supply, at(second), at(second), |_| ()).unwrap();
        }
        for node in &self.nodes {
            let noted = std::mem::take(&mut *node.journal.0.lock().unwrap());
            self.under_way.extend(noted.into_iter().map(|event| (node.own, event)));
        }
    }

    /// A person asks a node; `Ok` lets them in for `stays` seconds.
    fn ask(&mut self, node: usize, n: u64, stays: i64, second: i64) -> Result<(), Waiting> {
        let supply = self.supply(node, second);
        let (person, audience) = (self.person(n), Audience::Citizens);
        let room = &self.nodes[node].room;
        if let Some(waiting) = room.known(person, audience, &supply, at(second)) {
            return Err(waiting);
        }
        if room.turn_of(person, audience, &supply, at(second)) && supply.free > 0 {
            room.entered(person);
            self.nodes[node].inside.push(second + stays);
            return Ok(());
        }
        let asking = Asking { person, fiscal_code: FiscalCode::made_up(n), audience };
        Err(room.wait(&asking, None, &supply, at(second)).expect("a seat"))
    }

    fn person(&self, n: u64) -> Subject {
        self.keys.subject(&FiscalCode::made_up(n))
    }
}

fn name(node: usize) -> Node {
    Node(std::num::NonZeroU32::new(u32::try_from(node).unwrap() + 1).unwrap())
}

/// When each of a crowd entered, and in which round with which number; each asks a node that the dice choose.
struct Entries(Vec<(u64, i64, Option<Told>)>);

/// A round and a number in it.
type Told = (u64, Number);

impl Building {
    /// Lets a crowd come in the first seconds and runs until all are inside, or nobody has entered for a minute.
    fn run(&mut self, people: u64, mut each_second: impl FnMut(&mut Self, i64)) -> Entries {
        let mut due: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for n in 0..people {
            due.entry(i64::try_from(n % 4).unwrap()).or_default().push(n);
        }
        let mut told = BTreeMap::new();
        let (mut entries, mut second, mut latest) = (Vec::new(), 0, 0);
        while entries.len() < usize::try_from(people).unwrap() && second < latest + 120 {
            for n in due.remove(&second).unwrap_or_default() {
                let nodes = u64::try_from(self.nodes.len()).unwrap();
                let node = super::crowds::dice(u64::try_from(second).unwrap(), n) % nodes;
                match self.ask(usize::try_from(node).unwrap(), n, 5, second) {
                    Ok(()) => {
                        entries.push((n, second, told.get(&n).copied()));
                        latest = second;
                    }
                    Err(waiting) => {
                        if let Some((_, number)) = waiting.drawn {
                            let before = told.insert(n, (waiting.round, number));
                            assert!(before.is_none_or(|it| it == (waiting.round, number)), "{n}");
                        }
                        due.entry(second + i64::from(waiting.poll_seconds)).or_default().push(n);
                    }
                }
            }
            self.pass_second(second);
            each_second(self, second);
            second += 1;
        }
        Entries(entries)
    }
}

impl Entries {
    /// Of all pairs of one round that entered at different times, the share in which the lower number was first.
    fn in_order(&self) -> f64 {
        let (mut pairs, mut right) = (0_u32, 0_u32);
        for (at, (_, second, told)) in self.0.iter().enumerate() {
            let Some((round, number)) = told else { continue };
            for (_, later, other) in &self.0[at..] {
                let same = other.filter(|(its, _)| its == round && later > second);
                if let Some((_, other)) = same {
                    pairs += 1;
                    right += u32::from(*number < other);
                }
            }
        }
        f64::from(right) / f64::from(pairs)
    }
}

#[test]
fn whatever_node_people_ask_each_has_one_seat_and_enters_once_in_the_order_of_the_draw() {
    let alone = Building::new([60]).run(900, |_, _| ());
    let mut building = Building::new([20, 20, 20]);
    let entries = building.run(900, |_, _| ());
    assert_eq!(entries.0.len(), 900);
    let distinct: BTreeSet<_> = entries.0.iter().map(|(n, ..)| n).collect();
    assert_eq!(distinct.len(), 900, "nobody entered twice");
    // 60 places, five seconds each: 12 people a second.
    let [took, took_alone] = [&entries, &alone].map(|entries| entries.0.last().unwrap().1);
    assert!(took * 4 <= took_alone * 5, "{took} s, and at one node {took_alone} s");
    let in_order = entries.in_order();
    assert!(in_order > 0.9, "{in_order}, and at one node {}", alone.in_order());
    for _ in 0..3 {
        building.pass_second(took + 5);
    }
    for OneNode { room, .. } in &building.nodes {
        assert!(room.lock().seats.forgot_everybody());
        assert_eq!(room.draws().drawn, building.nodes[0].room.draws().drawn);
    }
}

#[test]
fn another_node_draws_and_calls_when_the_one_that_did_is_gone_and_its_people_keep_their_seats() {
    let mut building = Building::new([20, 20, 20]);
    let entries = building.run(600, |building, second| {
        if second == 20 {
            building.nodes.remove(0);
            // What it noted last is lost.
            building.under_way.retain(|(from, _)| *from != 0);
            building.leader.store(1, Ordering::Relaxed);
        }
    });
    assert_eq!(entries.0.len(), 600, "nobody starves");
    assert!(entries.in_order() > 0.85, "{}", entries.in_order());
}

#[test]
fn who_waits_at_a_node_that_has_ended_and_does_not_come_back_loses_the_seat() {
    let mut building = Building::new([1, 1, 0]);
    building.pass_second(0);
    assert_eq!(building.ask(0, 1, 1_000, 1), Ok(()));
    assert_eq!(building.ask(1, 2, 1_000, 1), Ok(()));
    building.pass_second(1);
    for n in 3..6 {
        building.ask(2, n, 1, 2).unwrap_err();
    }
    building.pass_second(2);
    building.pass_second(3);
    assert_eq!(building.nodes[0].room.waiting(), [3, 0]);
    building.nodes.pop();
    for second in 4..200 {
        building.pass_second(second);
    }
    for OneNode { room, .. } in &building.nodes {
        assert!(room.is_empty(), "{:?}", room.waiting());
    }
}

#[test]
fn a_person_who_asks_elsewhere_is_expected_there_alone() {
    let mut building = Building::new([1, 1, 0]);
    assert_eq!(building.ask(0, 1, 1_000, 0), Ok(()));
    assert_eq!(building.ask(1, 2, 1_000, 0), Ok(()));
    building.pass_second(0);
    let first = building.ask(0, 3, 1, 1).unwrap_err();
    building.pass_second(1);
    building.pass_second(2);
    let second = building.ask(2, 3, 1, 3).unwrap_err();
    assert_eq!((first.round, first.commitment), (second.round, second.commitment));
    building.pass_second(3);
    building.pass_second(4);
    let here: Vec<_> = building.nodes.iter().map(|node| node.room.lock().seats.here()).collect();
    assert_eq!(here, [0, 0, 1]);
    assert!(building.nodes[2].room.give_up(building.person(3), Audience::Citizens));
    building.pass_second(5);
    building.pass_second(6);
    assert!(building.nodes.iter().all(|node| node.room.is_empty()));
}

#[test]
fn a_node_that_knows_nothing_of_a_draw_takes_it_over_with_all_who_joined_meanwhile() {
    let mut building = Building::new([0, 0, 0]);
    building.pass_second(0);
    for n in 0..30 {
        building.ask(0, n, 1, 1).unwrap_err();
    }
    // The third node hears of everything at the end, all at once.
    let mut kept = Vec::new();
    let third = building.nodes.pop().unwrap();
    for second in 1..40 {
        building.pass_second(second);
        kept.extend(building.under_way.iter().copied());
        if second == 20 {
            for n in 30..40 {
                building.ask(1, n, 1, second).unwrap_err();
            }
        }
    }
    for (from, event) in kept {
        third.room.learn(name(from), &event, at(40));
    }
    building.nodes.push(third);
    for second in 40..44 {
        building.pass_second(second);
    }
    let rounds = |node: &OneNode| -> BTreeMap<u64, (u64, Option<Number>)> {
        let looks = |n| {
            let found =
                node.room.look(building.person(n), Audience::Citizens, &Supply::of(0), at(44));
            found.map(|waiting| (n, (waiting.round, waiting.drawn.map(|(_, number)| number))))
        };
        (0..40).filter_map(looks).collect()
    };
    let [first, last] = [&building.nodes[0], &building.nodes[2]].map(rounds);
    assert_eq!(first.len(), 40);
    assert_eq!(first, last);
    assert!(first.values().any(|(_, number)| number.is_some()), "a round was drawn");
}

#[test]
fn a_draw_that_a_node_could_not_read_is_taken_over_at_the_next_try() {
    let mut building = Building::new([0, 0]);
    for n in 0..5 {
        building.ask(0, n, 1, 0).unwrap_err();
    }
    let mut second = 0;
    while building.nodes[0].room.draws().drawn.is_empty() {
        building.pass_second(second);
        second += 1;
    }
    let OneNode { room, .. } = &building.nodes[1];
    for (from, event) in std::mem::take(&mut building.under_way) {
        if from == 0 {
            room.learn(name(from), &event, at(second));
        }
    }
    building.failures.store(1, Ordering::Relaxed);
    let draw = || room.draw(&Supply::of(0), at(second), at(second), |_| ());
    assert!(draw().is_err() && room.draws().drawn.is_empty());
    draw().unwrap();
    assert_eq!(room.draws().drawn, building.nodes[0].room.draws().drawn);
}

/// Who knew the seed could choose whether to join.
#[test]
fn a_seed_is_secret_until_no_node_lets_people_join_its_round() {
    let mut building = Building::new([0, 0]);
    building.pass_second(0);
    building.ask(0, 1, 1, 1).unwrap_err();
    let OneNode { room, .. } = &building.nodes[0];
    // It takes the lead, and then closes the round.
    room.draw(&Supply::of(0), at(2), at(2), |_| ()).unwrap();
    room.tidy(&Supply::of(0), at(20));
    assert!(room.lock().turns.closed.is_some());
    room.lock().nodes.as_mut().unwrap().drawn_after = Duration::from_secs(1);
    std::thread::scope(|scope| {
        let drawing = scope.spawn(|| room.draw(&Supply::of(0), at(20), at(20), |_| ()));
        std::thread::sleep(Duration::from_millis(200));
        assert!(building.rounds.lock().unwrap().outlook().drawn.is_empty(), "it is too early");
        drawing.join().unwrap().unwrap();
    });
    assert_eq!(building.rounds.lock().unwrap().outlook().drawn.len(), 1);
}
