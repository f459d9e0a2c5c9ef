//! Event-loop delay: how late a runtime is with what is ready to run.

use std::{cell::Cell, time::Duration};

use tokio::sync::Notify;

use crate::clock::Stopwatch;

/// Period of the timer that measures the delay.
pub const TICK: Duration = Duration::from_millis(5);
/// After this long without a tick in time a runtime is overloaded: a hiccup of the machine is shorter.
const OVERLOADED_AFTER: Duration = Duration::from_millis(500);
/// It stays overloaded until no tick has been late for this long.
const CALM_AFTER: Duration = Duration::from_secs(2);
/// Ticks stop when nothing has been under way for this long, so that an idle runtime does not wake up.
const TICKS_FOR: Duration = Duration::from_millis(250);

/// Measures the event-loop delay of one runtime: a periodic timer waits in the same queue as the requests, so it is as
/// late as they are. It ticks only while work is under way.
pub struct LoopDelay {
    late_after: Duration,
    last: Cell<Stopwatch>,
    last_in_time: Cell<Stopwatch>,
    last_late: Cell<Stopwatch>,
    overloaded: Cell<bool>,
    under_way: Cell<usize>,
    /// Something was under way since the last tick.
    worked: Cell<bool>,
    last_work: Cell<Stopwatch>,
    paused: Cell<bool>,
    resumed: Notify,
}

/// Work under way on a runtime; dropping it ends it.
pub struct Working<'d>(&'d LoopDelay);

impl LoopDelay {
    /// For a runtime that is behind when its tick is late by more than `delay_max`.
    #[must_use]
    pub fn new(delay_max: Duration) -> Self {
        let now = Cell::new(Stopwatch::start());
        Self {
            late_after: TICK + delay_max,
            last: now.clone(),
            last_in_time: now.clone(),
            last_late: now.clone(),
            overloaded: Cell::new(false),
            under_way: Cell::new(0),
            worked: Cell::new(false),
            last_work: now,
            paused: Cell::new(false),
            resumed: Notify::new(),
        }
    }

    /// Marks the start of a handshake or request, and resumes the ticks if they are paused.
    pub fn work(&self) -> Working<'_> {
        self.under_way.set(self.under_way.get() + 1);
        self.worked.set(true);
        if self.paused.replace(false) {
            // Nothing was under way, so no tick would have been late.
            self.note(false, Stopwatch::start());
            self.resumed.notify_one();
        }
        Working(self)
    }

    /// Whether nothing has been under way for a while: the ticks may pause.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.worked.get() && self.last_work.get().elapsed() > TICKS_FOR
    }

    /// Pauses the ticks until the next [`work`](Self::work). The next tick is due one [`TICK`] after it.
    pub async fn pause(&self) {
        self.paused.set(true);
        self.resumed.notified().await;
    }

    /// Measures the delay; call it every [`TICK`].
    pub fn tick(&self) {
        let now = Stopwatch::start();
        self.note(self.tick_is_late(), now);
        if self.worked.replace(self.under_way.get() > 0) {
            self.last_work.set(now);
        }
    }

    fn note(&self, late: bool, now: Stopwatch) {
        let kind = if late { &self.last_late } else { &self.last_in_time };
        kind.set(now);
        self.last.set(now);
        if self.last_in_time.get().elapsed() > OVERLOADED_AFTER {
            self.overloaded.set(true);
        } else if self.last_late.get().elapsed() > CALM_AFTER {
            self.overloaded.set(false);
        }
    }

    /// Whether the runtime is overloaded and its next tick is late now: it serves those who have entered first, and
    /// lets nobody enter until the tick comes.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.overloaded.get() && self.tick_is_late()
    }

    fn tick_is_late(&self) -> bool {
        self.last.get().elapsed() > self.late_after
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_behind_when_it_is_late_for_long_and_not_after_a_hiccup() {
        let delay = LoopDelay::new(Duration::from_millis(20));
        assert!(!tick_late(&delay) && !delay.is_behind(), "a hiccup");
        overload(&delay);
        assert!(tick_late(&delay), "it has been late for long, and is");
        assert!(!delay.is_behind(), "it has just ticked");
        assert!(tick_late(&delay), "one tick in time does not end the overload");
    }

    /// Ticks late; whether the runtime was behind just before.
    fn tick_late(delay: &LoopDelay) -> bool {
        std::thread::sleep(2 * delay.late_after);
        let behind = delay.is_behind();
        delay.tick();
        behind
    }

    fn overload(delay: &LoopDelay) {
        let watch = Stopwatch::start();
        while watch.elapsed() <= OVERLOADED_AFTER + 2 * delay.late_after {
            tick_late(delay);
        }
    }

    #[tokio::test]
    async fn an_idle_runtime_does_not_tick_and_its_pause_is_no_delay() {
        let delay = LoopDelay::new(Duration::from_millis(20));
        let request = delay.work();
        overload(&delay);
        std::thread::sleep(2 * TICKS_FOR);
        assert!(!delay.is_idle(), "a request is under way");
        drop(request);
        delay.tick();
        assert!(!delay.is_idle(), "it has just ended");
        std::thread::sleep(2 * TICKS_FOR);
        assert!(delay.is_idle());

        let ((), request) = tokio::join!(delay.pause(), async { delay.work() });
        assert!(!delay.is_idle() && !delay.is_behind(), "no tick was due during the pause");
        assert!(tick_late(&delay), "it was overloaded less than two seconds ago");
        drop(request);
    }
}
