//! The admission controller: how many people are let in a second, and how much CPU time those outside may take.
//!
//! A visit lasts minutes, so the rate at which visits finish comes too late to steer by. The rate is fed forward: the
//! share of the CPU for people inside, divided by the measured CPU time of a whole visit ([`controller`]). Feedback only
//! trims it: a standing event-loop delay, submissions that queue at the committer, decisions that lag behind.
//!
//! People outside have a budget of CPU time ([`strangers`]): their connections, handshakes and polls wait when it is
//! used up. Those who must reconnect have a listener of their own, whose handshakes may take a part of that budget
//! (`door`). Everything is measured where it happens, and each time slice of a tenth of a second makes one step.
//!
//! What was taken from elsewhere: a standing queue is one whose *shortest* delay within an interval is long (`CoDel`, RFC
//! 8289); admission by cost and in one place instead of by queue lengths in many (DAGOR, `WeChat`). What was not: a
//! limit of concurrency that follows latency (Netflix' concurrency-limits, Envoy's adaptive concurrency) answers a
//! visit's requests of today, while people let in now come back with more for minutes.

pub mod capacity;
mod controller;
mod delay;
mod door;
mod strangers;
mod submissions;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use self::{
    controller::{Config, Load},
    delay::{LoopDelay, TICK, Working},
    strangers::{Entrance, Expected, Strangers, Use},
    submissions::{Submissions, Submitted},
};
use self::{
    controller::{Controller, Measured, Orders},
    delay::StandingDelay,
    strangers::Spent,
};
use crate::clock::{self, Stopwatch};

/// Time between two steps of the controller.
const STEP: Duration = Duration::from_millis(100);
/// Longest time whose share of the rate is kept for people who come unevenly.
const KEPT_SECONDS: f64 = 0.5;
/// Longest time whose share of the rate may begin their visits at once. Who uses up more is let in, but
/// [begins](Admission::pause) later: else people inside would wait for each other.
const BURST_SECONDS: f64 = 0.1;
/// Part of what is kept that is left over if fewer people come than may be let in.
const STARVED_SHARE: f64 = 0.5;

