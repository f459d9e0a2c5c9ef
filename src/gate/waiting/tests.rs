//! The room alone: who waits, who is next, and that nothing is left of people who have gone.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
    fs,
    sync::Arc,
};

use super::*;
use crate::{
    civic::FiscalCode,
    ledger::{journal::Noted, local::rounds::LocalRounds, rounds::BeaconValue},
    vault::HouseKeys,
};

pub(super) mod crowds;
mod draws;
mod nodes;
mod polls;
mod restarts;
mod spare;

const START: i64 = 1_726_500_600;
const CONFIG: Config = Config {
    people_max: 5_000,
    gather_seconds: 5,
    absent_seconds: 120,
    poll_seconds_min: 2,
    polls_per_second_max: 2000,
};

/// A room and people who ask; times are seconds from its opening.
struct Hall {
    room: Room,
    keys: Arc<HouseKeys>,
    journal: Arc<Noted>,
    directory: tempfile::TempDir,
}

impl Hall {
    fn new(config: Config) -> Self {
        Self::open(config, tempfile::tempdir().unwrap(), Arc::default(), false, 0)
    }

    fn open(
        config: Config,
        directory: tempfile::TempDir,
        journal: Arc<Noted>,
        has_beacon: bool,
        second: i64,
    ) -> Self {
        let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
        let rounds = LocalRounds::open(directory.path(), Arc::clone(&keys), at(second)).unwrap();
        let beacon = has_beacon.then(|| Beacon {
            file: directory.path().join("beacon"),
            genesis: u64::try_from(START).unwrap(),
            period_seconds: 3,
            late_seconds_max: 60,
        });
        let mut remembered = Remembered::default();
        for event in journal.events() {
            remembered.take(None, &event);
        }
        let kept = (Arc::clone(&journal) as Arc<dyn Journal>, remembered);
        let room = Room::new(config, Box::new(rounds), beacon, kept, at(second));
        Self { room, keys, journal, directory }
    }

    /// Kills it and opens it again at another time.
    fn restart(self, has_beacon: bool, second: i64) -> Self {
        Self::open(CONFIG, self.directory, self.journal, has_beacon, second)
    }

    fn publish(&self, beacon_round: u64, value: BeaconValue) {
        let file = self.directory.path().join("beacon");
        fs::write(file, format!("{beacon_round} {value}\n")).unwrap();
    }

    /// Tidies up, and draws what was closed.
    fn tidy(&self, places: usize, second: i64) {
        self.tidy_with(&Supply::of(places), second);
    }

    fn tidy_with(&self, supply: &Supply, second: i64) {
        self.room.tidy(supply, at(second));
        self.room.draw(supply, at(second), at(second), |_| ()).unwrap();
    }

    fn drawn(&self) -> Vec<DrawnRound> {
        self.room.draws().drawn
    }

    fn person(&self, n: u64) -> Subject {
        self.keys.subject(&FiscalCode::made_up(n))
    }

    /// As the intake asks: whether it is their turn, else for a seat. `Err(None)` is a full room.
    fn ask(&self, n: u64, places: usize, second: i64) -> Result<(), Option<Waiting>> {
        self.ask_with(n, &Supply::of(places), second)
    }

    fn ask_with(&self, n: u64, supply: &Supply, second: i64) -> Result<(), Option<Waiting>> {
        self.ask_as(&self.asking(n), supply, second)
    }

    fn asking(&self, n: u64) -> Asking {
        Asking {
            person: self.person(n),
            fiscal_code: FiscalCode::made_up(n),
            audience: Audience::Citizens,
        }
    }

    fn ask_as(&self, asking: &Asking, supply: &Supply, second: i64) -> Result<(), Option<Waiting>> {
        self.room.draw(supply, at(second), at(second), |_| ()).unwrap();
        self.enter(asking, supply, second)
    }

    fn enter(&self, asking: &Asking, supply: &Supply, second: i64) -> Result<(), Option<Waiting>> {
        if let Some(waiting) = self.room.known(asking.person, asking.audience, supply, at(second)) {
            return Err(Some(waiting));
        }
        // Like taking a lease: a turn alone is not enough to enter.
        if self.room.turn_of(asking.person, asking.audience, supply, at(second)) && supply.free > 0
        {
            self.room.entered(asking.person);
            return Ok(());
        }
        Err(self.room.wait(asking, None, supply, at(second)))
    }

    fn waits(&self, n: u64, second: i64) -> Waiting {
        self.ask(n, 0, second).unwrap_err().expect("a place")
    }

