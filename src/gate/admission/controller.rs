//! The law of control: from what was measured in a time slice to the rate of admissions. Pure; reads no clock.

use std::time::Duration;

use super::submissions::Submitted;

/// Share of the CPU that the visits of people who were let in are planned to take. The rest is for those outside and
/// for what no plan foresees.
const INSIDE_SHARE: f64 = 0.85;
/// Share of the CPU that is planned at all: above it delays grow without bound.
const PLANNED_SHARE: f64 = 0.95;
/// Share of the CPU of which people outside get theirs, also while less is used. A quota cannot be used whole.
const USED_SHARE_MIN: f64 = 0.8;
/// Least share of the CPU for people outside: somebody has to get in.
const STRANGERS_SHARE_MIN: f64 = 0.05;
/// Requests of a visit, entering not counted, that are assumed before the first visit has ended: draft, submission, four
/// reads, leaving.
const REQUESTS_AT_FIRST: f64 = 7.0;
/// CPU time of each, relative to entering with its handshake, before any was measured.
const REQUEST_SHARE_AT_FIRST: f64 = 0.12;
/// Requests that are averaged before their cost is believed.
const REQUESTS_AVERAGED: f64 = 300.0;
/// Weight of a lower cost.
const COST_FALLS: f64 = 0.3;
/// Half-life of a cost of requests that was measured lower, while the process is busy, seconds.
const COST_RISES_SECONDS: f64 = 10.0;
/// Half-life of the CPU that people inside use, seconds.
const INSIDE_SECONDS: f64 = 0.3;
/// How fast the trim falls at twice the bound, a second, and how fast it recovers while nothing queues.
const TRIM_FALLS: f64 = 0.7;
const TRIM_RISES: f64 = 0.3;
/// Least trim: measured delays may have another cause than people inside.
const TRIM_MIN: f64 = 0.05;
/// Largest excess over a bound that counts in one step.
const EXCESS_MAX: f64 = 2.0;
/// Longest time that a submission may wait for its receipt until fewer people are let in, seconds.
const COMMIT_SECONDS_MAX: f64 = 0.5;
/// Longest such time that counts, seconds: an infinite one could not be compared with the next.
const COMMIT_SECONDS_COUNTED: f64 = 10.0;
/// Half-life of the rate at which submissions are answered, seconds.
const COMMITS_SECONDS: f64 = 0.5;
/// Submissions that wait at any rate: those of one group, and those that gather for the next.
const SUBMISSIONS_AT_ONCE: u64 = 16;
/// How far ahead the queue of submissions is looked at, seconds: what counts is how long it will be if it grows as now. By
/// its length alone it is noticed too late, and the rate swings around the committer's by a half (a simulation; the same
/// law as in RFC 8033, PIE).
const QUEUE_AHEAD_SECONDS: f64 = 1.0;
/// Half-life of that growth, seconds: submissions come and are committed in batches.
const QUEUE_GROWTH_SECONDS: f64 = 0.2;
/// How long it is at least, by its bound, if its growth counts.
const QUEUE_GROWS_FROM: f64 = 0.5;
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
    /// Those at the committer.
    pub submissions: Submitted,
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
    /// CPU time of a handshake and of entering.
    pub(super) enter_cost: Duration,
    /// Whether more people could have been let in than came.
    pub(super) is_starved: bool,
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
    /// CPU time of requests inside, seconds, and their number, until there are [`REQUESTS_AVERAGED`].
    requests_cpu: f64,
    requests: f64,
    /// CPU time of a request inside on a busy server, seconds; `None` before it was measured.
    request_cost: Option<f64>,
    /// CPU of people inside, cores, smoothed.
    inside_cores: f64,
    /// CPU found to be available while the process was short of it, cores.
    cores: f64,
    trim: f64,
    /// Submissions answered until the last step, and a second, smoothed.
    answered: u64,
    commits: f64,
    /// The delay at the committer at the last step, by its bound, and how fast it has grown, a second, smoothed.
    queue: f64,
    queue_growth: f64,
}

