//! A run in figures, with its verdict; text, JSON and HTML are views of it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    machine::{CpuUse, Machine},
    operator::{Balance, CommitFigures},
    orders::Orders,
    owner::Crossover,
    process::ProcessUse,
    profile::{Offer, Profile},
    run::Outcome,
    tally::{Latencies, Step, Stretch, Tally},
    verdict::Verdict,
};

/// Quantiles of the latency curve.
const CURVE_SHARES: [f64; 16] = [
    0.0, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99995,
    0.99999, 1.0,
];

/// A run in figures.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Time, command, build and machine of the run.
    pub about: About,
    /// Whether the run is valid and passed its checks.
    pub verdict: Verdict,
    /// Sessions by how they ended.
    pub sessions: Sessions,
    /// Receipts and their timeliness.
    pub receipts: ReceiptFigures,
    /// Counts of unusual conduct that the profile asked for.
    pub conducts: Conducts,
    /// Latencies by step.
    pub latencies: Vec<LatencyRow>,
    /// The generator's own lag, from intended to actual start.
    pub lag: LatencyRow,
    /// Results of the owner check.
    pub owners: Owners,
    /// Replies by step and status.
    pub statuses: Vec<StatusRow>,
    /// Requests tried again, by reason.
    pub retried: BTreeMap<String, u64>,
    /// Requests that waited for a free connection; the server did not see them meanwhile.
    pub connection_waits: u64,
    /// Replies that told somebody to wait in the waiting room (202).
    pub told_to_wait: u64,
    /// CPU time during the run.
    pub cpu: CpuUse,
    /// What the server's process used, if it runs on this machine.
    pub server_process: Option<ProcessUse>,
    /// Length of an interval of the timeline in seconds.
    pub stretch_s: f64,
    /// Counts by interval of time.
    pub timeline: Vec<Stretch>,
    /// The server's metrics, if an operator listener was given.
    pub server: Option<ServerFigures>,
}

/// Time, command, build and machine of a run.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// Start of the run, RFC 3339 in UTC.
    pub started_at: String,
    /// The command line.
    pub command: String,
    /// Version and kind of this build.
    pub build: String,
    /// The machine.
    pub machine: Machine,
    /// The profile's name.
    pub profile: String,
    /// What the profile stands for.
    pub profile_about: String,
    /// `open` or `closed`.
    pub r#loop: &'static str,
    /// Version of HTTP.
    pub protocol: String,
    /// Maximum number of connections.
    pub connections: usize,
    /// The campaign applied for.
    pub campaign: String,
    /// Seconds from the first intended start to the last ending.
    pub elapsed_s: f64,
    /// True when the run was stopped before its end.
    pub partial: bool,
}

/// Sessions by how they ended; `offered` is the sum of all others.
#[derive(Clone, Debug, Serialize)]
pub struct Sessions {
    /// Scheduled to start.
    pub offered: u64,
    /// Completed.
    pub served: u64,
    /// Refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Failed, by reason.
    pub failed: BTreeMap<String, u64>,
    /// Ended by a reply that belonged to somebody else.
    pub crossed: u64,
    /// Given up by their citizens, as the profile asks of some.
    pub abandoned: u64,
    /// Not started, because too many were open.
    pub overflowed: u64,
    /// Still open at the end of the drain.
    pub unfinished: u64,
}

/// Receipts and their timeliness.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptFigures {
    /// Receipts received.
    pub count: u64,
    /// Receipts wanted by the sessions offered: one each, one a line of a batch, none for those who give up.
    pub wanted: u64,
    /// Receipts a second over the run.
    pub per_s: f64,
    /// Receipts within `timely_ms`.
    pub timely: u64,
    /// Longest latency that counts as timely.
    pub timely_ms: u64,
    /// Timely receipts as a share of those wanted.
    pub goodput: f64,
    /// Sessions that read their decision.
    pub decided: u64,
    /// Receipt numbers issued to two citizens.
    pub doubled: u64,
    /// Lines of batches that got a problem instead of a receipt, by reason.
    pub lines_refused: BTreeMap<String, u64>,
}

/// Counts of unusual conduct that the profile asked for.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Conducts {
    /// Closed their connection in the middle of an application, then submitted again.
    pub cut_short: u64,
    /// Retried before `Retry-After` was over.
    pub impatient: u64,
    /// Entered again because their session was lost.
    pub entered_again: u64,
}

/// Results of the owner check.
#[derive(Clone, Debug, Serialize)]
pub struct Owners {
    /// Checks made.
    pub checked: u64,
    /// Sessions that got a reply of somebody else.
    pub crossovers: u64,
    /// The first crossovers, masked.
    pub first: Vec<Crossover>,
}

/// A distribution of latencies in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct LatencyRow {
    /// The step, or what else was measured.
    pub what: &'static str,
    /// Number of values.
    pub count: u64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p99_9_ms: f64,
    /// Maximum.
    pub max_ms: f64,
    /// Quantiles: share and latency.
    pub curve: Vec<(f64, f64)>,
}

/// Replies of one status at one step.
#[derive(Clone, Debug, Serialize)]
pub struct StatusRow {
    /// The step.
    pub step: &'static str,
    /// The status.
    pub status: u16,
    /// Number of values.
    pub count: u64,
}

