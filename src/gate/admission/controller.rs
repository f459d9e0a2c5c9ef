//! The law of control: from what was measured in a time slice to the rate of admissions. Pure; reads no clock.

use std::time::Duration;

/// Share of the CPU that the visits of people who were let in are planned to take. The rest is for those outside and
/// for what no plan foresees.
const INSIDE_SHARE: f64 = 0.88;
/// Share of the CPU that is planned at all: above it delays grow without bound.
const PLANNED_SHARE: f64 = 0.97;
/// Least share of the CPU for people outside: somebody has to get in.
const STRANGERS_SHARE_MIN: f64 = 0.05;
/// CPU time of a handshake and of entering that is assumed before the first was measured.
const ENTER_COST_AT_FIRST: Duration = Duration::from_micros(700);
/// Requests of a visit, entering not counted, that are assumed before the first visit has ended: draft, submission, four
/// reads, leaving.
const REQUESTS_AT_FIRST: f64 = 7.0;
/// CPU time of each, relative to entering with its handshake, before any was measured.
const REQUEST_SHARE_AT_FIRST: f64 = 0.12;
/// Weight of the assumption, as a number of measured requests.
const ASSUMED_REQUESTS: f64 = 20.0;
/// Half-life of the measured cost of requests.
const HALF_LIFE_SECONDS: f64 = 3.0;
/// How fast the trim falls at twice the bound, a second, and how fast it recovers while nothing queues.
const TRIM_FALLS: f64 = 1.0;
const TRIM_RISES: f64 = 0.3;
/// Least trim: measured delays may have another cause than people inside.
const TRIM_MIN: f64 = 0.05;
/// Largest excess over a bound that counts in one step.
const EXCESS_MAX: f64 = 3.0;
/// Share of the available CPU from which the process is busy.
const BUSY_SHARE: f64 = 0.5;
/// Weight of the latest step in the CPU that is found to be available.
const CORES_WEIGHT: f64 = 0.1;

/// The bounds of the admission controller.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Standing event-loop delay from which fewer people are let in, milliseconds.
    pub lag_ms_max: u64,
    /// CPU time for people who are not let in while others wait, percent of all.
    pub strangers_cpu_percent_max: u32,
    /// People to let in a second, whatever is measured; 0 leaves it to the controller.
    pub people_per_second: u32,
}

/// What the controller has to be told at each step.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Whether people wait for admission.
    pub anyone_waits: bool,
    /// Requests of an average visit, entering not counted; `None` while no visit has ended.
    pub requests_per_visit: Option<f64>,
    /// How full the queue of submissions is, from 0; above 1 the committer is the bottleneck.
    pub commit_queue: f64,
    /// How full the urn of undecided applications is, from 0; above 1 decisions lag behind.
    pub urn: f64,
}

/// What was measured since the last step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) elapsed: Duration,
    /// CPU that this process may use, cores.
    pub(super) cores: f64,
    /// CPU time of the whole process.
    pub(super) process_cpu: Duration,
    /// CPU time of people outside.
    pub(super) strangers_cpu: Duration,
    /// CPU time of handshakes and requests with which people got in.
    pub(super) entering_cpu: Duration,
    /// Requests of people inside, entering not counted.
    pub(super) requests_inside: u64,
    /// CPU time of a handshake and of entering; zero while unknown.
    pub(super) enter_cost: Duration,
    /// Shortest event-loop delay of the slowest runtime since the last step.
    pub(super) standing_delay: Duration,
    pub(super) load: Load,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Orders {
    /// People to let in a second.
    pub(super) per_second: f64,
    /// CPU for people outside, cores.
    pub(super) strangers_cores: f64,
    /// CPU time of a visit, seconds.
    pub(super) visit_cpu: f64,
    /// What feedback leaves of the rate, from 0 to 1.
    pub(super) trim: f64,
    /// CPU that is available, cores.
    pub(super) cores: f64,
}

/// The state of the controller.
#[derive(Debug)]
pub(super) struct Controller {
    config: Config,
    /// Decaying sums: CPU time of requests inside, seconds, and their number.
    requests_cpu: f64,
    requests: f64,
    /// CPU of people inside, cores, smoothed.
    inside_cores: f64,
    /// CPU found to be available while the process was short of it, cores.
    cores: f64,
    trim: f64,
}

