//! Crowds that the controller lets in at its rate, in virtual time: people with several devices, people who stay away,
//! people who ask too early. `SPORTELLO_CROWD_PEOPLE` and `SPORTELLO_CROWD_SEEDS` ask for the long form: a million
//! people and a hundred seeds take hours.

use super::*;

/// People and seeds of the short form.
const PEOPLE: u64 = 3_000;
const SEEDS: u64 = 3;
/// Seconds in which the whole crowd could enter at the controller's rate.
const COURSE_SECONDS: f64 = 120.0;
/// Seconds within which the crowd comes: all of them before the first draw.
const ARRIVAL_SECONDS: i64 = 5;

/// One person of the crowd.
#[derive(Clone, Copy)]
enum Habit {
    /// Asks when told.
    Obeys,
    /// Asks every second.
    Pesters,
    /// Asks from two devices, each when told.
    HasTwoDevices,
    /// Does not come back.
    StaysAway,
}

impl Habit {
    /// When they ask again who asked in this second and were told another.
    fn asks_again(self, second: i64, told: i64) -> Vec<i64> {
        match self {
            Self::Pesters => vec![second + 1],
            Self::HasTwoDevices if second <= ARRIVAL_SECONDS => vec![told, told + 1],
            Self::Obeys | Self::HasTwoDevices => vec![told],
            Self::StaysAway => vec![],
        }
    }
}

/// What came of a crowd.
struct Course {
    /// The order of arrival of those who entered, in the order of entering.
    entered: Vec<u64>,
    /// How long the pesterers and the obedient waited on average, relative to each other.
    pestering: f64,
    /// Entered a second until nine tenths were inside, relative to the controller's rate.
    filled: f64,
    /// Median error of the estimates after the draw, relative to the real wait.
    estimate_error: f64,
    /// People who are left in the room.
    starved: usize,
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |number| number.parse().expect("a number"))
}

/// A reproducible number for each pair (splitmix64).
fn dice(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(n << 20 | 1);
    for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
        z = (z ^ (z >> 29)).wrapping_mul(factor);
    }
    z ^ (z >> 32)
}

fn habit(seed: u64, n: u64) -> Habit {
    match dice(seed, n) % 20 {
        0 => Habit::StaysAway,
        1 | 2 => Habit::Pesters,
        3 | 4 => Habit::HasTwoDevices,
        _ => Habit::Obeys,
    }
}

#[expect(clippy::cast_precision_loss, reason = "people and seconds")]
fn course(seed: u64, people: u64) -> Course {
    let config = Config { people_max: usize::try_from(people).unwrap(), ..CONFIG };
    let hall = Hall::new(config);
    let rate = people as f64 / COURSE_SECONDS;
    let person = |order: u64| seed * people + order;
    let mut asks: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    for order in 0..people {
        // In the order of arrival, evenly spread.
        let second =
            i64::try_from(order).unwrap() * ARRIVAL_SECONDS / i64::try_from(people).unwrap();
        asks.entry(second).or_default().push(order);
    }
    let (mut second, mut tokens, mut until_most) = (0, 0.0_f64, 0);
    let (mut inside, mut entered) = (BTreeMap::new(), Vec::new());
    let mut estimates: BTreeMap<u64, (i64, u32)> = BTreeMap::new();
    while !asks.is_empty() && second < 4_000 {
        // The crowd comes to a full counter.
        tokens = if second < ARRIVAL_SECONDS { 0.0 } else { (tokens + rate).min(1.5 * rate) };
        let mut supply = Supply {
            free: 0,
            places: usize::MAX,
            per_second: rate,
            polls_per_second: f64::INFINITY,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "people")]
        let free = |tokens: f64| tokens as usize;
        supply.free = free(tokens);
        hall.tidy_with(&supply, second);
        for order in asks.remove(&second).unwrap_or_default() {
            if inside.contains_key(&order) {
                continue;
            }
            supply.free = free(tokens);
            match hall.ask_with(person(order), &supply, second) {
                Ok(()) => {
                    tokens -= 1.0;
                    inside.insert(order, second);
                    entered.push(order);
                }
                Err(place) => {
                    let place = place.expect("a place");
                    if let (Some(_), Some(estimate)) = (place.drawn, place.estimate_seconds) {
                        estimates.entry(order).or_insert((second, estimate));
                    }
                    let told = second + i64::from(place.poll_seconds);
                    for at in habit(seed, order).asks_again(second, told) {
                        asks.entry(at).or_default().push(order);
                    }
                }
            }
        }
        if entered.len() as u64 * 10 < people * 9 {
            until_most = second;
        }
        second += 1;
    }
    // Those who stay away are forgotten in time.
    (0..=i64::from(TIDY_PARTS)).for_each(|more| hall.tidy(0, second + 300 + more));
    let estimate_error = median_error(&estimates, &inside);
    let wait_of = |wanted: fn(Habit) -> bool| {
        let waits = inside.iter().filter(|(order, _)| wanted(habit(seed, **order)));
        let waits: Vec<f64> = waits.map(|(_, at)| *at as f64).collect();
        waits.iter().sum::<f64>() / waits.len() as f64
    };
    Course {
        pestering: wait_of(|habit| matches!(habit, Habit::Pesters))
            / wait_of(|habit| matches!(habit, Habit::Obeys)),
        filled: entered.len() as f64 * 0.9 / (until_most - 5) as f64 / rate,
        estimate_error,
        starved: hall.room.waiting().iter().sum(),
        entered,
    }
}

