//! Crowds that the controller lets in at its rate, in virtual time: people with several devices, people who stay away,
//! people who ask too early, people who share an address. `SPORTELLO_CROWD_PEOPLE` and `SPORTELLO_CROWD_SEEDS` ask for
//! the long form.

use std::io::Write as _;

use super::*;

/// People and seeds of the short form.
const PEOPLE: u64 = 3_000;
const SEEDS: u64 = 3;
/// Standard deviations that a measurement may be away from what is expected by chance.
const DEVIATIONS: f64 = 5.0;
/// By how much a habit may wait longer or shorter than the others, beyond chance.
const ADVANTAGE_MAX: f64 = 0.04;
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

    /// When they ask again who asked in this second for the first time, or not, and were told another: once or twice.
    fn asks_again(self, second: i64, told: i64, is_first: bool) -> [Option<i64>; 2] {
        match self {
            Self::Pesters => [Some(second + 1), None],
            Self::HasTwoDevices if is_first => [Some(told), Some(told + 1)],
            Self::Obeys | Self::HasTwoDevices => [Some(told), None],
            Self::StaysAway => [None, None],
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

/// A crowd, and how fast it may come in.
#[derive(Clone, Copy)]
struct Plan {
    people: u64,
    /// Seconds within which the crowd comes: all of it before the first draw.
    arrival_seconds: i64,
    /// Seconds in which the whole crowd could enter at the controller's rate.
    course_seconds: f64,
    /// Polls for each admission for which there is CPU time.
    polls: f64,
}

/// A mean wait, or the relation of two, and its standard deviation.
#[derive(Clone, Copy)]
struct Wait {
    mean: f64,
    deviation: f64,
}

impl Wait {
    fn relative_to(self, other: Self) -> Self {
        let mean = self.mean / other.mean;
        let deviation = (self.deviation / self.mean).hypot(other.deviation / other.mean);
        Self { mean, deviation: mean * deviation }
    }
}

impl std::fmt::Debug for Wait {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:.3} ± {:.3}", self.mean, self.deviation)
    }
}

/// What came of a crowd.
struct Course {
    /// The order of arrival of those who entered, in the order of entering.
    entered: Vec<u32>,
    /// How long the pesterers, those with two devices and those who share an address waited on average, relative to the
    /// obedient, and to those with an address of their own; and the standard deviation of that by chance.
    advantages: [(&'static str, Wait); 3],
    /// Entered a second until nine tenths were inside, relative to the controller's rate.
    filled: f64,
    /// Median error of the estimates after the draw, relative to the real wait.
    estimate_error: f64,
    /// People who are left in the room.
    starved: usize,
    /// Attempts that the rate limit of an address refused.
    refused: u64,
    /// The most polls a second of all but the pesterers, on average over half a minute, relative to those that there
    /// may be.
    polls: f64,
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |number| number.parse().expect("a number"))
}

/// A reproducible number for each pair (splitmix64).
pub(super) fn dice(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(n << 20 | 1);
    for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
        z = (z ^ (z >> 29)).wrapping_mul(factor);
    }
    z ^ (z >> 32)
}

/// The address of a person who shares one.
fn shared_address(seed: u64, order: u64, people: u64) -> Option<u32> {
    let dice = dice(!seed, order);
    let addresses = (people / ONE_IN_SHARES / ADDRESS_PEOPLE).max(1);
    let address = u32::try_from((dice >> 8) % addresses).unwrap();
    dice.is_multiple_of(ONE_IN_SHARES).then_some(address)
}

/// One person and how far they have come.
struct Person {
    asking: Asking,
    habit: Habit,
    /// The address, if they share one.
    address: Option<u32>,
    has_asked: bool,
    /// When they entered.
    inside: Option<u32>,
    /// The first estimate that they were given after the draw, and when.
    estimate: Option<(u32, u32)>,
}