impl Controller {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            requests_cpu: 0.0,
            requests: 0.0,
            request_cost: None,
            inside_cores: 0.0,
            cores: f64::INFINITY,
            trim: 1.0,
            answered: 0,
            commits: 0.0,
            queue: 0.0,
            queue_growth: 0.0,
        }
    }

    /// The orders before anything was measured.
    pub(super) fn at_first(&self, cores: f64, enter_cost: Duration) -> Orders {
        let visit_cpu = self.visit_cpu(enter_cost, None);
        Orders {
            per_second: self.per_second(INSIDE_SHARE * cores / visit_cpu),
            strangers_cores: self.most(cores, 0.0),
            visit_cpu,
            trim: self.trim,
            cores,
        }
    }

    /// CPU that people outside are sure of, of this many cores.
    pub(super) fn strangers_share(&self, cores: f64) -> f64 {
        f64::from(self.config.strangers_cpu_percent_max) / 100.0 * cores
    }

    /// One step.
    pub(super) fn step(&mut self, measured: &Measured) -> Orders {
        let seconds = measured.elapsed.as_secs_f64();
        let used = measured.process_cpu.as_secs_f64() / seconds;
        let is_busy = used >= BUSY_SHARE * self.cores.min(measured.cores);
        let queue = self.commit_delay(measured.load.submissions, seconds) / COMMIT_SECONDS_MAX;
        let queue = self.queue_ahead(queue, seconds);
        let excess = self.excess(measured, queue, is_busy);
        self.find_cores(measured, is_busy && excess > 0.0, used);
        self.measure_inside(measured, seconds, is_busy);
        let visit_cpu = self.visit_cpu(measured.enter_cost, measured.load.requests_per_visit);
        self.trim +=
            seconds * if excess > 0.0 { -TRIM_FALLS * excess * self.trim } else { TRIM_RISES };
        self.trim = self.trim.clamp(TRIM_MIN, 1.0);
        Orders {
            per_second: self.per_second(INSIDE_SHARE * self.cores / visit_cpu * self.trim),
            strangers_cores: self.strangers_cores(measured, excess),
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
    fn excess(&self, measured: &Measured, queue: f64, is_busy: bool) -> f64 {
        let lag = measured.standing_delay.as_secs_f64() * 1e3;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
        let delay = if is_busy { lag / self.config.lag_ms_max as f64 } else { 0.0 };
        (delay.max(queue).max(measured.load.urn) - 1.0).clamp(0.0, EXCESS_MAX)
    }

    /// How long a submission that comes now waits for its receipt, seconds: by Little's law those before it, at the rate
    /// at which they are answered.
    #[expect(clippy::cast_precision_loss, reason = "submissions of a tenth of a second")]
    fn commit_delay(&mut self, submissions: Submitted, seconds: f64) -> f64 {
        let rate = submissions.answered.saturating_sub(self.answered) as f64 / seconds;
        self.answered = submissions.answered;
        self.commits += smoothed(seconds, COMMITS_SECONDS) * (rate - self.commits);
        let queued = submissions.unanswered.saturating_sub(SUBMISSIONS_AT_ONCE) as f64;
        // While nothing is answered the wait has no end in sight.
        let wait = if queued > 0.0 { queued / self.commits } else { 0.0 };
        wait.min(COMMIT_SECONDS_COUNTED)
    }

    /// How long the queue of submissions will be, by its bound.
    fn queue_ahead(&mut self, queue: f64, seconds: f64) -> f64 {
        let growth = (queue - self.queue) / seconds;
        self.queue = queue;
        self.queue_growth += smoothed(seconds, QUEUE_GROWTH_SECONDS) * (growth - self.queue_growth);
        let counts = queue > QUEUE_GROWS_FROM;
        queue + if counts { QUEUE_AHEAD_SECONDS * self.queue_growth } else { 0.0 }
    }

    /// The CPU that is there may be less than what is allowed: other processes use the machine. While a delay stands
    /// the process uses all that it gets.
    fn find_cores(&mut self, measured: &Measured, is_short: bool, used: f64) {
        let found = if is_short { used.min(measured.cores) } else { measured.cores };
        self.cores = self.cores.min(measured.cores);
        self.cores += CORES_WEIGHT * (found - self.cores);
    }

    /// Measures what people inside use.
    ///
    /// A request costs several times as much on a server that does little or has just started: each has a commit and its
    /// wake-ups to itself, and finds no cache warm. What counts is its cost at full load, and that is the lowest; so a
    /// lower measurement is believed soon, and a higher one slowly and only while the process is busy.
    fn measure_inside(&mut self, measured: &Measured, seconds: f64, is_busy: bool) {
        let inside = measured.process_cpu.saturating_sub(measured.strangers_cpu);
        self.inside_cores += smoothed(seconds, INSIDE_SECONDS)
            * (inside.as_secs_f64() / seconds - self.inside_cores);
        #[expect(clippy::cast_precision_loss, reason = "requests of a tenth of a second")]
        let requests = measured.requests_inside as f64;
        self.requests += requests;
        self.requests_cpu += inside.saturating_sub(measured.entering_cpu).as_secs_f64();
        if self.requests < REQUESTS_AVERAGED {
            return;
        }
        let cost = self.requests_cpu / self.requests;
        (self.requests, self.requests_cpu) = (0.0, 0.0);
        let known = self.request_cost.unwrap_or_else(|| assumed_request(measured.enter_cost));
        let rises = if is_busy { smoothed(seconds, COST_RISES_SECONDS) } else { 0.0 };
        let weight = if cost < known { COST_FALLS } else { rises };
        self.request_cost = Some(known + weight * (cost - known));
    }

    /// CPU time of a visit, seconds: entering with its handshake, and the requests that follow.
    fn visit_cpu(&self, enter_cost: Duration, requests_per_visit: Option<f64>) -> f64 {
        let enter = enter_cost.as_secs_f64();
        let request = self.request_cost.unwrap_or_else(|| assumed_request(enter_cost));
        enter + request * requests_per_visit.unwrap_or(REQUESTS_AT_FIRST)
    }

    /// While people wait, those outside get what people inside leave, within bounds. They get everything that is idle if
    /// nobody waits, or if fewer come in than could be let in although nothing queues.
    fn strangers_cores(&self, measured: &Measured, excess: f64) -> f64 {
        let left = PLANNED_SHARE * self.cores - self.inside_cores;
        let most = self.most(self.cores, self.inside_cores);
        let least = STRANGERS_SHARE_MIN * self.cores;
        let is_idle = !measured.load.anyone_waits || (measured.is_starved && excess <= 0.0);
        if is_idle { left.max(most) } else { left.clamp(least.min(most), most) }
    }

    /// The most CPU that people outside get while others wait, cores: a share of all that is used, or nearly all of what
    /// could be.
    fn most(&self, cores: f64, inside: f64) -> f64 {
        let share = self.strangers_share(1.0);
        share * (inside / (1.0 - share)).clamp(USED_SHARE_MIN * cores, cores)
    }
}

/// Weight of what was measured during `seconds` in a mean with this half-life.
fn smoothed(seconds: f64, half_life: f64) -> f64 {
    1.0 - 0.5_f64.powf(seconds / half_life)
}

/// CPU time of a request inside that is assumed before any was measured, seconds.
fn assumed_request(enter_cost: Duration) -> f64 {
    REQUEST_SHARE_AT_FIRST * enter_cost.as_secs_f64()
}
