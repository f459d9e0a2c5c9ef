//! When each request of a volley goes, and over which of the idle lines: in turn, so that all are used alike.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::{
    clock,
    figures::real_len,
    schedule::{Curve, Phase, Spacing},
};

/// The runtime's timer may be a millisecond late, which is long beside a reply: from so long before a start the clock
/// itself is watched.
const WATCHED: Duration = Duration::from_millis(2);

/// The requests' starts, given out one by one.
pub(super) struct Turns {
    begin: Instant,
    starts: Starts,
    // The number of the next one. Held while its start is waited for, on purpose: idle lines queue here, and this queue
    // is first come, first served.
    next: Mutex<usize>,
}

enum Starts {
    /// So many, each as soon as a line is idle.
    AtOnce(usize),
    /// Each on time, counted from the beginning.
    Scheduled(Vec<Duration>),
}

/// A request's turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Which request, from 0.
    pub(super) number: usize,
    /// Its intended start.
    pub(super) due: Instant,
    /// How much later it came although a line was idle: the generator's own fault.
    pub(super) lag: Duration,
    /// Whether all lines were busy when it was due.
    pub(super) waited: bool,
}

impl Turns {
    /// Turns for `count` requests from `begin`: evenly at `rate` a second, or without one as lines become idle.
    pub(super) fn new(begin: Instant, count: usize, rate: Option<f64>) -> Self {
        let scheduled = |rate: f64| {
            let duration_s = real_len(count) / rate;
            let phase = Phase { label: String::new(), duration_s, rate };
            Starts::Scheduled(Curve::new(vec![phase]).starts(Spacing::Even, 0))
        };
        let starts = rate.map_or(Starts::AtOnce(count), scheduled);
        Self { begin, starts, next: Mutex::new(0) }
    }

    /// The next turn, for a line that has become idle; returns when it is due, `None` after the last.
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
        arrive(due).await;
        let lag = clock::now().saturating_duration_since(due.max(idle_since));
        Some(Turn { number, due, lag, waited: idle_since > due })
    }
}

/// Returns at `due`, to a few microseconds; meanwhile everything else goes on.
async fn arrive(due: Instant) {
    let left = due.saturating_duration_since(clock::now());
    if let Some(unwatched) = left.checked_sub(WATCHED) {
        tokio::time::sleep(unwatched).await;
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