/// A crowd on its way in; people are named by their order of arrival.
struct Crush {
    seed: u64,
    plan: Plan,
    hall: Hall,
    people: Vec<Person>,
    addresses: Vec<Address>,
    /// Who asks in each second from now on.
    asks: VecDeque<Vec<u32>>,
    rate: f64,
    /// Admissions that the controller has left.
    tokens: f64,
    entered: Vec<u32>,
    refused: u64,
    /// Polls of all but the pesterers in each second.
    polls: Vec<u32>,
}

impl Crush {
    #[expect(clippy::cast_precision_loss, reason = "people")]
    fn new(seed: u64, plan: Plan) -> Self {
        let Plan { people, arrival_seconds, course_seconds, .. } = plan;
        let count = usize::try_from(people).unwrap();
        let polls_per_second_max = u32::MAX;
        let gather_seconds = u32::try_from(arrival_seconds).unwrap();
        let config = Config { people_max: count, gather_seconds, polls_per_second_max, ..CONFIG };
        let hall = Hall::new(config);
        let mut asks: VecDeque<Vec<u32>> = VecDeque::new();
        asks.resize_with(usize::try_from(arrival_seconds).unwrap(), Vec::new);
        for order in 0..people {
            // In the order of arrival, evenly spread.
            let second = order * arrival_seconds.unsigned_abs() / people;
            asks[usize::try_from(second).unwrap()].push(u32::try_from(order).unwrap());
        }
        let person = |order| Person {
            asking: hall.asking(seed * people + order),
            habit: Habit::of(seed, order),
            address: shared_address(seed, order, people),
            has_asked: false,
            inside: None,
            estimate: None,
        };
        Self {
            seed,
            plan,
            people: (0..people).map(person).collect(),
            hall,
            addresses: vec![Address { left: ADDRESS_BURST, at: 0 }; count],
            asks,
            rate: people as f64 / course_seconds,
            tokens: 0.0,
            entered: Vec::with_capacity(count),
            refused: 0,
            polls: Vec::new(),
        }
    }

    /// What the controller allows now.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "people")]
    fn supply(&self) -> Supply {
        Supply {
            free: self.tokens as usize,
            places: usize::MAX,
            admissions: Rate::per_second(self.rate),
            polls: Rate::per_second(self.rate * self.plan.polls),
            is_crowded: false,
        }
    }

    fn ask_at(&mut self, order: u32, now: i64, second: i64) {
        let ahead = usize::try_from(second - now - 1).expect("a later second");
        if self.asks.len() <= ahead {
            self.asks.resize_with(ahead + 1, Vec::new);
        }
        self.asks[ahead].push(order);
    }

