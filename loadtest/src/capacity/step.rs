//! One step of the search in figures, and which limits it broke.

use serde::Serialize;

use crate::{
    figures, operator::CommitFigures, run::Outcome, tally::Tally, verdict::LAG_P99_MS_MAX,
};

/// Limits that a rate must keep to hold.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Limits {
    /// Longest 99th percentile of submissions.
    pub p99_submit_ms_max: f64,
    /// Least share of the receipts wanted that must arrive within the profile's `timely_ms`.
    pub goodput_min: f64,
    /// Most requests refused or told to wait, as a share of the sessions offered.
    pub refusals_share_max: f64,
}

/// A limit that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Broken {
    /// Submissions took too long.
    Latency,
    /// Too few receipts were timely.
    Goodput,
    /// Too many requests were refused or told to wait.
    Refusals,
    /// Sessions failed or never ended.
    Failures,
    /// The generator itself lagged, or could not start a session.
    Generator,
}

impl Broken {
    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "p99 of submissions",
            Self::Goodput => "timely goodput",
            Self::Refusals => "refusals",
            Self::Failures => "failures",
            Self::Generator => "the generator lagged",
        }
    }
}

/// One short run at one rate.
#[derive(Clone, Debug, Serialize)]
pub struct StepFigures {
    /// Sessions a second asked of the schedule.
    pub rate: f64,
    /// How long the generators ran; the CPU figures cover this time.
    pub elapsed_s: f64,
    /// Sessions offered.
    pub offered: u64,
    /// Receipts.
    pub receipts: u64,
    /// Reads of applications.
    pub reads: u64,
    /// Receipts a second while sessions were offered.
    pub receipts_per_s: f64,
    /// Median of submissions.
    pub p50_submit_ms: f64,
    /// 99th percentile of submissions.
    pub p99_submit_ms: f64,
    /// Timely receipts as a share of those wanted.
    pub goodput: f64,
    /// Requests refused or told to wait, as a share of the sessions offered.
    pub refusals_share: f64,
    /// Sessions that failed or never ended.
    pub failures: u64,
    /// The generator's own lag at the 99th percentile.
    pub lag_p99_ms: f64,
    /// Requests that waited for a free connection, as a share of the sessions offered.
    pub connection_waits_share: f64,
    /// CPU seconds of the server, if its process is on this machine.
    pub server_cpu_s: Option<f64>,
    /// CPU seconds of the generator.
    pub generator_cpu_s: f64,
    /// CPU seconds of all other processes, the server included.
    pub others_cpu_s: f64,
    /// CPU seconds taken by the hypervisor.
    pub steal_s: f64,
    /// The ledger's commits, if an operator listener was given.
    pub commits: Option<CommitFigures>,
    /// Bytes the server wrote, if its process is on this machine.
    pub written_bytes: Option<u64>,
    /// Class and reason for which most requests were shed.
    pub shed_most: Option<String>,
    /// Limits that were broken; empty when the rate held.
    pub broken: Vec<Broken>,
}

/// Receipts a second in the whole intervals of a schedule of `length_s`, without the drain.
fn while_offered(tally: &Tally, length_s: f64) -> f64 {
    let stretch_s = tally.timeline.stretch.as_secs_f64();
    let whole = figures::whole(length_s / stretch_s).max(1);
    let taken = tally.timeline.stretches().into_iter().take(whole as usize);
    let receipts = taken.map(|stretch| stretch.receipts).sum();
    figures::real(receipts) / (f64::from(whole) * stretch_s)
}

impl StepFigures {
    /// The figures of `outcome` at `rate` over a schedule of `length_s`.
    #[must_use]
    pub fn of(outcome: &Outcome, rate: f64, length_s: f64, limits: &Limits) -> Self {
        let tally = &outcome.tally;
        let server = outcome.server.as_ref();
        let shed = server.map(|(before, after)| after.shed_since(before));
        let most = shed.and_then(|shed| {
            shed.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(labels, _)| labels)
        });
        let mut figures = Self {
            rate,
            elapsed_s: outcome.played.as_secs_f64(),
            offered: tally.offered,
            receipts: tally.receipts,
            reads: tally.read.count(),
            receipts_per_s: while_offered(tally, length_s),
            p50_submit_ms: tally.submit.quantile_ms(0.5),
            p99_submit_ms: tally.submit.quantile_ms(0.99),
            goodput: outcome.goodput(),
            refusals_share: figures::share(
                tally.refusal.count() + tally.told_to_wait(),
                tally.offered,
            ),
            failures: tally.failed.total() + tally.unfinished + tally.crossed,
            lag_p99_ms: tally.lag.quantile_ms(0.99),
            connection_waits_share: figures::share(tally.connection_waits, tally.offered),
            server_cpu_s: outcome.server_process.map(|used| used.cpu_s),
            generator_cpu_s: outcome.cpu.generator_s,
            others_cpu_s: outcome.cpu.others_s,
            steal_s: outcome.cpu.steal_s,
            commits: server.map(|(before, after)| after.commits_since(before)),
            written_bytes: outcome.server_process.map(|used| used.written_bytes),
            shed_most: most,
            broken: Vec::new(),
        };
        figures.broken = figures.broken_under(limits, tally.overflowed);
        figures
    }

    fn broken_under(&self, limits: &Limits, overflowed: u64) -> Vec<Broken> {
        let found = [
            (self.p99_submit_ms > limits.p99_submit_ms_max, Broken::Latency),
            (self.goodput < limits.goodput_min, Broken::Goodput),
            (self.refusals_share > limits.refusals_share_max, Broken::Refusals),
            (self.failures > 0, Broken::Failures),
            (self.lag_p99_ms > LAG_P99_MS_MAX || overflowed > 0, Broken::Generator),
        ];
        found.into_iter().filter(|(broke, _)| *broke).map(|(_, what)| what).collect()
    }

    /// True when the rate held.
    #[must_use]
    pub fn held(&self) -> bool {
        self.broken.is_empty()
    }

    /// Mean number of cores kept busy by `cpu_s` CPU seconds.
    #[must_use]
    pub fn cores(&self, cpu_s: f64) -> f64 {
        if self.elapsed_s > 0.0 { cpu_s / self.elapsed_s } else { 0.0 }
    }

    /// The broken limits as a text.
    #[must_use]
    pub fn broken_text(&self) -> String {
        let names: Vec<_> = self.broken.iter().map(|broken| broken.name()).collect();
        if names.is_empty() { "held".to_owned() } else { format!("BROKE: {}", names.join(", ")) }
    }
}
