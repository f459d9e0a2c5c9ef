//! When people who wait ask again, and what asking earlier brings.

use super::*;

#[test]
fn people_are_told_to_ask_no_more_often_than_may_be_answered() {
    // Before a draw, and after one without a free place: the rate is unknown.
    for (is_drawn, seconds) in [(false, 100..1_000), (true, 200..1_000)] {
        let hall = Hall::new(Config { polls_per_second_max: 10, ..CONFIG });
        let mut asks: BTreeMap<i64, Vec<u64>> = BTreeMap::from([(0, (0..1_000).collect())]);
        let mut polls = Vec::new();
        for second in 0..seconds.end {
            hall.tidy(usize::from(is_drawn && second < 10), second);
            let asking = asks.remove(&second).unwrap_or_default();
            if seconds.contains(&second) {
                polls.push(asking.len());
            }
            for n in asking {
                let told = second + i64::from(hall.waits(n, second).poll_seconds);
                asks.entry(told).or_default().push(n);
            }
        }
        let most = polls.windows(30).map(|polls| polls.iter().sum::<usize>()).max().unwrap();
        assert!(most <= 30 * 12, "{is_drawn}: {most} polls in half a minute");
        let mean = polls.iter().sum::<usize>() / polls.len();
        assert!(mean >= 3, "{is_drawn}: the bound is used: {mean} a second");
    }
}

#[test]
fn who_asks_early_is_told_the_same_moment_and_takes_no_place_from_who_was_called() {
    let hall = Hall::new(Config { polls_per_second_max: 10, ..CONFIG });
    let mut due: Vec<i64> = (0..1_000).map(|n| i64::from(hall.waits(n, 0).poll_seconds)).collect();
    let supply = Supply { admissions: Rate::per_second(2.0), ..Supply::of(2) };
    let mut entered = [0; 2];
    for second in 6..120 {
        hall.tidy_with(&supply, second);
        // One in ten asks every second, and before the others.
        let pesters = |n: &usize| n.is_multiple_of(10);
        let (pestering, told): (Vec<_>, Vec<_>) = (0..1_000)
            .filter(|n| due[*n] == second || (due[*n] > second && pesters(n)))
            .partition(pesters);
        let mut free = 2;
        for n in pestering.into_iter().chain(told) {
            match hall.ask_with(n as u64, &Supply { free, ..supply }, second) {
                Ok(()) => {
                    free -= 1;
                    entered[usize::from(pesters(&n))] += 1;
                    due[n] = 0;
                }
                Err(place) => {
                    let told = second + i64::from(place.unwrap().poll_seconds);
                    let before = std::mem::replace(&mut due[n], told);
                    assert!(second >= before || told == before, "{n}: {told}, {before}");
                }
            }
        }
    }
    // As many as they are, give or take five standard deviations.
    assert!(entered[0] > 120 && 4 * entered[1] < entered[0], "{entered:?}");
}

#[test]
fn who_was_called_and_finds_no_lease_is_not_sent_away_for_as_long_as_everybody() {
    let hall = Hall::new(Config { polls_per_second_max: 10, ..CONFIG });
    let due: Vec<i64> = (0..1000).map(|n| i64::from(hall.waits(n, 0).poll_seconds)).collect();
    hall.tidy(1, 6);
    let is_called = |n: &u64| {
        let inner = hall.room.lock();
        let index = inner.seats.of_person(hall.person(*n), Audience::Citizens).unwrap();
        inner.seats.get(index).is_called()
    };
    let (called, waiting): (Vec<u64>, Vec<u64>) = (0..1000).partition(is_called);
    assert!(!called.is_empty() && waiting.len() > 900, "{called:?}");
    let told = |n: &u64| hall.waits(*n, due[usize::try_from(*n).unwrap()].max(7));
    for n in &called {
        let place = told(n);
        assert!(place.is_called && place.poll_seconds <= 4, "{place:?}");
    }
    let mean = waiting.iter().map(|n| told(n).poll_seconds).sum::<u32>() / 900;
    assert!(mean > 60, "{mean}");
}
