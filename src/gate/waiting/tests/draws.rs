//! What a restart, a kill, the beacon and the disk may do to a draw.

use super::*;
use crate::{gate::lottery::Mixer, ledger::rounds::DrawnBeacon};

#[test]
fn a_restart_at_any_second_changes_neither_the_round_nor_a_number() {
    let mut hall = Hall::new(CONFIG);
    let (round, commitment) = hall.room.next_round();
    for second in 1..20 {
        hall.waits(1, second);
        hall = hall.restart(false, second + 100 * (second % 3));
        assert_eq!(hall.room.next_round(), (round, commitment), "second {second}");
    }
    for n in 1..=2 {
        hall.waits(n, 400);
    }
    hall.tidy(1, 410);
    let drawn = hall.drawn();
    assert_eq!((drawn.len(), drawn[0].round, drawn[0].commitment), (1, round, commitment));
    // A drawn round is over: after a restart its seed is still public, and the next one is linked to it.
    let hall = hall.restart(false, 411);
    assert_eq!(hall.drawn(), drawn);
    assert_eq!(hall.room.next_round().0, round + 1);
    for n in 1..=3 {
        hall.room.give_up(hall.person(n), Audience::Citizens);
        hall.waits(n, 411);
    }
    hall.tidy(1, 420);
    assert_eq!(hall.drawn()[0].seed.before(), drawn[0].seed);
    assert_eq!(drawn[0].seed.before(), hall.room.draws().chains[0].anchor);
}

const BEACON: BeaconValue = BeaconValue([9; 32]);

/// A hall in which persons 1 and 2 wait in a closed round, and the beacon round that was named for it at second 6.
fn closed_hall() -> (Hall, u64) {
    let hall = Hall::open(CONFIG, tempfile::tempdir().unwrap(), Arc::default(), true, 0);
    for n in 1..=2 {
        assert_eq!(hall.waits(n, 0).beacon_round, None);
    }
    hall.tidy(1, 6);
    let (round, _, beacon_round) = hall.room.draws().closed.expect("the beacon is waited for");
    let told = hall.waits(1, 7);
    assert_eq!((told.round, told.beacon_round, told.drawn), (round, Some(beacon_round), None));
    (hall, beacon_round)
}

#[test]
fn a_closed_round_takes_nobody_and_is_drawn_when_its_beacon_value_is_there() {
    let (hall, beacon_round) = closed_hall();
    // Round 1 of the beacon was at second 0, its period is 3 seconds.
    assert!(3 * (beacon_round - 1) > 6 + 3, "its value did not exist: {beacon_round}");
    let first = hall.waits(1, 8).round;
    assert_eq!(hall.waits(3, 8).round, first + 1, "a person who comes now could know the value");
    hall.tidy(1, 9);
    hall.publish(beacon_round - 1, BeaconValue([1; 32]));
    hall.tidy(1, 10);
    assert_eq!(hall.drawn(), [], "another value does not count");

    hall.publish(beacon_round, BEACON);
    hall.tidy(1, 12);
    let drawn = hall.drawn()[0];
    assert_eq!(drawn.beacon, Some(DrawnBeacon { round: beacon_round, value: Some(BEACON) }));
    assert_eq!((drawn.round, drawn.people), (first, 2));
    let number = |n| Mixer::new(BEACON).mix(drawn.seed.number(&FiscalCode::made_up(n)));
    let last = [1, 2].into_iter().max_by_key(|n| number(*n)).unwrap();
    let told = hall.waits(last, 13);
    assert_eq!(
        (told.drawn, told.beacon_round),
        (Some((drawn.seed, number(last))), Some(beacon_round))
    );
    assert!(hall.ask(3 - last, 1, 13).is_ok(), "the lower one is called");
}

#[test]
fn every_number_of_a_crowd_is_mixed_once() {
    let hall = Hall::open(CONFIG, tempfile::tempdir().unwrap(), Arc::default(), true, 0);
    for n in 0..5_000 {
        hall.waits(n, 0);
    }
    hall.tidy(1, 6);
    let (_, _, beacon_round) = hall.room.draws().closed.expect("the beacon is waited for");
    hall.publish(beacon_round, BEACON);
    hall.tidy(1, 12);
    let (seed, mixer) = (hall.drawn()[0].seed, Mixer::new(BEACON));
    for n in 0..5_000 {
        let number = mixer.mix(seed.number(&FiscalCode::made_up(n)));
        assert_eq!(hall.waits(n, 13).drawn, Some((seed, number)));
    }
}

#[test]
fn a_kill_between_naming_and_drawing_changes_neither_round_nor_beacon_nor_number() {
    let (hall, beacon_round) = closed_hall();
    let told = hall.waits(1, 8);
    let hall = hall.restart(true, 500);
    hall.publish(beacon_round, BEACON);
    let again = hall.waits(1, 501);
    assert_eq!((again.round, again.commitment), (told.round, told.commitment));
    assert_eq!(again.beacon_round, Some(beacon_round), "no second choice among values");
    let late = hall.waits(3, 501);
    assert_eq!(late.round, told.round + 1, "a closed round takes nobody after a restart either");
    hall.tidy(1, 510);
    let drawn = hall.drawn()[0];
    assert_eq!((drawn.round, drawn.mixed_with()), (told.round, Some(BEACON)));
    assert_eq!(drawn.people, 2, "who has not asked again yet is in it, too");
}

#[test]
fn a_round_is_drawn_without_a_late_beacon_and_everybody_can_see_it() {
    let (hall, beacon_round) = closed_hall();
    hall.tidy(1, 60);
    assert_eq!(hall.drawn(), []);
    hall.room.tidy(&Supply::of(1), at(80));
    let noted = std::cell::RefCell::new(String::new());
    let note = |what: &dyn std::fmt::Display| *noted.borrow_mut() += &what.to_string();
    hall.room.draw(&Supply::of(1), at(80), at(80), note).unwrap();
    let drawn = hall.drawn()[0];
    assert_eq!(drawn.beacon, Some(DrawnBeacon { round: beacon_round, value: None }));
    assert!(noted.into_inner().contains(&format!("WITHOUT its beacon round {beacon_round}")));
    let number = |n| drawn.seed.number(&FiscalCode::made_up(n));
    let last = [1, 2].into_iter().max_by_key(|n| number(*n)).unwrap();
    let told = hall.waits(last, 81);
    assert_eq!((told.drawn, told.beacon_round), (Some((drawn.seed, number(last))), None));
}

#[test]
fn a_seed_stays_secret_while_its_draw_is_not_on_disk() {
    let hall = Hall::new(CONFIG);
    hall.waits(1, 0);
    // The name of the draft of a new file is taken by a directory.
    let taken = hall.directory.path().join("rounds.sealed.new");
    fs::create_dir(&taken).unwrap();
    hall.room.tidy(&Supply::of(1), at(6));
    assert!(hall.room.draw(&Supply::of(1), at(6), at(6), |_| panic!("nothing to record")).is_err());
    let waiting =
        hall.room.known(hall.person(1), Audience::Citizens, &Supply::of(0), at(6)).unwrap();
    assert_eq!((hall.drawn(), waiting.drawn), (vec![], None));
    fs::remove_dir(&taken).unwrap();
    hall.tidy(1, 8);
    assert_eq!(hall.drawn().len(), 1, "it is tried again");
}
