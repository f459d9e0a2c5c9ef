//! The course of the controller: how fast it finds the rate and how much it swings, from a cold start, with a disk that
//! gets slow and fast again, and with think times.

use super::*;

/// One point of a course.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) second: f64,
    /// People who come, those who may be let in, and those who could be served if nobody were outside, a second.
    pub(super) offered: f64,
    pub(super) allowed: f64,
    pub(super) capacity: f64,
    /// Seconds until a submission that comes now is answered.
    pub(super) delay: f64,
}

/// A course with its name.
pub(super) struct Course {
    pub(super) name: &'static str,
    pub(super) points: Vec<Point>,
}

/// CPU of a request that is much less and much more than what is assumed before any was measured, seconds: the rate at
/// first is too low, and too high.
const CHEAP: f64 = 20e-6;
const DEAR: f64 = 300e-6;
/// How many times the capacity of people come in a surge.
const SURGE: f64 = 3.0;
/// Submissions a second of the slow disk, less than half of what four cores could submit, and when it is slow, seconds.
const SLOW_DISK: f64 = 1_600.0;
const SLOW_FROM: f64 = 20.0;
const SLOW_UNTIL: f64 = 50.0;
/// A long think time between two requests: a visit takes 35 minutes.
const THINK_SECONDS: f64 = 300.0;

impl Course {
    /// Nobody comes for two seconds, then a surge; the disk is as fast as `disk` says at each second.
    fn of(name: &'static str, counter: Counter, seconds: f64, disk: impl Fn(f64) -> f64) -> Self {
        let mut simulation = Simulation::of(counter);
        let mut points = Vec::new();
        while simulation.second < seconds {
            let second = simulation.second;
            simulation.disk = disk(second);
            simulation.offered = if second < 2.0 { 0.0 } else { SURGE * counter.capacity() };
            let moment = simulation.step();
            points.push(Point {
                second,
                offered: simulation.offered,
                allowed: moment.per_second,
                capacity: counter.capacity().min(simulation.disk),
                delay: moment.delay,
            });
        }
        Self { name, points }
    }

    /// All that are drawn.
    pub(super) fn all() -> [Self; 4] {
        [Self::cheap(), Self::dear(), Self::slow_disk(), Self::thinking()]
    }

    fn cheap() -> Self {
        Self::of(
            "a surge after too low an estimate",
            Counter { request: CHEAP, ..QUARTER },
            30.0,
            |_| f64::INFINITY,
        )
    }

    fn dear() -> Self {
        Self::of(
            "a surge after too high an estimate",
            Counter { request: DEAR, ..QUARTER },
            30.0,
            |_| f64::INFINITY,
        )
    }

    fn slow_disk() -> Self {
        let is_slow = SLOW_FROM..SLOW_UNTIL;
        let disk = move |second| if is_slow.contains(&second) { SLOW_DISK } else { f64::INFINITY };
        let counter = Counter { cores: 4.0, cores_allowed: 4.0, ..QUARTER };
        Self::of("a disk that gets slow and fast again", counter, 80.0, disk)
    }

    fn thinking() -> Self {
        let counter = Counter { think: THINK_SECONDS, ..QUARTER };
        Self::of("five minutes between two requests", counter, 5_400.0, |_| f64::INFINITY)
    }

    /// The points from a second until another.
    fn between(&self, from: f64, until: f64) -> &[Point] {
        let index = |second| self.points.partition_point(|point| point.second < second);
        &self.points[index(from)..index(until)]
    }
}

/// The mean, the lowest and the highest rate allowed, by the capacity.
#[derive(Clone, Copy, Debug)]
struct Rates {
    mean: f64,
    low: f64,
    high: f64,
}

impl Rates {
    fn of(points: &[Point]) -> Self {
        let by_capacity = || points.iter().map(|point| point.allowed / point.capacity);
        #[expect(clippy::cast_precision_loss, reason = "steps")]
        let mean = by_capacity().sum::<f64>() / points.len() as f64;
        let low = by_capacity().fold(f64::INFINITY, f64::min);
        Self { mean, low, high: by_capacity().fold(0.0, f64::max) }
    }

    /// Whether the mean is within a range, and no rate is further from it than this.
    fn are(self, mean: std::ops::Range<f64>, swing: f64) -> bool {
        mean.contains(&self.mean) && self.low > self.mean - swing && self.high < self.mean + swing
    }
}

fn longest_delay(points: &[Point]) -> f64 {
    points.iter().map(|point| point.delay).fold(0.0, f64::max)
}

#[test]
fn a_wrong_estimate_is_mended_within_seconds_and_the_rate_does_not_swing_afterwards() {
    let low = Course::cheap();
    let settled = Rates::of(low.between(4.0, 30.0));
    assert!(settled.are(0.8..0.9, 0.05), "{settled:?}");
    assert!(longest_delay(&low.points) < 0.1);

    // Fed forward, the rate was twice the capacity; what came in the first moments is served within half a second.
    let high = Course::dear();
    assert!(Rates::of(high.between(2.5, 30.0)).high < 1.1, "the overshoot is over at once");
    assert!(longest_delay(&high.points) < 0.6, "{}", longest_delay(&high.points));
    let settled = Rates::of(high.between(8.0, 30.0));
    assert!(settled.are(0.88..1.0, 0.15), "{settled:?}");
    assert!(longest_delay(high.between(8.0, 30.0)) < 0.05);
}

#[test]
fn a_disk_that_gets_slow_is_followed_within_seconds_and_so_is_its_return() {
    let course = Course::slow_disk();
    // Without a look at how fast the queue grows, the rate swings around the disk's by a half.
    let slow = Rates::of(course.between(SLOW_FROM + 5.0, SLOW_UNTIL));
    assert!(slow.are(0.95..1.05, 0.1), "{slow:?}");
    assert!(longest_delay(&course.points) < 1.0, "{}", longest_delay(&course.points));
    let fast = Rates::of(course.between(SLOW_UNTIL + 5.0, 80.0));
    assert!(fast.are(0.8..0.9, 0.02), "{fast:?}");
}

#[test]
fn visits_of_half_an_hour_are_let_in_at_the_rate_at_which_they_can_finish() {
    let course = Course::thinking();
    let whole = Rates::of(course.between(10.0, 5_400.0));
    assert!(whole.are(0.8..0.9, 0.06), "{whole:?}");
    // A visit takes 35 minutes: from then on as many finish as come.
    let full = Rates::of(course.between(2_200.0, 5_400.0));
    assert!(full.are(0.8..0.9, 0.01), "{full:?}");
    assert!(longest_delay(&course.points) < 0.1);
}

#[test]
fn a_slow_disk_makes_nobody_wait_for_longer_than_a_fast_one() {
    // The queue of the committer is bounded in seconds: two batches are ten seconds of this disk.
    for disk in [100.0, 1_600.0] {
        let cores = disk / 400.0;
        let counter = Counter { cores, cores_allowed: cores, ..QUARTER };
        let course = Course::of("a slow disk", counter, 60.0, |_| disk);
        let settled = course.between(15.0, 60.0);
        assert!(Rates::of(settled).are(0.9..1.05, 0.15), "{disk}: {:?}", Rates::of(settled));
        assert!(longest_delay(settled) < 1.0, "{disk}: {}", longest_delay(settled));
        assert!(longest_delay(&course.points) < 3.0, "{disk}: {}", longest_delay(&course.points));
    }
}
