//! Crowds that the controller lets in at its rate, in virtual time: people with several devices, people who stay away,
//! people who ask too early, people who share an address. `SPORTELLO_CROWD_PEOPLE` and `SPORTELLO_CROWD_SEEDS` ask for
//! the long form; a million people take a minute a seed in a release build.

use std::io::Write as _;

use super::*;

/// People and seeds of the short form.
const PEOPLE: u64 = 3_000;
const SEEDS: u64 = 3;
/// Seconds in which the whole crowd could enter at the controller's rate.
const COURSE_SECONDS: f64 = 120.0;
/// Seconds within which the crowd comes: all of them before the first draw.
const ARRIVAL_SECONDS: i64 = 5;
/// People who share one address, such as a workplace or a mobile network, and the share of the crowd that does so.
const ADDRESS_PEOPLE: u64 = 200;
const ONE_IN_SHARES: u64 = 4;
/// Attempts to enter from one address: the defaults of `limits.enter_by_address_per_second` and `..._burst`.
const ADDRESS_PER_SECOND: f64 = 100.0;
const ADDRESS_BURST: f64 = 1_000.0;

/// One person of the crowd.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    fn of(seed: u64, n: u64) -> Self {
        match dice(seed, n) % 20 {
            0 => Self::StaysAway,
            1 | 2 => Self::Pesters,
            3 | 4 => Self::HasTwoDevices,
            _ => Self::Obeys,
        }
    }

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

/// The rate limit of an address.
#[derive(Clone)]
struct Address {
    left: f64,
    at: i64,
}

impl Address {
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    fn admits(&mut self, second: i64) -> bool {
        let more = (second - self.at) as f64 * ADDRESS_PER_SECOND;
        self.left = (self.left + more).min(ADDRESS_BURST);
        self.at = second;
        let admits = self.left >= 1.0;
        self.left -= f64::from(u8::from(admits));
        admits
    }
}

