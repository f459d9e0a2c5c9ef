//! When each request of a volley is sent, and on which idle line: round robin, so that all are used equally.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::{
    clock,
    figures::real_len,
    schedule::{Chance, Curve, Phase, Spacing},
};

/// Busy-waits this long before each start: the runtime's timer may be a millisecond late, which is long compared to a
/// reply.
const BUSY_WAIT: Duration = Duration::from_millis(2);

/// Seed of the visits' starts: two servers get the same ones.
const SEED: u64 = 1;

/// Hands out the requests' starts, one by one.
pub(super) struct Turns {
    begin: Instant,
    starts: Starts,
    busy_wait: Duration,
    // Number of the next request. Held on purpose while its start is awaited: idle lines queue here, in fair order.
    next: Mutex<usize>,
}

enum Starts {
    /// A number of requests, each sent as soon as a line is idle.
    AtOnce(usize),
    /// Intended starts, counted from the beginning.
    Scheduled(Vec<Duration>),
}

/// One request's turn on a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Number of the request, from 0.
    pub(super) number: usize,
    /// Its intended start.
    pub(super) due: Instant,
    /// How late it was sent although a line was idle: the generator's own lag.
    pub(super) lag: Duration,
    /// True when all lines were busy at its intended start.
    pub(super) waited: bool,
}

impl Turns {
    /// Turns for `count` requests from `begin`: evenly at `rate` a second, or as lines become idle without a rate.
    pub(super) fn new(begin: Instant, count: usize, rate: Option<f64>) -> Self {
        let scheduled = |rate: f64| {
            let duration_s = real_len(count) / rate;
            let phase = Phase { label: String::new(), duration_s, rate };
            Starts::Scheduled(Curve::new(vec![phase]).starts(Spacing::Even, 0))
        };
        let starts = rate.map_or(Starts::AtOnce(count), scheduled);
        Self { begin, starts, busy_wait: BUSY_WAIT, next: Mutex::new(0) }
    }

    /// Turns for `count` visits from `begin`: people come by chance, `rate` a second on average. Accurate to a
    /// millisecond, since the submission is timed from when it is sent.
    pub(super) fn by_chance(begin: Instant, count: usize, rate: f64) -> Self {
        let mut chance = Chance::new(SEED);
        let mut at = Duration::ZERO;
        let gaps = std::iter::repeat_with(|| Duration::from_secs_f64(chance.exponential() / rate));
        let starts = gaps.take(count).map(|gap| {
            at += gap;
            at
        });
        let starts = Starts::Scheduled(starts.collect());
        Self { begin, starts, busy_wait: Duration::ZERO, next: Mutex::new(0) }
    }

    /// Returns the next turn at its intended start, for a line that has become idle; `None` after the last.
    pub(super) async fn take(&self) -> Option<Turn> {
        let idle_since = clock::now();
        let mut next = self.next.lock().await;
        let number = *next;
        let due = match &self.starts {
            Starts::AtOnce(count) if number < *count => idle_since,
            Starts::AtOnce(_) => return None,
            Starts::Scheduled(starts) => self.begin + *starts.get(number)?,
        };
        *next += 1;
        arrive(due, self.busy_wait).await;
        let lag = clock::now().saturating_duration_since(due.max(idle_since));
        Some(Turn { number, due, lag, waited: idle_since > due })
    }
}

/// Returns at `due`, accurate to a few microseconds with a busy wait; other tasks run meanwhile.
async fn arrive(due: Instant, busy_wait: Duration) {
    let left = due.saturating_duration_since(clock::now());
    if let Some(asleep) = left.checked_sub(busy_wait) {
        tokio::time::sleep(asleep).await;
    }
    while clock::now() < due {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Turns;
    use crate::clock;

    #[tokio::test]
    async fn a_schedule_is_kept_and_ends() {
        let begin = clock::now();
        let turns = Turns::new(begin, 3, Some(200.0));
        let mut numbers = Vec::new();
        while let Some(turn) = turns.take().await {
            assert!(clock::now() >= turn.due);
            numbers.push((turn.number, turn.due.duration_since(begin)));
        }
        let at = |micros| Duration::from_micros(micros);
        assert_eq!(numbers, [(0, at(2500)), (1, at(7500)), (2, at(12500))]);
    }

    #[tokio::test]
    async fn visits_begin_by_chance_at_their_rate_and_alike_in_every_run() {
        let begin = clock::now();
        let dues = async |count| {
            let turns = Turns::by_chance(begin, count, 1e6);
            let mut dues = Vec::new();
            while let Some(turn) = turns.take().await {
                dues.push(turn.due.duration_since(begin));
            }
            dues
        };
        let all = dues(10_000).await;
        // Five standard deviations of the sum of as many exponential gaps.
        assert!(all.is_sorted() && (0.0095..0.0105).contains(&all[9_999].as_secs_f64()));
        assert_eq!(dues(10).await, all[..10]);
    }

    #[tokio::test]
    async fn a_start_that_found_no_line_waited_and_lagged_not() {
        let begin = clock::now();
        let turns = Turns::new(begin, 2, Some(1000.0));
        let first = turns.take().await.expect("the first");
        assert!(!first.waited);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let second = turns.take().await.expect("the second");
        assert!(second.waited && second.lag < Duration::from_millis(10));
        assert!(turns.take().await.is_none());
    }
}
