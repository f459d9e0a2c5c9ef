//! Shedding: when too much is under way, the least promised goes first.
//!
//! Four classes, from the first to be turned away to the last: `enter`, `read`, `step`, `finish`. Each but the last may
//! use only a share of the requests that may be under way; `finish` is never shed, for its place was reserved on entering.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::clock::Stopwatch;

/// What a request is worth under pressure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Asks to be let in.
    Enter = 0,
    /// Looks something up.
    Read = 1,
    /// Prepares: a draft, an estimate, a withdrawal.
    Step = 2,
    /// Hands in what was prepared.
    Finish = 3,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Enter, Self::Read, Self::Step, Self::Finish];

    /// The class's name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Read => "read",
            Self::Step => "step",
            Self::Finish => "finish",
        }
    }

    /// Hundredths of the requests under way that this class may fill; no bound but its leases for `finish`.
    const fn share_percent(self) -> Option<usize> {
        match self {
            Self::Enter => Some(50),
            Self::Read => Some(70),
            Self::Step => Some(85),
            Self::Finish => None,
        }
    }
}

/// How often a runtime tells that it goes round.
pub const BEAT: Duration = Duration::from_millis(5);
/// A runtime whose beats are all late for so long is strained: a hiccup of the machine is shorter.
const STRAINED_AFTER: Duration = Duration::from_millis(500);
/// It is so until no beat has been late for this long.
const CALM_AFTER: Duration = Duration::from_secs(2);

/// How far one runtime is behind: it answers what is ready in turn, and its beat waits in the same line.
pub struct Pulse {
    late_after: Duration,
    last: Cell<Stopwatch>,
    last_in_time: Cell<Stopwatch>,
    last_late: Cell<Stopwatch>,
    strained: Cell<bool>,
}

impl Pulse {
    /// Of a runtime that is behind when its beat is late by more than this.
    #[must_use]
    pub fn new(lag_max: Duration) -> Self {
        let now = Cell::new(Stopwatch::start());
        Self {
            late_after: BEAT + lag_max,
            last: now.clone(),
            last_in_time: now.clone(),
            last_late: now,
            strained: Cell::new(false),
        }
    }

    /// Beats; call it every [`BEAT`].
    pub fn beat(&self) {
        let now = Stopwatch::start();
        let kind = if self.beat_is_late() { &self.last_late } else { &self.last_in_time };
        kind.set(now);
        self.last.set(now);
        if self.last_in_time.get().elapsed() > STRAINED_AFTER {
            self.strained.set(true);
        } else if self.last_late.get().elapsed() > CALM_AFTER {
            self.strained.set(false);
        }
    }

    /// Whether more has been coming for a while than is answered, and the next beat is late now: who is inside goes first, and
    /// nobody is let in until it comes.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.strained.get() && self.beat_is_late()
    }

    fn beat_is_late(&self) -> bool {
        self.last.get().elapsed() > self.late_after
    }
}

/// Counts what is under way on the public listener.
#[derive(Clone)]
pub struct Pressure(Arc<Load>);

struct Load {
    requests_max: usize,
    under_way: AtomicUsize,
}

/// A request that was let through; dropping it ends it.
pub struct Admitted(Arc<Load>);

/// Too much is under way for this class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed(pub Class);

impl Pressure {
    /// With this many requests under way at most, `finish` apart.
    #[must_use]
    pub fn new(requests_max: usize) -> Self {
        Self(Arc::new(Load { requests_max, under_way: AtomicUsize::new(0) }))
    }

    /// Lets a request of `class` through.
    ///
    /// # Errors
    /// [`Shed`]: refuse it before anything of it is read.
    pub fn admit(&self, class: Class) -> Result<Admitted, Shed> {
        let under_way = self.0.under_way.fetch_add(1, Ordering::AcqRel);
        let admitted = Admitted(Arc::clone(&self.0));
        let full = |percent| under_way >= self.0.requests_max.saturating_mul(percent) / 100;
        if class.share_percent().is_some_and(full) {
            return Err(Shed(class));
        }
        Ok(admitted)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_behind_when_it_is_late_for_long_and_not_after_a_hiccup() {
        let pulse = Pulse::new(Duration::from_millis(20));
        let beat_late = || {
            std::thread::sleep(2 * pulse.late_after);
            let behind = pulse.is_behind();
            pulse.beat();
            behind
        };
        assert!(!beat_late() && !pulse.is_behind(), "a hiccup");
        let watch = Stopwatch::start();
        while watch.elapsed() <= STRAINED_AFTER + 2 * pulse.late_after {
            beat_late();
        }
        assert!(beat_late(), "it has been late for long, and is");
        assert!(!pulse.is_behind(), "it has just gone round");
        assert!(beat_late(), "one beat in time is no calm");
    }

    #[test]
    fn the_least_promised_goes_first_and_finish_never() {
        let pressure = Pressure::new(100);
        let mut held = Vec::new();
        let mut refused_from = Vec::new();
        for class in Class::ALL {
            while held.len() < 200 {
                match pressure.admit(class) {
                    Ok(admitted) => held.push(admitted),
                    Err(Shed(shed)) => {
                        assert_eq!(shed, class);
                        break;
                    }
                }
            }
            refused_from.push(held.len());
        }
        assert_eq!(refused_from, [50, 70, 85, 200]);
        held.clear();
        assert!(pressure.admit(Class::Enter).is_ok());
    }
}
