//! Openings with a crowd before the door, in virtual time. `SPORTELLO_CROWD_PEOPLE` asks for another number of people.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Write as _,
};

use jiff::ToSpan as _;

use super::*;

/// People of the short form; a million behave alike, at a higher rate.
const PEOPLE: u64 = 30_000;
/// Seconds in which everybody could be served if they came evenly and once: a million people at 1,600 a second.
const COURSE_SECONDS: f64 = 625.0;
/// The default of `schedule.spread_seconds_max`.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
/// CPU that there is, in shares of what people outside are sure of, by default a fifth of it; less what is never planned.
const PLANNED: f64 = 4.25;
/// CPU time of a visit, in arrivals: a handshake and a request that is refused.
const VISIT: f64 = 2.4;
const CITIZENS: Audience = Audience::Citizens;

/// What a person does who was refused, or was not.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Habit {
    /// Comes back when told.
    Obeys,
    /// Asks ten times before the opening, the last time just before it.
    AsksOften,
    /// Comes at the first second of the opening, whatever they were told.
    Hurries,
    /// Was not refused before: comes for the first time while others come back.
    ComesLate,
}

impl Habit {
    const ALL: [Self; 4] = [Self::Obeys, Self::AsksOften, Self::Hurries, Self::ComesLate];

    fn of(n: u64) -> Self {
        match n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 31 {
            0 => Self::AsksOften,
            1 => Self::Hurries,
            2 => Self::ComesLate,
            _ => Self::Obeys,
        }
    }
}

fn from_environment() -> u64 {
    std::env::var("SPORTELLO_CROWD_PEOPLE").map_or(PEOPLE, |people| people.parse().unwrap())
}

fn opening() -> Timestamp {
    "2024-09-16T16:00:00+02:00".parse().unwrap()
}

/// The whole second after an instant, seconds from the opening: `Retry-After` is rounded up.
fn second_after(at: Timestamp) -> i64 {
    at.duration_since(opening()).as_secs() + 1
}

/// A crowd before an opening, and what becomes of it.
struct Opened {
    per_second: f64,
    /// Arrivals by second, without those who hurry to the first one.
    arrivals: BTreeMap<i64, usize>,
    /// When each entered, by the order in which they were refused; seconds from the opening.
    entered: Vec<Option<i64>>,
    /// Longest wait at the door.
    at_the_door: i64,
    lasts: SignedDuration,
}

impl Opened {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "people")]
    fn to(people: u64) -> Self {
        let per_second = people as f64 / COURSE_SECONDS;
        let (spread, pace) = (Spread::default(), Pace { per_second, longest: LONGEST });
        let everybody: Vec<_> = (0..people).map(FiscalCode::made_up).collect();
        let person = |n: u64| &everybody[n as usize];
        let refuse = |n: u64| spread.refuse((CITIZENS, person(n)), opening(), pace);
        let mut comes: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for n in 0..people {
            let at = match Habit::of(n) {
                Habit::Obeys => second_after(refuse(n)),
                Habit::Hurries => refuse(n).duration_since(opening()).as_secs().min(0),
                Habit::ComesLate => i64::try_from(n % 1_000).unwrap(),
                Habit::AsksOften => {
                    let _told: Vec<_> = (0..9).map(|_| refuse(n)).collect();
                    continue;
                }
            };
            comes.entry(at).or_default().push(n);
        }
        for n in (0..people).filter(|n| Habit::of(*n) == Habit::AsksOften) {
            comes.entry(second_after(refuse(n))).or_default().push(n);
        }
        let lasts = spread.0[0].lock().unwrap().as_ref().unwrap().lasts;
        let mut opened = Self {
            per_second,
            arrivals: BTreeMap::new(),
            entered: vec![None; everybody.len()],
            at_the_door: 0,
            lasts,
        };
        let mut door: VecDeque<(i64, u64)> = VecDeque::new();
        let (mut second, mut entered) = (0, 0_u32);
        while !comes.is_empty() || !door.is_empty() {
            let arriving = comes.remove(&second).unwrap_or_default();
            let told = arriving.iter().filter(|n| second > 0 || Habit::of(**n) != Habit::Hurries);
            opened.arrivals.insert(second, told.count());
            door.extend(arriving.into_iter().map(|n| (second, n)));
            // As the controller does: what they are sure of, or half of what people inside leave.
            let left = PLANNED * per_second - VISIT * f64::from(entered);
            let mut may_be_served = (left / 2.0).max(per_second);
            entered = 0;
            while may_be_served >= 1.0
                && let Some((since, n)) = door.pop_front()
            {
                may_be_served -= 1.0;
                opened.at_the_door = opened.at_the_door.max(second - since);
                let turn = spread.turn_of((CITIZENS, person(n)), opening() + second.seconds());
                if let Some(turn) = turn {
                    comes.entry(second_after(turn)).or_default().push(n);
                } else {
                    opened.entered[n as usize] = Some(second);
                    entered += 1;
                }
            }
            second += 1;
        }
        opened
    }

    /// When people of a habit entered, on average, seconds from the opening.
    #[expect(clippy::cast_precision_loss, reason = "seconds and people")]
    fn mean(&self, habit: Habit) -> f64 {
        let theirs = (0..).zip(&self.entered).filter(|(n, _)| Habit::of(*n) == habit);
        let (sum, count) =
            theirs.filter_map(|(_, at)| *at).fold((0, 0), |(sum, count), at| (sum + at, count + 1));
        sum as f64 / f64::from(count)
    }

    /// Correlation of the order of being refused with the time of entering.
    #[expect(clippy::cast_precision_loss, reason = "seconds and people")]
    fn correlation(&self) -> f64 {
        let pairs: Vec<(f64, f64)> = (0..)
            .map(f64::from)
            .zip(&self.entered)
            .filter_map(|(n, at)| Some((n, (*at)? as f64)))
            .collect();
        let count = pairs.len() as f64;
        let sum = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / count;
        let (n, at) = (sum(&|pair| pair.0), sum(&|pair| pair.1));
        let both = sum(&|pair| (pair.0 - n) * (pair.1 - at));
        both / (sum(&|pair| (pair.0 - n).powi(2)) * sum(&|pair| (pair.1 - at).powi(2))).sqrt()
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "people and seconds")]
fn a_crowd_that_waits_for_the_opening_comes_evenly_and_neither_hurry_nor_order_gains() {
    let people = from_environment();
    let opened = Opened::to(people);
    let peak = *opened.arrivals.values().max().unwrap() as f64 / opened.per_second;
    let means = Habit::ALL.map(|habit| opened.mean(habit));
    let last = opened.entered.iter().map(|at| at.expect("everybody entered")).max().unwrap();
    let (lasts, at_the_door) = (opened.lasts.as_secs(), opened.at_the_door);
    let correlation = opened.correlation();
    let above = opened.arrivals.values().filter(|come| **come as f64 > opened.per_second).count();
    let summary = format!(
        "{people} people, {:.0} a second: spread over {lasts} s, peak {peak:.2} times the rate, above it for {above} s, at the door {at_the_door} s at most, last after {last} s, {:?} after {means:.1?} s on average, correlation {correlation:.5}",
        opened.per_second,
        Habit::ALL,
    );
    writeln!(std::io::stderr(), "{summary}").unwrap();
    // Twice the time for those who were refused: all but those who come late, a part in 32.
    let wanted = RETURNS_MAX * COURSE_SECONDS * 31.0 / 32.0;
    assert!((lasts as f64 / wanted - 1.0).abs() < 0.12, "{wanted}, {summary}");
    // Most in the first seconds: those who were told a shorter time because few had been refused until then.
    assert!(peak < 4.5 && i64::try_from(above).unwrap() < lasts / 2, "{summary}");
    assert!(at_the_door <= 60, "{summary}");
    assert!(last <= lasts + at_the_door && last <= LONGEST.as_secs(), "{summary}");
    // Each habit's mean has a standard deviation of 0.58 of the mean, divided by the root of its people.
    let tolerance = 0.01 + 5.0 * 0.58 / (people as f64 / 32.0).sqrt();
    let [obey, often, hurry, late] = means;
    assert!([often, hurry].iter().all(|mean| (mean / obey - 1.0).abs() < tolerance), "{summary}");
    assert!(late > obey, "nobody is let in sooner for not having been refused: {summary}");
    assert!(correlation.abs() < 5.0 / (people as f64).sqrt(), "{summary}");
}

