//! A restart in the middle: everybody has the round, the number and the place that they had.

use super::*;
use crate::gate::lottery::Mixer;

/// People of the round that is called, and of the one that gathers.
const CALLED: std::ops::Range<u64> = 0..100;
const GATHERED: std::ops::Range<u64> = 100..150;

/// A hall in which a round is being called and another one gathers, and who has entered, in their order.
fn hall_in_a_surge() -> (Hall, Vec<u64>) {
    let hall = Hall::new(CONFIG);
    for n in CALLED {
        hall.waits(n, 0);
    }
    let mut entered = Vec::new();
    for second in 5..15 {
        let asking: Vec<_> = CALLED.filter(|n| !entered.contains(n)).collect();
        entered.extend(hall.turn_of_one(asking.into_iter(), second));
    }
    for n in GATHERED {
        hall.waits(n, 15);
    }
    assert!(entered.len() > 3 && entered.len() < 30, "{}", entered.len());
    (hall, entered)
}

/// The seat of a person, as the answer and the room know it; `None` if they have none.
fn seat_of(hall: &Hall, n: u64) -> Option<(u64, Option<Number>, bool)> {
    let inner = hall.room.lock();
    let index = inner.seats.of_person(hall.person(n), Audience::Citizens)?;
    let seat = inner.seats.get(index);
    let round = inner.turns.round_of(seat.stage);
    Some(match round {
        Ok(gathering) => (gathering.round, None, false),
        Err(drawn) => (drawn.round, Some(seat.number), seat.is_called()),
    })
}

#[test]
fn everybody_has_round_number_and_call_again_and_nobody_who_entered_has_a_seat() {
    let (hall, entered) = hall_in_a_surge();
    hall.room.give_up(hall.person(120), Audience::Citizens);
    // Places become free: some are called, and have not come yet.
    hall.tidy(10, 15);
    let seats = |hall: &Hall| (0..150).map(|n| seat_of(hall, n)).collect::<Vec<_>>();
    let (before, waiting) = (seats(&hall), hall.room.waiting());
    let called = before.iter().flatten().filter(|seat| seat.2).count();
    assert!(called > 0 && called < 50, "{called}");
    let hall = hall.restart(false, 30);
    assert_eq!(seats(&hall), before);
    assert_eq!(hall.room.waiting(), waiting);
    assert!(entered.iter().chain(&[120]).all(|n| seat_of(&hall, *n).is_none()));
    // A second restart finds the same.
    let hall = hall.restart(false, 60);
    assert_eq!(seats(&hall), before);
}

#[test]
fn after_a_restart_the_round_goes_on_by_number_and_no_newcomer_gets_ahead() {
    let (hall, mut order) = hall_in_a_surge();
    let hall = hall.restart(false, 20);
    assert_eq!(hall.room.next_round().0, seat_of(&hall, 100).unwrap().0);
    // Nobody has asked again yet, and a place is free: it is not a newcomer's.
    assert!(hall.ask(200, 1, 20).is_err());
    assert_eq!(seat_of(&hall, 200).unwrap().0, seat_of(&hall, 100).unwrap().0);
    let mut newcomers_after = None;
    for second in 21..400 {
        let asking = CALLED.filter(|n| !order.contains(n)).collect::<Vec<_>>();
        order.extend(hall.turn_of_one(asking.into_iter(), second));
        if newcomers_after.is_none() && hall.ask(200, 1, second).is_ok() {
            newcomers_after = Some(order.len());
        }
    }
    let seed = hall.drawn().iter().find(|drawn| drawn.people == 100).expect("is kept").seed;
    let mut by_lot: Vec<u64> = CALLED.collect();
    by_lot.sort_by_key(|n| seed.number(&FiscalCode::made_up(*n)));
    assert_eq!(order, by_lot, "before and after the restart: each once, the lowest number first");
    assert!(newcomers_after.is_some_and(|after| after > 90), "{newcomers_after:?}");
}

#[test]
fn who_does_not_come_back_gives_their_place_up() {
    let (hall, _) = hall_in_a_surge();
    let hall = hall.restart(false, 20);
    for second in (20..1_000).step_by(2) {
        hall.tidy(1, second);
    }
    assert!(hall.room.is_empty());
    assert!(hall.room.lock().seats.forgot_everybody());
}

#[test]
fn numbers_that_were_mixed_with_a_beacon_are_the_same_again() {
    let hall = Hall::open(CONFIG, tempfile::tempdir().unwrap(), Arc::default(), true, 0);
    for n in CALLED {
        hall.waits(n, 0);
    }
    hall.tidy(1, 6);
    let (_, _, beacon_round) = hall.room.draws().closed.expect("the beacon is waited for");
    let value = BeaconValue([9; 32]);
    hall.publish(beacon_round, value);
    hall.tidy(1, 12);
    let seed = hall.drawn()[0].seed;
    let hall = hall.restart(true, 20);
    for n in CALLED {
        let number = Mixer::new(value).mix(seed.number(&FiscalCode::made_up(n)));
        assert_eq!(seat_of(&hall, n).unwrap().1, Some(number));
    }
}

#[test]
fn a_seat_of_a_round_that_is_not_known_any_more_is_lost_and_no_other_round_is_given() {
    let (hall, _) = hall_in_a_surge();
    let Hall { journal, .. } = hall;
    // Another store of rounds, as after the loss of its file.
    let hall = Hall::open(CONFIG, tempfile::tempdir().unwrap(), journal, false, 10_000);
    assert!(hall.room.is_empty());
    let seat = hall.waits(1, 10_000);
    assert_eq!((seat.round, seat.drawn), (hall.room.next_round().0, None));
}

#[test]
fn a_seat_that_a_power_cut_took_is_found_again_by_the_ticket_while_its_round_is_not_drawn() {
    let hall = Hall::open(CONFIG, tempfile::tempdir().unwrap(), Arc::default(), true, 0);
    for n in CALLED {
        hall.waits(n, 0);
    }
    hall.tidy(1, 6);
    let (round, _, beacon_round) = hall.room.draws().closed.expect("the beacon is waited for");
    hall.journal.forget();
    let hall = hall.restart(true, 20);
    let wait = |n, held| {
        let fiscal_code = FiscalCode::made_up(n);
        let (person, audience) = (hall.person(n), Audience::Citizens);
        let asking = Asking { person, fiscal_code, audience };
        hall.room.wait(&asking, held, &Supply::of(0), at(20)).unwrap().round
    };
    assert_eq!(wait(1, Some(round)), round);
    assert_eq!([wait(2, None), wait(3, Some(round + 1)), wait(4, Some(round - 1))], [round + 1; 3]);
    hall.publish(beacon_round, BeaconValue([9; 32]));
    hall.tidy(0, 30);
    assert_eq!(hall.drawn()[0].people, 1);
    assert_eq!(wait(5, Some(round)), round + 1, "a drawn round takes nobody");
}