/// The server's metrics.
#[derive(Clone, Debug, Serialize)]
pub struct ServerFigures {
    /// Its counts of applications at the end.
    pub balance: Balance,
    /// Commits during the run.
    pub commits: CommitFigures,
    /// Requests shed, by class and reason.
    pub shed: BTreeMap<String, f64>,
    /// Changes during the run, by sample.
    pub changed: BTreeMap<String, f64>,
}

impl LatencyRow {
    fn of(what: &'static str, latencies: &Latencies) -> Self {
        let at = |share| latencies.quantile_ms(share);
        Self {
            what,
            count: latencies.count(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p99_9_ms: at(0.999),
            max_ms: latencies.longest_ms(),
            curve: CURVE_SHARES.iter().map(|&share| (share, at(share))).collect(),
        }
    }
}

impl About {
    /// Describes the run of `orders` that began at `started_at`.
    #[must_use]
    pub fn of(orders: &Orders, started_at: String, outcome: &Outcome) -> Self {
        let profile = &orders.profile;
        Self {
            started_at,
            command: std::env::args().collect::<Vec<_>>().join(" "),
            build: build(),
            machine: Machine::read(),
            profile: profile.name.clone(),
            profile_about: profile.about.clone(),
            r#loop: match profile.offer {
                Offer::Open { .. } => "open",
                Offer::Closed { .. } => "closed",
            },
            protocol: protocol(profile.mix.http2_share),
            connections: orders.connections,
            campaign: outcome.campaign.to_string(),
            elapsed_s: outcome.elapsed.as_secs_f64(),
            partial: outcome.interrupted,
        }
    }
}

/// Version and kind of this build.
#[must_use]
pub fn build() -> String {
    let kind =
        if cfg!(debug_assertions) { "debug (too slow for meaningful figures)" } else { "release" };
    format!("surge {} {kind}, {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH)
}

fn protocol(http2_share: f64) -> String {
    match http2_share {
        share if share <= 0.0 => "HTTP/1.1".to_owned(),
        share if share >= 1.0 => "HTTP/2".to_owned(),
        share => format!("HTTP/1.1, and HTTP/2 for {:.0} % of the sessions", 100.0 * share),
    }
}

impl Summary {
    /// The figures of `outcome` under `profile`.
    #[must_use]
    pub fn of(outcome: &Outcome, profile: &Profile, about: About) -> Self {
        let tally = &outcome.tally;
        let steps = tally.steps.iter().map(|(step, latencies)| (step.name(), latencies));
        let rows = [("enter", &tally.enter), ("submit", &tally.submit), ("read", &tally.read)];
        let sums = [("whole session", &tally.session), ("refusal", &tally.refusal)];
        let rows = rows.into_iter().chain(steps).chain(sums);
        let measured = rows.filter(|(_, latencies)| latencies.count() > 0);
        let receipts = receipt_figures(outcome, profile);
        let server = outcome.server.as_ref().map(|(before, after)| ServerFigures {
            balance: after.balance(),
            commits: after.commits_since(before),
            shed: after.shed_since(before),
            changed: after.changed_since(before),
        });
        let verdict = Verdict::on(outcome, profile);
        Self {
            about,
            verdict,
            sessions: Sessions {
                offered: tally.offered,
                served: tally.served,
                refused: tally.refused.by_reason().clone(),
                failed: tally.failed.by_reason().clone(),
                crossed: tally.crossed,
                abandoned: tally.abandoned,
                overflowed: tally.overflowed,
                unfinished: tally.unfinished,
            },
            receipts,
            conducts: Conducts {
                cut_short: tally.cut_short,
                impatient: tally.impatient,
                entered_again: tally.entered_again,
            },
            latencies: measured.map(|(what, of)| LatencyRow::of(what, of)).collect(),
            lag: LatencyRow::of("generator lag", &tally.lag),
            owners: Owners {
                checked: tally.owners_checked,
                crossovers: tally.crossed,
                first: tally.crossovers.clone(),
            },
            statuses: status_rows(tally),
            retried: tally.retried.by_reason().clone(),
            connection_waits: tally.connection_waits,
            told_to_wait: tally.told_to_wait(),
            cpu: outcome.cpu,
            server_process: outcome.server_process,
            stretch_s: tally.timeline.stretch.as_secs_f64(),
            timeline: tally.timeline.stretches(),
            server,
        }
    }
}

fn receipt_figures(outcome: &Outcome, profile: &Profile) -> ReceiptFigures {
    let tally = &outcome.tally;
    ReceiptFigures {
        count: tally.receipts,
        wanted: tally.wanted,
        per_s: outcome.receipts_per_s(),
        timely: tally.timely,
        timely_ms: profile.thresholds.timely_ms,
        goodput: outcome.goodput(),
        decided: tally.decided,
        doubled: outcome.receipts_doubled,
        lines_refused: tally.lines_refused.by_reason().clone(),
    }
}

fn status_rows(tally: &Tally) -> Vec<StatusRow> {
    let rows = tally.statuses.iter();
    rows.map(|(&(step, status), &count): (&(Step, u16), _)| StatusRow {
        step: step.name(),
        status,
        count,
    })
    .collect()
}