impl Controller {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            requests_cpu: 0.0,
            requests: 0.0,
            inside_cores: 0.0,
            cores: f64::INFINITY,
            trim: 1.0,
        }
    }

    /// The orders before anything was measured.
    pub(super) fn at_first(&self, cores: f64) -> Orders {
        let visit_cpu = self.visit_cpu(Duration::ZERO, None);
        Orders {
            per_second: self.per_second(INSIDE_SHARE * cores / visit_cpu),
            strangers_cores: self.most(cores),
            visit_cpu,
            trim: self.trim,
            cores,
        }
    }

    /// One step.
    pub(super) fn step(&mut self, measured: &Measured) -> Orders {
        let seconds = measured.elapsed.as_secs_f64();
        let used = measured.process_cpu.as_secs_f64() / seconds;
        let is_busy = used >= BUSY_SHARE * self.cores.min(measured.cores);
        let excess = self.excess(measured, is_busy);
        self.find_cores(measured, is_busy && excess > 0.0, used);
        self.measure_inside(measured, seconds, is_busy);
        let visit_cpu = self.visit_cpu(measured.enter_cost, measured.load.requests_per_visit);
        self.trim +=
            seconds * if excess > 0.0 { -TRIM_FALLS * excess * self.trim } else { TRIM_RISES };
        self.trim = self.trim.clamp(TRIM_MIN, 1.0);
        Orders {
            per_second: self.per_second(INSIDE_SHARE * self.cores / visit_cpu * self.trim),
            strangers_cores: self.strangers_cores(measured.load.anyone_waits),
            visit_cpu,
            trim: self.trim,
            cores: self.cores,
        }
    }

    /// The rate, unless an operator has set one.
    fn per_second(&self, steered: f64) -> f64 {
        match self.config.people_per_second {
            0 => steered,
            fixed => fixed.into(),
        }
    }

    /// By how much the worst of the measured queues exceeds its bound, relative to it; 0 if none does. A delay of a process
    /// that does little has another cause than people inside.
    fn excess(&self, measured: &Measured, is_busy: bool) -> f64 {
        let lag = measured.standing_delay.as_secs_f64() * 1e3;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
        let delay = if is_busy { lag / self.config.lag_ms_max as f64 } else { 0.0 };
        let load = &measured.load;
        (delay.max(load.commit_queue).max(load.urn) - 1.0).clamp(0.0, EXCESS_MAX)
    }

    /// The CPU that is there may be less than what is allowed: other processes use the machine. While a delay stands
    /// the process uses all that it gets.
    fn find_cores(&mut self, measured: &Measured, is_short: bool, used: f64) {
        let found = if is_short { used.min(measured.cores) } else { measured.cores };
        self.cores = self.cores.min(measured.cores);
        self.cores += CORES_WEIGHT * (found - self.cores);
    }

    /// Measures what people inside use. A request costs more on a server that does little: each has a commit and its
    /// wake-ups to itself. What counts is its cost when it matters, so it is measured while the process is busy.
    fn measure_inside(&mut self, measured: &Measured, seconds: f64, is_busy: bool) {
        let inside = measured.process_cpu.saturating_sub(measured.strangers_cpu);
        let kept = 0.5_f64.powf(seconds / HALF_LIFE_SECONDS);
        let smoothed = 1.0 - kept.powi(10);
        self.inside_cores += smoothed * (inside.as_secs_f64() / seconds - self.inside_cores);
        if is_busy {
            let requests = inside.saturating_sub(measured.entering_cpu).as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "requests of a tenth of a second")]
            let count = measured.requests_inside as f64;
            self.requests_cpu = self.requests_cpu * kept + requests;
            self.requests = self.requests * kept + count;
        }
    }

    /// CPU time of a visit, seconds: entering with its handshake, and the requests that follow.
    fn visit_cpu(&self, enter_cost: Duration, requests_per_visit: Option<f64>) -> f64 {
        let enter = if enter_cost.is_zero() { ENTER_COST_AT_FIRST } else { enter_cost };
        let enter = enter.as_secs_f64();
        let assumed = enter * REQUEST_SHARE_AT_FIRST;
        let request =
            (self.requests_cpu + ASSUMED_REQUESTS * assumed) / (self.requests + ASSUMED_REQUESTS);
        enter + request * requests_per_visit.unwrap_or(REQUESTS_AT_FIRST)
    }

    /// While people wait, those outside get what people inside leave, within bounds; else everything that is idle.
    fn strangers_cores(&self, anyone_waits: bool) -> f64 {
        let left = PLANNED_SHARE * self.cores - self.inside_cores;
        let most = self.most(self.cores);
        let least = STRANGERS_SHARE_MIN * self.cores;
        if anyone_waits { left.clamp(least.min(most), most) } else { left.max(most) }
    }

    /// The most CPU that people outside get while others wait, cores.
    fn most(&self, cores: f64) -> f64 {
        f64::from(self.config.strangers_cpu_percent_max) / 100.0 * cores
    }
}