#[test]
fn the_spread_follows_from_the_number_of_different_people_and_the_rate_within_bounds() {
    let lasts = |people: u64, per_second: f64, longest: i64| {
        let spread = Spread::default();
        let pace = Pace { per_second, longest: SignedDuration::from_secs(longest) };
        for n in 0..people {
            // The same person again and again counts once.
            for _ in 0..3 {
                let turn = spread.refuse((CITIZENS, &FiscalCode::made_up(n)), opening(), pace);
                assert!(turn >= opening() && turn <= opening() + longest.seconds());
            }
        }
        let opening = spread.0[0].lock().unwrap();
        opening.as_ref().unwrap().lasts.as_secs_f64()
    };
    assert!((lasts(500, 10.0, 3_600) - 100.0).abs() < 1e-6);
    assert!((lasts(20_000, 100.0, 3_600) / 400.0 - 1.0).abs() < 0.12, "an estimate");
    assert!((lasts(5, 10.0, 3_600) - SPREAD_SECONDS_MIN).abs() < 1e-6);
    assert!((lasts(500, 0.0, 3_600) - 3_600.0).abs() < 1e-6, "nobody is served");
    assert!((lasts(500, 1.0, 120) - 120.0).abs() < 1e-6);
    assert!(lasts(500, 1.0, 0).abs() < 1e-6);
}

#[test]
fn a_few_people_and_other_openings_are_not_held_up() {
    let person = FiscalCode::made_up(1);
    let pace = Pace { per_second: 1.0, longest: LONGEST };
    let spread = Spread::default();
    let turn_of =
        |audience, second: i64| spread.turn_of((audience, &person), opening() + second.seconds());
    assert_eq!(turn_of(CITIZENS, 0), None, "nobody was refused");
    for n in 0..5 {
        let _told = spread.refuse((CITIZENS, &FiscalCode::made_up(n)), opening(), pace);
    }
    assert_eq!(turn_of(CITIZENS, 0), None, "they can come at once");
    for n in 0..500 {
        let _told = spread.refuse((CITIZENS, &FiscalCode::made_up(n)), opening(), pace);
    }
    let turn = turn_of(CITIZENS, 0).expect("a lot that is not the lowest");
    let told = spread.refuse((CITIZENS, &person), opening(), pace);
    assert_eq!(told, turn, "the same turn at each time");
    assert_eq!(turn_of(CITIZENS, second_after(turn)), None, "their turn has come");
    assert_eq!(turn_of(CITIZENS, 1_000), None, "the spread is over");
    assert_eq!(turn_of(CITIZENS, -1), None, "the schedule was changed, and it has opened sooner");
    assert_eq!(turn_of(Audience::Intermediaries, 0), None);
    // The next opening begins anew.
    let next = opening() + 24.hours();
    let _told = spread.refuse((CITIZENS, &person), next, pace);
    let since_next = spread.turn_of((CITIZENS, &person), next);
    assert_eq!((turn_of(CITIZENS, 0), since_next), (None, None));
}
