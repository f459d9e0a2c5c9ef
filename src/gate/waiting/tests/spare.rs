//! Places that nobody in the room needs.

use super::*;

#[test]
fn who_comes_while_all_who_wait_have_a_place_enters_at_once_and_takes_nobodys() {
    let hall = Hall::new(CONFIG);
    for n in 0..10 {
        hall.waits(n, 0);
    }
    hall.tidy(20, 5);
    let crowded = Supply { is_crowded: true, ..Supply::of(20) };
    assert!(hall.ask_with(10, &crowded, 5).is_err(), "others are kept out of the room");
    assert_eq!(hall.room.waiting(), [11, 0]);
    assert!(hall.room.give_up(hall.person(10), Audience::Citizens));

    // Ten were called, so of 20 places ten are left over.
    let mut free = 20;
    for n in 20..50 {
        free -= usize::from(hall.ask(n, free, 6).is_ok());
    }
    assert_eq!(free, 10);
    assert!((0..10).all(|n| hall.ask(n, 10, 8).is_ok()), "they find their places");
}

#[test]
fn a_round_whose_people_all_find_a_place_gathers_for_a_second_only() {
    let hall = Hall::new(CONFIG);
    for n in 0..4 {
        hall.waits(n, 0);
    }
    hall.tidy(4, 0);
    hall.tidy(3, 1);
    assert!(hall.drawn().is_empty(), "in its first second, or if there are too few places");
    hall.tidy(4, 1);
    assert_eq!(hall.drawn()[0].people, 4);

    // Who has gone needs no place, and needs one again after coming back.
    let hall = Hall::new(CONFIG);
    let waiter = |n| Waiter { person: hall.person(n), audience: Audience::Citizens };
    for n in 0..4 {
        hall.waits(n, 0);
    }
    (0..2).for_each(|n| hall.room.has_gone(waiter(n)));
    hall.waits(0, 1);
    hall.tidy(2, 2);
    assert!(hall.drawn().is_empty());
    assert!(hall.room.give_up(hall.person(1), Audience::Citizens));
    hall.tidy(3, 2);
    assert_eq!(hall.drawn()[0].people, 3);
}
