//! Bounds on memory: what reading and deciding an application allocate, and what the waiting room holds.
//!
//! A separate test program, because it counts the allocations of the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

use std::{
    alloc::System,
    fs,
    hint::black_box,
    path::Path,
    sync::{Arc, Mutex},
};

use jiff::{
    Timestamp,
    civil::{Date, date},
};
use sportello::{
    application::{Application, example, example_allowance600, parse},
    civic::FiscalCode,
    gate::{
        beacon::Beacon,
        waiting::{Asking, Config, Remembered, Room, Supply},
    },
    identity::Audience,
    ledger::{journal::Forgetful, local::rounds::LocalRounds},
    schemes::Rules,
    vault::HouseKeys,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Number of repetitions, so that at least one is not disturbed by another thread of the test program.
const ROUNDS: usize = 20;

/// Upper bound on the allocations to parse an application: address, telephone number, two vectors of the document,
/// years of income, earlier benefits.
const READING_MAX: usize = 6;

/// Number of allocations and reallocations of `work`: the minimum of [`ROUNDS`] runs.
fn allocations<T>(mut work: impl FnMut() -> T) -> usize {
    let rounds = (0..ROUNDS).map(|_| {
        let region = Region::new(ALLOCATOR);
        let result = black_box(work());
        let change = region.change();
        drop(result);
        change.allocations + change.reallocations
    });
    rounds.min().unwrap()
}

/// One application for each outcome, with the day on which it is submitted.
fn applications() -> Vec<(Application, Date)> {
    let someone = FiscalCode::made_up(1);
    let iscro = |year| example(&someone, year);
    let pending =
        iscro(2024).replace("\"contributionsRegular\": true", "\"contributionsRegular\": null");
    let review = iscro(2024).replace("\"3000.00\"", "\"-3000.00\"");
    let refused = iscro(2025).replace("\"directPension\": false", "\"directPension\": true");
    let day = date(2024, 9, 16);
    [
        (iscro(2021), date(2021, 9, 16)),
        (iscro(2024), day),
        (pending, day),
        (review, day),
        (refused, date(2025, 9, 16)),
        (example_allowance600(&someone), date(2020, 4, 1)),
    ]
    .map(|(body, day)| (parse(body.as_bytes(), Rules::builtin()).unwrap(), day))
    .into()
}

/// Held by the running test, because another test's allocations would be counted, too.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn reading_allocates_a_handful_and_deciding_nothing_but_the_result() {
    let _turn = TURN.lock();
    let rules = Rules::builtin();
    let allocated = allocations(|| vec![0_u8; 100]);
    assert_eq!(allocated, 1, "a known allocation is counted once");
    let someone = FiscalCode::made_up(1);
    for body in [example(&someone, 2021), example(&someone, 2024), example_allowance600(&someone)] {
        assert!(parse(body.as_bytes(), rules).is_ok());
        let reading = allocations(|| parse(black_box(body.as_bytes()), rules));
        assert!(reading <= READING_MAX, "{reading} allocations");
    }
    for (application, day) in applications() {
        let decision = rules.decide(&application.facts, day);
        let outcome = decision.outcome;
        let deciding = allocations(|| rules.decide(black_box(&application.facts), day));
        assert_eq!(deciding, 0, "{outcome:?}: deciding allocates nothing");
        let writing = allocations(|| rules.decide(black_box(&application.facts), day).to_json());
        assert_eq!(writing, 1, "{outcome:?}: the text is allocated once, at its full size");
    }
}

/// A beacon with the values of its first 100 rounds.
fn beacon(directory: &Path) -> Beacon {
    let file = directory.join("beacon");
    let value = "9".repeat(64);
    let lines: Vec<_> = (1..=100).map(|round| format!("{round} {value}")).collect();
    fs::write(&file, lines.join("\n")).unwrap();
    Beacon { file, genesis: 1_726_500_600, period_seconds: 3, late_seconds_max: 60 }
}

/// Number of people in the waiting room.
const PEOPLE: usize = 1_000_000;
/// Upper bound on their memory, bytes.
const WAITING_BYTES_MAX: usize = 64_000_000;

#[test]
fn a_million_people_wait_in_64_megabytes_and_are_drawn_in_them() {
    let _turn = TURN.lock();
    let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
    let config = Config {
        people_max: PEOPLE,
        gather_seconds: 5,
        absent_seconds: 3_600,
        poll_seconds_min: 2,
        polls_per_second_max: 2_000,
    };
    let at = |second: i64| Timestamp::from_second(1_726_500_600 + second).unwrap();
    let region = Region::new(ALLOCATOR);
    let directory = tempfile::tempdir().unwrap();
    let rounds = LocalRounds::open(directory.path(), Arc::clone(&keys), at(0)).unwrap();
    let nobody = (Forgetful::shared(), Remembered::default());
    let room = Room::new(config, Box::new(rounds), Some(beacon(directory.path())), nobody, at(0));
    for n in 0..PEOPLE as u64 {
        let fiscal_code = FiscalCode::made_up(n);
        let asking = Asking {
            person: keys.subject(&fiscal_code),
            fiscal_code,
            audience: Audience::Citizens,
        };
        assert!(room.wait(&asking, None, &Supply::of(0), at(0)).is_some());
    }
    room.tidy(&Supply::of(1), at(5));
    for second in [5, 20] {
        room.draw(&Supply::of(1), at(second), at(second), |_| ()).unwrap();
    }
    assert_eq!(room.draws().drawn[0].people as usize, PEOPLE);
    assert_eq!(room.waiting(), [PEOPLE, 0]);
    let change = region.change();
    let held = change.bytes_allocated - change.bytes_deallocated;
    assert!(held <= WAITING_BYTES_MAX, "{held} bytes");
}
