//! The only module that reads the time; all others get it as an argument.
//!
//! A clock has two times. `now` is the time of this counter, for time slices, campaigns and sessions; a demo may set it
//! to another day. `real` is the time of the world, for what others issued, such as the expiry of an identity token.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// A handle on the counter's time; clones show the same time and are cheap.
#[derive(Clone, Debug)]
pub struct Clock {
    face: Face,
}

/// What the clock shows as now.
#[derive(Clone, Debug)]
enum Face {
    System,
    Shifted(SignedDuration),
    Manual(Arc<std::sync::Mutex<Timestamp>>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self { face: Face::System }
    }

    /// A clock that shows `start` now and runs from there, for the demo.
    #[must_use]
    pub fn running_from(start: Timestamp) -> Self {
        Self { face: Face::Shifted(start.duration_since(read_system())) }
    }

    /// A clock that stands still until it is [set](Self::set), for tests.
    #[must_use]
    pub fn standing_at(now: Timestamp) -> Self {
        Self { face: Face::Manual(Arc::new(std::sync::Mutex::new(now))) }
    }

    /// The counter's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.face {
            Face::System => read_system(),
            Face::Shifted(by) => read_system().saturating_add(*by).unwrap_or(Timestamp::MAX),
            Face::Manual(at) => *at.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    /// The real time, for what others issued, such as identity tokens.
    #[must_use]
    pub fn real(&self) -> Timestamp {
        match &self.face {
            Face::System | Face::Shifted(_) => read_system(),
            Face::Manual(_) => self.now(),
        }
    }

    /// Sets a standing clock; does nothing to the other kinds.
    pub fn set(&self, now: Timestamp) {
        if let Face::Manual(at) = &self.face {
            *at.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = now;
        }
    }
}

/// A running stopwatch, for durations in metrics and for deadlines of threads.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module is the reader of time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The time from an earlier start to this one; zero if that was later.
    #[must_use]
    pub fn since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// Whether this start was at a deadline or after it.
    #[must_use]
    pub fn is_at(&self, deadline: Instant) -> bool {
        self.0 >= deadline
    }

    /// The instant `after` the start, as the deadline of a blocking wait.
    #[must_use]
    pub fn deadline(&self, after: Duration) -> Instant {
        self.0 + after
    }
}

/// CPU time that the calling thread has used.
#[must_use]
pub fn thread_cpu() -> Duration {
    cpu(ClockId::ThreadCPUTime)
}

/// CPU time that this process has used, in all its threads.
#[must_use]
pub fn process_cpu() -> Duration {
    cpu(ClockId::ProcessCPUTime)
}

fn cpu(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "this module is the reader of time")]
fn read_system() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_clock_starts_where_it_is_told_and_leaves_real_time_alone() {
        let start: Timestamp = "2024-09-16T15:30:00Z".parse().unwrap();
        let clock = Clock::running_from(start);
        let shown = clock.now().duration_since(start);
        assert!(shown >= SignedDuration::ZERO && shown < SignedDuration::from_secs(60));
        assert!(clock.real().duration_since(start) > SignedDuration::from_hours(24));
    }

    #[test]
    fn a_standing_clock_moves_only_when_set() {
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), clock.clone().now());
        clock.set(Timestamp::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