    /// Those of `people` whose turn it is while one lease is free.
    fn turn_of_one(&self, people: impl Iterator<Item = u64>, second: i64) -> Vec<u64> {
        people.filter(|n| self.ask(*n, 1, second).is_ok()).collect()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

#[test]
fn nobody_waits_while_there_is_room() {
    let hall = Hall::new(CONFIG);
    assert_eq!(hall.ask(1, 1, 0), Ok(()));
    assert!(hall.room.is_empty());
    assert!(hall.drawn().is_empty());
}

#[test]
fn lots_decide_and_not_who_came_first_or_asks_most() {
    let hall = Hall::new(CONFIG);
    for n in 0..100 {
        hall.waits(n, 0);
    }
    // The last to come asks once, the first every second.
    for second in 1..5 {
        assert_eq!(hall.ask(0, 1, second).ok(), None);
        assert!(hall.drawn().is_empty(), "a round gathers for five seconds");
    }
    let mut order = Vec::new();
    for second in 5..105 {
        let gone = hall.turn_of_one(0..100, second);
        order.extend(gone.iter().filter(|n| !order.contains(*n)).copied().collect::<Vec<_>>());
        if order.len() == 100 {
            break;
        }
    }
    let drawn = hall.drawn();
    let seed = drawn.last().expect("a round was drawn").seed;
    let mut by_lot: Vec<u64> = (0..100).collect();
    by_lot.sort_by_key(|n| seed.number(&FiscalCode::made_up(*n)));
    assert_eq!(drawn.last().unwrap().people, 100);
    assert_eq!(order[..50], by_lot[..50]);
}

#[test]
fn the_commitment_is_known_before_and_the_seed_only_afterwards() {
    let hall = Hall::new(CONFIG);
    let (round, commitment) = hall.room.next_round();
    let waits = hall.waits(1, 0);
    assert_eq!((waits.round, waits.commitment, waits.drawn), (round, commitment, None));
    hall.waits(2, 1);
    hall.tidy(1, 4);
    assert_eq!(hall.drawn(), []);
    hall.tidy(1, 6);
    let told = hall.drawn();
    assert_eq!((told.len(), told[0].round, told[0].people), (1, round, 2));
    assert_eq!(told[0].seed.commitment(), commitment);
    hall.tidy(1, 7);
    assert_eq!(hall.drawn(), told, "a round is drawn once");

    // A person who is not called yet gets the seed, their number, and the round that they are still in.
    let numbers = [1, 2].map(|n| (told[0].seed.number(&FiscalCode::made_up(n)), n));
    let (number, last) = numbers.into_iter().max().unwrap();
    let place = hall.waits(last, 7);
    assert_eq!((place.round, place.drawn), (round, Some((told[0].seed, number))));
    let (next, other) = hall.room.next_round();
    assert!(next > round && other != commitment);
}

#[test]
fn who_comes_while_a_round_is_called_is_in_the_next_one() {
    let hall = Hall::new(CONFIG);
    for n in 0..20 {
        hall.waits(n, 0);
    }
    hall.tidy(1, 5);
    for n in 20..40 {
        assert_eq!(hall.waits(n, 6).drawn, None);
    }
    let mut order = Vec::new();
    for second in 7..200 {
        let inside: BTreeSet<u64> = order.iter().copied().collect();
        order.extend(hall.turn_of_one((0..40).filter(|n| !inside.contains(n)), second));
    }
    let (first, second): (Vec<u64>, Vec<u64>) = (order[..20].to_vec(), order[20..].to_vec());
    assert!(first.iter().all(|n| *n < 20) && second.iter().all(|n| *n >= 20), "{order:?}");
    assert_eq!(order.len(), 40);
    assert!(hall.room.is_empty());
}

#[test]
fn a_person_who_waits_is_known_until_they_are_called_or_leave() {
    let hall = Hall::new(CONFIG);
    let known = |n, places, second| {
        let supply = Supply::of(places);
        hall.room.known(hall.person(n), Audience::Citizens, &supply, at(second)).is_some()
    };
    let look = |n| hall.room.look(hall.person(n), Audience::Citizens, &Supply::of(0), at(6));
    let give_up = |n| hall.room.give_up(hall.person(n), Audience::Citizens);
    assert!(!known(1, 0, 0) && look(1).is_none() && !give_up(1));
    hall.waits(1, 0);
    hall.waits(2, 0);
    assert!(known(1, 0, 1) && !known(3, 0, 1));
    assert!(
        hall.room.known(hall.person(1), Audience::Intermediaries, &Supply::of(0), at(1)).is_none()
    );
    hall.tidy(1, 6);
    let calm = [1, 2].map(|n| known(n, 1, 6));
    assert_eq!(calm.iter().filter(|calm| **calm).count(), 1, "one was called: {calm:?}");
    assert!(look(1).is_some() && look(2).is_some() && look(3).is_none());
    assert!(give_up(1) && !give_up(1) && look(1).is_none() && look(2).is_some());
    assert!(give_up(2) && hall.room.is_empty());
    let inner = hall.room.lock();
    assert!(inner.seats.forgot_everybody());
    assert_eq!((inner.turns.called(), inner.turns.gathering.people), (0, 0));
}

#[test]
fn a_person_has_one_seat_whether_they_act_for_themselves_or_for_an_office() {
    let hall = Hall::new(CONFIG);
    let asking =
        |audience| Asking { person: hall.person(1), fiscal_code: FiscalCode::made_up(1), audience };
    for audience in [Audience::Intermediaries, Audience::Citizens, Audience::Intermediaries] {
        assert!(hall.room.wait(&asking(audience), None, &Supply::of(0), at(0)).is_some());
        let waiting = hall.room.waiting();
        assert_eq!(waiting.iter().sum::<usize>(), 1, "{waiting:?}");
        assert_eq!(waiting[audience as usize], 1);
    }
    assert_eq!(hall.room.lock().turns.gathering.people, 1);
}

#[test]
fn who_stays_away_gives_up_and_nothing_is_left_of_them() {
    let hall = Hall::new(CONFIG);
    for n in 0..50 {
        hall.waits(n, 0);
    }
    hall.tidy(10, 5);
    for n in 50..100 {
        hall.waits(n, 6);
    }
    assert_eq!(hall.room.waiting(), [100, 0]);
    for second in 300..=300 + i64::from(TIDY_PARTS) {
        hall.tidy(10, second);
    }
    assert_eq!(hall.room.waiting(), [0, 0]);
    let inner = hall.room.lock();
    assert!(inner.seats.forgot_everybody());
    assert_eq!((inner.turns.called(), inner.turns.gathering.people), (0, 0));
}

#[test]
fn a_crowd_that_was_called_and_does_not_come_is_waited_for_and_forgotten() {
    let hall = Hall::new(CONFIG);
    for n in 0..1000 {
        hall.waits(n, 0);
    }
    for second in 5..400 {
        hall.tidy(100, second);
    }
    assert!(hall.room.is_empty());
    assert_eq!(hall.ask(1, 100, 400), Ok(()), "places are free");
    // The rate measured with them does not distort estimates for long.
    for n in 0..100 {
        hall.waits(n, 401);
    }
    for second in 402..420 {
        hall.tidy(0, second);
    }
    assert!(hall.waits(1, 420).estimate_seconds.is_none_or(|seconds| seconds > 10));
}

#[test]
fn no_place_is_kept_for_people_whose_connections_were_closed_and_they_lose_nothing() {
    let hall = Hall::new(CONFIG);
    let waiter = |n| Waiter { person: hall.person(n), audience: Audience::Citizens };
    for n in 0..200 {
        hall.waits(n, 0);
    }
    hall.tidy(1, 5);
    (0..200).for_each(|n| hall.room.has_gone(waiter(n)));
    // Their whole round is called at once, and the next one gathers, is drawn and enters.
    hall.tidy(1, 6);
    for n in 200..203 {
        hall.waits(n, 6);
    }
    hall.tidy(1, 11);
    let entered = (200..203).filter(|n| hall.ask(*n, 3, 12).is_ok()).count();
    assert!(entered >= 1, "nobody stands before them");
    assert_eq!(hall.ask(7, 1, 13), Ok(()), "who comes back was called before them");
    let inner = hall.room.lock();
    assert!(inner.turns.called() <= 3, "{}", inner.turns.called());
}

#[test]
fn a_full_room_takes_nobody_but_keeps_who_is_in_it() {
    let hall = Hall::new(Config { people_max: 2, ..CONFIG });
    hall.waits(1, 0);
    hall.waits(2, 0);
    assert_eq!(hall.ask(3, 0, 1), Err(None));
    assert!(hall.ask(2, 0, 1).unwrap_err().is_some());
}

#[test]
fn the_estimate_follows_the_pace_and_the_number() {
    let hall = Hall::new(CONFIG);
    for n in 0..1000 {
        assert_eq!(hall.waits(n, 0).estimate_seconds, None, "nobody has entered yet");
    }
    // Ten people a second enter for half a minute.
    let mut inside = BTreeSet::new();
    for second in 5..35 {
        hall.tidy(10, second);
        let mut places = 10;
        for n in 0..1000 {
            if places > 0 && !inside.contains(&n) && hall.ask(n, places, second).is_ok() {
                inside.insert(n);
                places -= 1;
            }
        }
        hall.tidy(0, second);
    }
    let left: Vec<u64> = (0..1000).filter(|n| !inside.contains(n)).collect();
    let seed = hall.drawn()[0].seed;
    let last = left.iter().max_by_key(|n| seed.number(&FiscalCode::made_up(**n))).unwrap();
    let estimate = hall.waits(*last, 35).estimate_seconds.unwrap();
    let expected = u32::try_from(left.len()).unwrap() / 10;
    assert!((expected * 2 / 3..=expected * 2).contains(&estimate), "{estimate}, {expected}");
}

/// A crowd that comes within ten seconds for a number of leases, each held for `stay` seconds, half of them more or
/// less. Everybody asks again when they should.
struct Crowd {
    people: u64,
    places: usize,
    stay: i64,
}

/// What came of it.
#[derive(Debug)]
struct Course {
    /// Share of the leases held, from the first draw until a tenth of the crowd is left.
    taken: f64,
    /// When the last one entered, relative to the shortest time possible for the whole crowd.
    last: f64,
    /// Mean distance between the order of entering and the order of numbers in the first round, relative to its length.
    /// Without any order it would be a third.
    displaced: f64,
}

impl Crowd {
    #[expect(clippy::cast_precision_loss, reason = "people and seconds")]
    fn course(&self) -> Course {
        let hall = Hall::new(CONFIG);
        let mut asks: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for n in 0..self.people {
            asks.entry(i64::try_from(n % 10).unwrap()).or_default().push(n);
        }
        let mut inside: BinaryHeap<Reverse<i64>> = BinaryHeap::new();
        let (mut entered, mut rounds) = (Vec::new(), BTreeMap::new());
        let (mut taken, mut possible, mut second) = (0, 0, 0);
        while !asks.is_empty() {
            while inside.peek().is_some_and(|until| until.0 <= second) {
                inside.pop();
            }
            hall.tidy(self.places - inside.len(), second);
            for n in asks.remove(&second).unwrap_or_default() {
                let free = self.places - inside.len();
                match hall.ask(n, free, second) {
                    Ok(()) => {
                        let more = i64::try_from(n).unwrap() * 7 % (self.stay + 1) - self.stay / 2;
                        inside.push(Reverse(second + self.stay + more));
                        entered.push(n);
                    }
                    Err(place) => {
                        let place = place.expect("a place");
                        rounds.insert(n, place.round);
                        asks.entry(second + i64::from(place.poll_seconds)).or_default().push(n);
                    }
                }
            }
            if second > 15 && entered.len() as u64 * 10 < self.people * 9 {
                taken += inside.len();
                possible += self.places;
            }
            second += 1;
        }
        let drawn = hall.drawn();
        let first = drawn.last().expect("a round was drawn");
        let came: Vec<u64> =
            entered.into_iter().filter(|n| rounds.get(n) == Some(&first.round)).collect();
        let mut by_lot = came.clone();
        by_lot.sort_by_key(|n| first.seed.number(&FiscalCode::made_up(*n)));
        let places: BTreeMap<u64, usize> = by_lot.into_iter().zip(0..).collect();
        let apart: usize =
            came.iter().zip(0_usize..).map(|(n, came)| came.abs_diff(places[n])).sum();
        Course {
            taken: taken as f64 / possible as f64,
            last: second as f64 * self.places as f64 / (self.people as f64 * self.stay as f64),
            displaced: apart as f64 / came.len() as f64 / came.len() as f64,
        }
    }
}

#[test]
fn places_are_taken_as_they_become_free_and_by_lot() {
    for crowd in [
        Crowd { people: 5_000, places: 500, stay: 60 },
        Crowd { people: 3_000, places: 40, stay: 4 },
        Crowd { people: 1_000, places: 10, stay: 30 },
    ] {
        let course = crowd.course();
        assert!(course.taken > 0.9 && course.last < 1.25, "{course:?}");
        assert!(course.displaced < 0.1, "{course:?}");
    }
}