/// What operators may see of the controller.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// People let in a second, as allowed now.
    pub per_second: f64,
    /// What feedback leaves of the planned rate, from 0 to 1.
    pub trim: f64,
    /// CPU time of a whole visit, of its handshake, of entering, and of a request of somebody outside, seconds.
    pub costs: [(&'static str, f64); 4],
    /// CPU available to this process, cores.
    pub cores: f64,
    /// CPU time since the start, of people outside, of entering, and of everything else.
    pub cpu: [(&'static str, Duration); 3],
}

/// The controller, shared by all runtimes.
pub struct Admission {
    strangers: Strangers,
    delay: Arc<StandingDelay>,
    running: Stopwatch,
    inner: Mutex<Inner>,
}

struct Inner {
    controller: Controller,
    orders: Orders,
    /// CPU available to this process, cores.
    cores: f64,
    stepped_at: Duration,
    /// Totals at the last step.
    before: Totals,
    /// People who may be let in at this moment.
    tokens: f64,
    refilled_at: Duration,
}

/// Totals since the start.
#[derive(Clone, Copy, Default)]
struct Totals {
    process_cpu: Duration,
    strangers_cpu: Duration,
    entering_cpu: Duration,
    requests_inside: u64,
}

impl Admission {
    /// A controller that knows nothing of the cost of a visit yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let controller = Controller::new(config);
        let (cores, strangers) = (capacity::cores(), Strangers::new());
        let orders = controller.at_first(cores, strangers.enter_cost());
        strangers.allow(orders.strangers_cores);
        let inner = Inner {
            controller,
            orders,
            cores,
            stepped_at: Duration::ZERO,
            before: Totals { process_cpu: clock::process_cpu(), ..Totals::default() },
            tokens: 1.0,
            refilled_at: Duration::ZERO,
        };
        Self {
            strangers,
            delay: Arc::default(),
            running: Stopwatch::start(),
            inner: Mutex::new(inner),
        }
    }

    /// The budget of people who are not let in.
    #[must_use]
    pub fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// Measures the event-loop delay of one more runtime.
    #[must_use]
    pub fn delay_of_a_runtime(&self) -> LoopDelay {
        LoopDelay::reporting_to(&self.delay)
    }

    /// People who may be let in at this moment.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "people")]
    pub fn free(&self) -> usize {
        self.refilled().tokens as usize
    }

    /// Lets one person in, if the rate allows it.
    #[must_use]
    pub fn take(&self) -> bool {
        let mut inner = self.refilled();
        let is_free = inner.tokens >= 1.0;
        if is_free {
            inner.tokens -= 1.0;
        }
        is_free
    }

    /// How long a person who was just let in waits until their visit begins.
    #[must_use]
    pub fn pause(&self) -> Duration {
        let inner = self.refilled();
        let rate = inner.orders.per_second;
        let at_once = (rate * BURST_SECONDS).max(1.0);
        let seconds = (inner.tokens_max() - at_once - inner.tokens) / rate;
        Duration::from_secs_f64(seconds.clamp(0.0, KEPT_SECONDS))
    }

    /// Takes back the admission of a person who was not let in after all.
    pub fn give_back(&self) {
        self.lock().tokens += 1.0;
    }

    /// People let in a second, as the controller allows now.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.lock().orders.per_second
    }

    /// What operators may see.
    #[must_use]
    pub fn state(&self) -> State {
        let Orders { per_second, trim, visit_cpu, cores, .. } = self.lock().orders;
        let Spent { strangers, entering, .. } = self.strangers.spent();
        let rest = clock::process_cpu().saturating_sub(strangers + entering);
        let cpu = [("strangers", strangers), ("entering", entering), ("inside", rest)];
        let [handshake, outside, enter] = self.strangers.costs();
        let costs = [
            ("visit", visit_cpu),
            ("handshake", handshake),
            ("enter", enter),
            ("outside", outside),
        ];
        State { per_second, trim, costs, cores, cpu }
    }

    /// Polls a second for which there is CPU time.
    #[must_use]
    pub fn polls_per_second(&self) -> f64 {
        self.strangers.polls_per_second()
    }

    /// People a second who can come from outside and be let in, as far as this is certain: with what people outside are
    /// sure of, and at the rate that is allowed now.
    #[must_use]
    pub fn arrivals_per_second(&self) -> f64 {
        let [handshake, outside, _] = self.strangers.costs();
        let inner = self.lock();
        let cores = inner.controller.strangers_share(inner.orders.cores);
        (cores / (handshake + outside)).min(inner.orders.per_second)
    }

    /// Measures the CPU that is available; call it every half minute. Reads files of the system.
    pub fn measure_capacity(&self) {
        self.lock().cores = capacity::cores();
    }

    /// Makes a step, if one is due. Call it every few milliseconds while anything is under way.
    pub fn step(&self, load: impl FnOnce() -> Load) {
        let mut inner = self.lock();
        let now = self.running.elapsed();
        let elapsed = now.saturating_sub(inner.stepped_at);
        if elapsed < STEP {
            return;
        }
        let load = load();
        inner.stepped_at = now;
        let spent = self.strangers.spent();
        let totals = Totals {
            process_cpu: clock::process_cpu(),
            strangers_cpu: spent.strangers,
            entering_cpu: spent.entering,
            requests_inside: spent.requests_inside,
        };
        let before = std::mem::replace(&mut inner.before, totals);
        let measured = Measured {
            elapsed,
            cores: inner.cores,
            process_cpu: totals.process_cpu.saturating_sub(before.process_cpu),
            strangers_cpu: totals.strangers_cpu.saturating_sub(before.strangers_cpu),
            entering_cpu: totals.entering_cpu.saturating_sub(before.entering_cpu),
            requests_inside: totals.requests_inside - before.requests_inside,
            enter_cost: self.strangers.enter_cost(),
            is_starved: inner.is_starved(now),
            standing_delay: self.delay.take(),
            load,
        };
        inner.orders = inner.controller.step(&measured);
        self.strangers.allow(inner.orders.strangers_cores);
    }

    fn refilled(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        inner.refill(self.running.elapsed());
        inner
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether so many people may be let in that some of it has been left over for a while.
    fn is_starved(&mut self, now: Duration) -> bool {
        self.refill(now);
        self.tokens >= STARVED_SHARE * self.tokens_max()
    }

    fn tokens_max(&self) -> f64 {
        (self.orders.per_second * KEPT_SECONDS).max(1.0)
    }

    fn refill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.refilled_at).as_secs_f64();
        let rate = self.orders.per_second;
        self.tokens = (self.tokens + rate * elapsed).min(self.tokens_max());
        self.refilled_at = now;
    }
}