/// Median error of estimates, made in a second, relative to the time until their people were inside.
#[expect(clippy::cast_precision_loss, reason = "seconds")]
fn median_error(estimates: &BTreeMap<u64, (i64, u32)>, inside: &BTreeMap<u64, i64>) -> f64 {
    let error = |(order, (at, estimate)): (&u64, &(i64, u32))| {
        let real = (inside.get(order)? - at) as f64;
        (real >= 10.0).then(|| (f64::from(*estimate) - real).abs() / real)
    };
    let mut errors: Vec<f64> = estimates.iter().filter_map(error).collect();
    errors.sort_unstable_by(f64::total_cmp);
    errors[errors.len() / 2]
}

/// Spearman's rank correlation of the order of arrival and that of entering.
#[expect(clippy::cast_precision_loss, reason = "people")]
fn rank_correlation(entered: &[u64]) -> f64 {
    let mut by_arrival = entered.to_vec();
    by_arrival.sort_unstable();
    let ranks: BTreeMap<u64, f64> = by_arrival.into_iter().zip((0..).map(f64::from)).collect();
    let count = entered.len() as f64;
    let apart: f64 = (0..)
        .map(f64::from)
        .zip(entered)
        .map(|(place, order)| (place - ranks[order]).powi(2))
        .sum();
    1.0 - 6.0 * apart / (count * (count * count - 1.0))
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "people")]
fn in_a_crowd_the_order_of_arrival_and_pestering_gain_nothing_and_nobody_starves() {
    let people = from_environment("SPORTELLO_CROWD_PEOPLE", PEOPLE);
    let seeds = from_environment("SPORTELLO_CROWD_SEEDS", SEEDS);
    let mut correlations = 0.0;
    for seed in 0..seeds {
        let course = course(seed, people);
        let comes = (0..people).filter(|order| !matches!(habit(seed, *order), Habit::StaysAway));
        assert_eq!(course.entered.len(), comes.count(), "everybody who comes back gets in");
        assert_eq!(course.starved, 0);
        let correlation = rank_correlation(&course.entered);
        correlations += correlation;
        // Five standard deviations of the correlation of independent orders.
        assert!(correlation.abs() < 5.0 / (people as f64).sqrt(), "seed {seed}: {correlation}");
        assert!((0.9..1.1).contains(&course.pestering), "seed {seed}: {}", course.pestering);
        assert!(course.filled > 0.85, "seed {seed}: {}", course.filled);
        assert!(course.estimate_error < 0.25, "seed {seed}: {}", course.estimate_error);
    }
    let mean = correlations / seeds as f64;
    assert!(mean.abs() < 5.0 / (people as f64 * seeds as f64).sqrt(), "{mean}");
}
