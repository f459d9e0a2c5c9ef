//! Event-loop delay: how late a runtime is with what is ready to run.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::clock::Stopwatch;

/// Period of the timer that measures the delay.
pub const TICK: Duration = Duration::from_millis(5);
/// Ticks stop when nothing has been under way for this long, so that an idle runtime does not wake up.
const TICKS_FOR: Duration = Duration::from_millis(250);
/// No tick came since the shortest delay was taken.
const NONE: u64 = u64::MAX;

/// Measures the event-loop delay of one runtime: a periodic timer waits in the same queue as the requests, so it is as
/// late as they are. It ticks only while work is under way.
pub struct LoopDelay {
    shared: Arc<Shortest>,
    last: Cell<Stopwatch>,
    under_way: Cell<usize>,
    /// Something was under way since the last tick.
    worked: Cell<bool>,
    last_work: Cell<Stopwatch>,
    resumed: Notify,
}

/// Work under way on a runtime; dropping it ends it.
pub struct Working<'d>(&'d LoopDelay);

/// The shortest delay of one runtime since it was last taken.
struct Shortest {
    running: Stopwatch,
    /// Nanoseconds; [`NONE`] if no tick came.
    delay: AtomicU64,
    /// When the last tick came, nanoseconds since `running`; [`NONE`] while the ticks are paused.
    ticked: AtomicU64,
}

/// The delays of all runtimes.
#[derive(Default)]
pub(super) struct StandingDelay(Mutex<Vec<Arc<Shortest>>>);

impl StandingDelay {
    /// The longest of the shortest delays of all runtimes since the last call. A runtime without a tick since then has
    /// been late since its last one.
    pub(super) fn take(&self) -> Duration {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|shortest| shortest.take()).max().unwrap_or_default()
    }
}

impl Shortest {
    fn take(&self) -> Duration {
        let delay = self.delay.swap(NONE, Ordering::Relaxed);
        if delay != NONE {
            return Duration::from_nanos(delay);
        }
        match self.ticked.load(Ordering::Relaxed) {
            NONE => Duration::ZERO,
            ticked => self.running.elapsed().saturating_sub(Duration::from_nanos(ticked) + TICK),
        }
    }

    fn note(&self, delay: Duration) {
        self.delay.fetch_min(nanos(delay), Ordering::Relaxed);
        self.ticked.store(nanos(self.running.elapsed()), Ordering::Relaxed);
    }
}

impl LoopDelay {
    /// The delay of one more runtime.
    pub(super) fn reporting_to(standing: &StandingDelay) -> Self {
        let now = Stopwatch::start();
        let shared = Arc::new(Shortest {
            running: now,
            delay: AtomicU64::new(NONE),
            ticked: AtomicU64::new(NONE),
        });
        standing.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&shared));
        Self {
            shared,
            last: Cell::new(now),
            under_way: Cell::new(0),
            worked: Cell::new(false),
            last_work: Cell::new(now),
            resumed: Notify::new(),
        }
    }

    /// Marks the start of a handshake or request, and resumes the ticks if they are paused.
    pub fn work(&self) -> Working<'_> {
        self.under_way.set(self.under_way.get() + 1);
        self.worked.set(true);
        if self.is_paused() {
            // Nothing was under way, so no tick would have been late.
            self.note(Duration::ZERO);
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
        self.shared.ticked.store(NONE, Ordering::Relaxed);
        self.resumed.notified().await;
    }

    /// Measures the delay; call it every [`TICK`].
    pub fn tick(&self) {
        self.note(self.last.get().elapsed().saturating_sub(TICK));
        if self.worked.replace(self.under_way.get() > 0) {
            self.last_work.set(self.last.get());
        }
    }

    fn is_paused(&self) -> bool {
        self.shared.ticked.load(Ordering::Relaxed) == NONE
    }

    fn note(&self, delay: Duration) {
        self.last.set(Stopwatch::start());
        self.shared.note(delay);
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NONE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_stands_if_no_tick_was_in_time() {
        let standing = StandingDelay::default();
        let [late, other] = [(); 2].map(|()| LoopDelay::reporting_to(&standing));
        assert_eq!(standing.take(), Duration::ZERO, "nothing is under way");
        let (_late_works, _other_works) = (late.work(), other.work());
        standing.take();
        let (pause, at_least) = (Duration::from_millis(40), Duration::from_millis(35));
        for hiccup in [false, true] {
            for late_ticks in [true, hiccup] {
                std::thread::sleep(if late_ticks { pause } else { Duration::ZERO });
                late.tick();
                other.tick();
                other.tick();
            }
            let stands = standing.take();
            assert_eq!(stands >= at_least, hiccup, "one late tick is a hiccup: {stands:?}");
        }
        std::thread::sleep(pause);
        assert!(standing.take() >= at_least, "a runtime that does not tick at all is late");
    }

    #[tokio::test]
    async fn an_idle_runtime_does_not_tick_and_its_pause_is_no_delay() {
        let standing = StandingDelay::default();
        let delay = LoopDelay::reporting_to(&standing);
        let request = delay.work();
        std::thread::sleep(2 * TICKS_FOR);
        delay.tick();
        assert!(!delay.is_idle(), "a request is under way");
        drop(request);
        delay.tick();
        assert!(!delay.is_idle(), "it has just ended");
        std::thread::sleep(2 * TICKS_FOR);
        assert!(delay.is_idle());
        standing.take();

        let waiting = async {
            std::thread::sleep(2 * TICKS_FOR);
            delay.work()
        };
        let ((), request) = tokio::join!(delay.pause(), waiting);
        assert!(!delay.is_idle() && standing.take() == Duration::ZERO, "no tick was due");
        drop(request);
    }
}