    fn ask(&mut self, order: u32, second: i64) {
        let supply = self.supply();
        let person = &mut self.people[order as usize];
        if person.inside.is_some() {
            return;
        }
        let address = person.address.map(|address| &mut self.addresses[address as usize]);
        if address.is_some_and(|address| !address.admits(second)) {
            self.refused += 1;
            self.ask_at(order, second, second + 1 + i64::from(order % 2 == 1));
            return;
        }
        if person.habit != Habit::Pesters {
            *self.polls.last_mut().expect("a second") += 1;
        }
        let now = u32::try_from(second).unwrap();
        match self.hall.enter(&person.asking, &supply, second) {
            Ok(()) => {
                self.tokens -= 1.0;
                person.inside = Some(now);
                self.entered.push(order);
            }
            Err(place) => {
                let place = place.expect("a place");
                if let (Some(_), Some(estimate)) = (place.drawn, place.estimate_seconds) {
                    person.estimate.get_or_insert((now, estimate));
                }
                let told = second + i64::from(place.poll_seconds);
                let is_first = !std::mem::replace(&mut person.has_asked, true);
                for at in person.habit.asks_again(second, told, is_first).into_iter().flatten() {
                    self.ask_at(order, second, at);
                }
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "people and seconds")]
    fn course(mut self) -> Course {
        let Plan { people, arrival_seconds, .. } = self.plan;
        let (mut second, mut until_most) = (0, 0);
        while let Some(mut asking) = self.asks.pop_front()
            && second < 4_000
        {
            // The crowd comes to a full counter.
            let is_full = second < arrival_seconds;
            self.tokens =
                if is_full { 0.0 } else { (self.tokens + self.rate).min(1.5 * self.rate) };
            self.hall.tidy_with(&self.supply(), second);
            self.polls.push(0);
            // Within a second they come in any order.
            let shuffle = self.seed.wrapping_add(second.unsigned_abs() << 32);
            for last in (1..asking.len()).rev() {
                let other = dice(shuffle, last as u64) % (last as u64 + 1);
                asking.swap(last, usize::try_from(other).unwrap());
            }
            for order in asking {
                self.ask(order, second);
            }
            if (self.entered.len() as u64) * 10 < people * 9 {
                until_most = second;
            }
            second += 1;
        }
        // Those who stay away are forgotten in time.
        (0..=i64::from(TIDY_PARTS)).for_each(|more| self.hall.tidy(0, second + 1_000 + more));
        let of = |habit| self.wait_of(|person| person.habit == habit);
        let obedient = of(Habit::Obeys);
        let [shared, alone] =
            [true, false].map(|shares| self.wait_of(|person| person.address.is_some() == shares));
        Course {
            advantages: [
                ("pestering", of(Habit::Pesters).relative_to(obedient)),
                ("two devices", of(Habit::HasTwoDevices).relative_to(obedient)),
                ("a shared address", shared.relative_to(alone)),
            ],
            filled: self.entered.len() as f64 * 0.9
                / (until_most - arrival_seconds) as f64
                / self.rate,
            estimate_error: self.median_error(),
            starved: self.hall.room.waiting().iter().sum(),
            refused: self.refused,
            polls: self.most_polls(),
            entered: self.entered,
        }
    }

    fn most_polls(&self) -> f64 {
        let after = usize::try_from(self.plan.arrival_seconds).unwrap();
        let half_minutes = self.polls[after..].windows(30);
        let most = half_minutes.map(|polls| polls.iter().sum::<u32>()).max().unwrap_or(0);
        f64::from(most) / 30.0 / (self.rate * self.plan.polls)
    }

    /// How long after the last arrival those who are `wanted` entered, on average.
    #[expect(clippy::cast_precision_loss, reason = "seconds and people")]
    fn wait_of(&self, wanted: impl Fn(&Person) -> bool) -> Wait {
        let from = self.plan.arrival_seconds as f64;
        let theirs = self.people.iter().filter(|person| wanted(person));
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for at in theirs.filter_map(|person| person.inside) {
            let wait = f64::from(at) - from;
            (count, sum, squares) = (count + 1.0, sum + wait, squares + wait * wait);
        }
        let mean: f64 = sum / count;
        let variance: f64 = squares / count - mean * mean;
        Wait { mean, deviation: (variance / count).sqrt() }
    }

    /// Median error of the estimates, relative to the time until their people were inside.
    fn median_error(&self) -> f64 {
        let error = |person: &Person| {
            let (at, estimate) = person.estimate?;
            let real = f64::from(person.inside? - at);
            (real >= 10.0).then(|| (f64::from(estimate) - real).abs() / real)
        };
        let mut errors: Vec<f64> = self.people.iter().filter_map(error).collect();
        errors.sort_unstable_by(f64::total_cmp);
        errors[errors.len() / 2]
    }
}

/// Spearman's rank correlation of the order of arrival and that of entering, of `people`.
#[expect(clippy::cast_precision_loss, reason = "people")]
fn rank_correlation(entered: &[u32], people: u64) -> f64 {
    let mut has_entered = vec![false; usize::try_from(people).unwrap()];
    for order in entered {
        has_entered[*order as usize] = true;
    }
    let mut next = 0.0;
    let ranks: Vec<f64> = has_entered
        .into_iter()
        .map(|has_entered| {
            next += f64::from(u8::from(has_entered));
            next - 1.0
        })
        .collect();
    let count = entered.len() as f64;
    let places = (0..).map(f64::from).zip(entered);
    let apart: f64 = places.map(|(place, order)| (place - ranks[*order as usize]).powi(2)).sum();
    1.0 - 6.0 * apart / (count * (count * count - 1.0))
}

/// Runs a plan for each seed and checks what holds for every crowd; returns what came of them.
#[expect(clippy::cast_precision_loss, reason = "people")]
fn check(plan: impl Fn(u64) -> Plan) -> Vec<Course> {
    let plan = plan(from_environment("SPORTELLO_CROWD_PEOPLE", PEOPLE));
    let seeds = from_environment("SPORTELLO_CROWD_SEEDS", SEEDS);
    let people = plan.people;
    // The correlation of independent orders has a standard deviation of 1 / sqrt(people).
    let chance = DEVIATIONS / (people as f64).sqrt();
    let (mut correlations, mut courses) = (0.0, Vec::new());
    for seed in 0..seeds {
        let mut course = Crush::new(seed, plan).course();
        let correlation = rank_correlation(&course.entered, people);
        let Course { advantages, filled, estimate_error, starved, refused, polls, .. } = &course;
        let summary = format!(
            "seed {seed}, {people} people: correlation {correlation:.5}, {advantages:?}, filled {filled:.3}, estimate's error {estimate_error:.3}, starved {starved}, refused by address {refused}, polls {polls:.2}"
        );
        // The long form takes an hour: its progress is shown with `--nocapture`.
        writeln!(std::io::stderr(), "{summary}").unwrap();
        let comes = (0..people).filter(|order| Habit::of(seed, *order) != Habit::StaysAway);
        assert_eq!(course.entered.len(), comes.count(), "who comes back gets in: {summary}");
        assert_eq!((course.starved, course.refused), (0, 0), "{summary}");
        correlations += correlation;
        assert!(correlation.abs() < chance, "{summary}");
        for (_, Wait { mean, deviation }) in advantages {
            assert!((mean - 1.0).abs() < ADVANTAGE_MAX + DEVIATIONS * deviation, "{summary}");
        }
        assert!(course.filled > 0.85, "{summary}");
        // Their order has been looked at, and takes megabytes.
        course.entered = Vec::new();
        courses.push(course);
    }
    let root = (seeds as f64).sqrt();
    let mean = correlations / seeds as f64;
    assert!(mean.abs() < chance / root, "{mean}");
    for habit in 0..3 {
        let of = |course: &Course| course.advantages[habit].1;
        let mean = courses.iter().map(|course| of(course).mean).sum::<f64>() / seeds as f64;
        let deviation = courses.iter().map(|course| of(course).deviation).fold(0.0, f64::max);
        let bound = ADVANTAGE_MAX + DEVIATIONS * deviation / root;
        assert!((mean - 1.0).abs() < bound, "{:?}: {mean}", courses[0].advantages[habit]);
    }
    courses
}

#[test]
fn in_a_crowd_the_order_of_arrival_and_pestering_gain_nothing_and_nobody_starves() {
    let at_once =
        |people| Plan { people, arrival_seconds: 5, course_seconds: 120.0, polls: f64::INFINITY };
    for course in check(at_once) {
        assert!(course.estimate_error < 0.15, "{}", course.estimate_error);
    }
}

#[test]
fn in_a_crowd_that_may_poll_rarely_nobody_loses_by_obeying_and_polls_stay_within_their_bound() {
    // Half of a fifth of four cores answers 10,000 polls a second while 2,900 people enter; as many come as are answered.
    let scarce = |people| Plan { people, arrival_seconds: 200, course_seconds: 340.0, polls: 3.4 };
    for course in check(scarce) {
        assert!(course.polls < 1.5, "{}", course.polls);
        assert!(course.estimate_error < 0.1, "{}", course.estimate_error);
    }
}