/// What came of a crowd.
struct Course {
    /// The order of arrival of those who entered, in the order of entering.
    entered: Vec<u64>,
    /// How long the pesterers, those with two devices and those who share an address waited on average, relative to the
    /// obedient, and to those with an address of their own.
    advantages: [(&'static str, f64); 3],
    /// Entered a second until nine tenths were inside, relative to the controller's rate.
    filled: f64,
    /// Median error of the estimates after the draw, relative to the real wait.
    estimate_error: f64,
    /// People who are left in the room.
    starved: usize,
    /// Attempts that the rate limit of an address refused.
    refused: u64,
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

/// The address of a person who shares one.
fn shared_address(seed: u64, order: u64, people: u64) -> Option<usize> {
    let dice = dice(!seed, order);
    let addresses = (people / ONE_IN_SHARES / ADDRESS_PEOPLE).max(1);
    let address = usize::try_from((dice >> 8) % addresses).unwrap();
    dice.is_multiple_of(ONE_IN_SHARES).then_some(address)
}

/// A crowd on its way in; people are named by their order of arrival.
struct Crush {
    seed: u64,
    hall: Hall,
    people: Vec<Asking>,
    addresses: Vec<Address>,
    asks: BTreeMap<i64, Vec<u64>>,
    rate: f64,
    /// Admissions that the controller has left.
    tokens: f64,
    /// When each entered.
    inside: Vec<Option<i64>>,
    entered: Vec<u64>,
    /// The first estimate that each was given after the draw, and when.
    estimates: Vec<Option<(i64, u32)>>,
    refused: u64,
}

impl Crush {
    #[expect(clippy::cast_precision_loss, reason = "people")]
    fn new(seed: u64, people: u64) -> Self {
        let count = usize::try_from(people).unwrap();
        // Enough polls for everybody: how long people stay away follows from their numbers alone.
        let polls_per_second_max = u32::try_from(people).unwrap();
        let hall = Hall::new(Config { people_max: count, polls_per_second_max, ..CONFIG });
        let mut asks: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for order in 0..people {
            // In the order of arrival, evenly spread.
            let second =
                i64::try_from(order).unwrap() * ARRIVAL_SECONDS / i64::try_from(people).unwrap();
            asks.entry(second).or_default().push(order);
        }
        Self {
            seed,
            people: (0..people).map(|order| hall.asking(seed * people + order)).collect(),
            hall,
            addresses: vec![Address { left: ADDRESS_BURST, at: 0 }; count],
            asks,
            rate: people as f64 / COURSE_SECONDS,
            tokens: 0.0,
            inside: vec![None; count],
            entered: Vec::new(),
            estimates: vec![None; count],
            refused: 0,
        }
    }

    /// What the controller allows now.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "people")]
    fn supply(&self) -> Supply {
        Supply {
            free: self.tokens as usize,
            places: usize::MAX,
            per_second: self.rate,
            polls_per_second: f64::INFINITY,
        }
    }

    fn ask(&mut self, order: u64, second: i64) {
        let index = usize::try_from(order).unwrap();
        if self.inside[index].is_some() {
            return;
        }
        let habit = Habit::of(self.seed, order);
        let shared = shared_address(self.seed, order, self.people.len() as u64);
        if shared.is_some_and(|address| !self.addresses[address].admits(second)) {
            self.refused += 1;
            self.asks.entry(second + 1 + i64::from(order % 2 == 1)).or_default().push(order);
            return;
        }
        match self.hall.ask_as(&self.people[index], &self.supply(), second) {
            Ok(()) => {
                self.tokens -= 1.0;
                self.inside[index] = Some(second);
                self.entered.push(order);
            }
            Err(place) => {
                let place = place.expect("a place");
                if let (Some(_), Some(estimate)) = (place.drawn, place.estimate_seconds) {
                    self.estimates[index].get_or_insert((second, estimate));
                }
                let told = second + i64::from(place.poll_seconds);
                for at in habit.asks_again(second, told) {
                    self.asks.entry(at).or_default().push(order);
                }
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "people and seconds")]
    fn course(mut self) -> Course {
        let people = self.people.len();
        let (mut second, mut until_most) = (0, 0);
        while !self.asks.is_empty() && second < 4_000 {
            // The crowd comes to a full counter.
            let is_full = second < ARRIVAL_SECONDS;
            self.tokens =
                if is_full { 0.0 } else { (self.tokens + self.rate).min(1.5 * self.rate) };
            self.hall.tidy_with(&self.supply(), second);
            let mut asking = self.asks.remove(&second).unwrap_or_default();
            // Within a second they come in any order.
            let shuffle = self.seed.wrapping_add(second.unsigned_abs() << 32);
            asking.sort_unstable_by_key(|order| dice(shuffle, *order));
            for order in asking {
                self.ask(order, second);
            }
            if self.entered.len() * 10 < people * 9 {
                until_most = second;
            }
            second += 1;
        }
        // Those who stay away are forgotten in time.
        (0..=i64::from(TIDY_PARTS)).for_each(|more| self.hall.tidy(0, second + 300 + more));
        let habit = |wanted: Habit| move |seed, order| Habit::of(seed, order) == wanted;
        let obedient = self.wait_of(habit(Habit::Obeys));
        let shares = |seed, order| shared_address(seed, order, people as u64).is_some();
        let alone = self.wait_of(|seed, order| !shares(seed, order));
        Course {
            advantages: [
                ("pestering", self.wait_of(habit(Habit::Pesters)) / obedient),
                ("two devices", self.wait_of(habit(Habit::HasTwoDevices)) / obedient),
                ("a shared address", self.wait_of(shares) / alone),
            ],
            filled: self.entered.len() as f64 * 0.9
                / (until_most - ARRIVAL_SECONDS) as f64
                / self.rate,
            estimate_error: self.median_error(),
            starved: self.hall.room.waiting().iter().sum(),
            refused: self.refused,
            entered: self.entered,
        }
    }

    /// When those who are `wanted` entered, on average.
    #[expect(clippy::cast_precision_loss, reason = "seconds and people")]
    fn wait_of(&self, wanted: impl Fn(u64, u64) -> bool) -> f64 {
        let theirs = (0..).zip(&self.inside).filter(|(order, _)| wanted(self.seed, *order));
        let (sum, count) =
            theirs.filter_map(|(_, at)| *at).fold((0, 0), |(sum, count), at| (sum + at, count + 1));
        sum as f64 / f64::from(count)
    }

    /// Median error of the estimates, relative to the time until their people were inside.
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    fn median_error(&self) -> f64 {
        let error = |(estimate, inside): (&Option<(i64, u32)>, &Option<i64>)| {
            let (at, estimate) = (*estimate)?;
            let real = ((*inside)? - at) as f64;
            (real >= 10.0).then(|| (f64::from(estimate) - real).abs() / real)
        };
        let mut errors: Vec<f64> =
            self.estimates.iter().zip(&self.inside).filter_map(error).collect();
        errors.sort_unstable_by(f64::total_cmp);
        errors[errors.len() / 2]
    }
}

/// Spearman's rank correlation of the order of arrival and that of entering.
#[expect(clippy::cast_precision_loss, reason = "people")]
fn rank_correlation(entered: &[u64]) -> f64 {
    let mut by_arrival = entered.to_vec();
    by_arrival.sort_unstable();
    let rank = |order: &u64| by_arrival.binary_search(order).unwrap() as f64;
    let count = entered.len() as f64;
    let places = (0..).map(f64::from).zip(entered);
    let apart: f64 = places.map(|(place, order)| (place - rank(order)).powi(2)).sum();
    1.0 - 6.0 * apart / (count * (count * count - 1.0))
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "people")]
fn in_a_crowd_the_order_of_arrival_and_pestering_gain_nothing_and_nobody_starves() {
    let people = from_environment("SPORTELLO_CROWD_PEOPLE", PEOPLE);
    let seeds = from_environment("SPORTELLO_CROWD_SEEDS", SEEDS);
    // Five standard deviations of the correlation of independent orders.
    let chance = 5.0 / (people as f64).sqrt();
    let mut correlations = 0.0;
    for seed in 0..seeds {
        let course = Crush::new(seed, people).course();
        let correlation = rank_correlation(&course.entered);
        let Course { advantages, filled, estimate_error, starved, refused, .. } = &course;
        let summary = format!(
            "seed {seed}, {people} people: correlation {correlation:.5}, {advantages:.3?}, filled {filled:.3}, estimate's error {estimate_error:.3}, starved {starved}, refused by address {refused}"
        );
        // The long form takes an hour: its progress is shown with `--nocapture`.
        writeln!(std::io::stderr(), "{summary}").unwrap();
        let comes = (0..people).filter(|order| Habit::of(seed, *order) != Habit::StaysAway);
        assert_eq!(course.entered.len(), comes.count(), "who comes back gets in: {summary}");
        assert_eq!((course.starved, course.refused), (0, 0), "{summary}");
        correlations += correlation;
        assert!(correlation.abs() < chance, "{summary}");
        assert!(advantages.iter().all(|(_, ratio)| (0.9..1.1).contains(ratio)), "{summary}");
        assert!(course.filled > 0.85, "{summary}");
        assert!(course.estimate_error < 0.25, "{summary}");
    }
    let mean = correlations / seeds as f64;
    assert!(mean.abs() < chance / (seeds as f64).sqrt(), "{mean}");
}
