//! A run in figures, and the verdict on it; text, JSON and HTML are three views of this.

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

/// Shares at which the latency curve is drawn, ever closer to 1.
const CURVE_SHARES: [f64; 16] = [
    0.0, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99995,
    0.99999, 1.0,
];

/// A run in figures.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// When, how and on what it ran.
    pub about: About,
    /// Whether the figures may be believed and the promises held.
    pub verdict: Verdict,
    /// Sessions by how they ended.
    pub sessions: Sessions,
    /// Receipts and how soon they came.
    pub receipts: ReceiptFigures,
    /// What some citizens did that a well-behaved one does not.
    pub conducts: Conducts,
    /// Latencies by what took them.
    pub latencies: Vec<LatencyRow>,
    /// From intended to actual start, the generator's own fault.
    pub lag: LatencyRow,
    /// The owner check.
    pub owners: Owners,
    /// Replies by step and status.
    pub statuses: Vec<StatusRow>,
    /// Requests tried again, by reason.
    pub retried: BTreeMap<String, u64>,
    /// Requests that waited for a free connection: what the server was spared at that moment.
    pub connection_waits: u64,
    /// Times that people were told to wait in the waiting room.
    pub told_to_wait: u64,
    /// CPU time during the run.
    pub cpu: CpuUse,
    /// What the server's process used, if it ran on this machine.
    pub server_process: Option<ProcessUse>,
    /// Length of a stretch of the timeline in seconds.
    pub stretch_s: f64,
    /// What happened when.
    pub timeline: Vec<Stretch>,
    /// The server's own figures.
    pub server: Option<ServerFigures>,
}

/// When, how and on what a run ran.
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
    /// What it stands for.
    pub profile_about: String,
    /// `open` or `closed`.
    pub r#loop: &'static str,
    /// The HTTP spoken.
    pub protocol: String,
    /// Connections at most.
    pub connections: usize,
    /// The campaign applied for.
    pub campaign: String,
    /// Time to the last ending in seconds.
    pub elapsed_s: f64,
    /// Whether the run was stopped before its end.
    pub partial: bool,
}

/// Sessions by how they ended; `offered` is the sum of all others.
#[derive(Clone, Debug, Serialize)]
pub struct Sessions {
    /// Meant to start.
    pub offered: u64,
    /// Ended well.
    pub served: u64,
    /// Turned away, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Broken, by reason.
    pub failed: BTreeMap<String, u64>,
    /// Ended with a reply that was somebody else's.
    pub crossed: u64,
    /// Given up by their citizens, as the profile wants of some.
    pub abandoned: u64,
    /// Not started: too many were under way.
    pub overflowed: u64,
    /// Still under way at the end of the drain.
    pub unfinished: u64,
}

/// Receipts and how soon they came.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptFigures {
    /// All that came.
    pub count: u64,
    /// Wanted by the sessions offered: one each, a batch's lines, none of those who gave up.
    pub wanted: u64,
    /// A second, over the run.
    pub per_s: f64,
    /// Within `timely_ms`.
    pub timely: u64,
    /// What is in time.
    pub timely_ms: u64,
    /// Timely ones by those wanted.
    pub goodput: f64,
    /// Sessions that read their decision.
    pub decided: u64,
    /// Numbers given to two citizens.
    pub doubled: u64,
    /// Lines of batches with a problem instead, by reason.
    pub lines_refused: BTreeMap<String, u64>,
}

/// What some citizens did that a well-behaved one does not.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Conducts {
    /// Closed their connection in the middle of an application, then came back.
    pub cut_short: u64,
    /// Came back before `Retry-After` was over.
    pub impatient: u64,
    /// Entered again because their session was gone.
    pub entered_again: u64,
}

/// The owner check.
#[derive(Clone, Debug, Serialize)]
pub struct Owners {
    /// Checks made.
    pub checked: u64,
    /// Sessions that got what was another's.
    pub crossovers: u64,
    /// The first ones, masked.
    pub first: Vec<Crossover>,
}

/// A distribution of latencies in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct LatencyRow {
    /// What took them.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// Half are no longer.
    pub p50_ms: f64,
    /// Nine of ten are no longer.
    pub p90_ms: f64,
    /// 99 of 100 are no longer.
    pub p99_ms: f64,
    /// 999 of 1,000 are no longer.
    pub p99_9_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Share and latency, for the curve.
    pub curve: Vec<(f64, f64)>,
}

/// Replies of one status at one step.
#[derive(Clone, Debug, Serialize)]
pub struct StatusRow {
    /// The step.
    pub step: &'static str,
    /// The status.
    pub status: u16,
    /// How many.
    pub count: u64,
}

/// The server's own figures.
#[derive(Clone, Debug, Serialize)]
pub struct ServerFigures {
    /// Its books at the end.
    pub balance: Balance,
    /// Its commits during the run.
    pub commits: CommitFigures,
    /// Requests that it shed, by class and reason.
    pub shed: BTreeMap<String, f64>,
    /// What changed during the run, by sample.
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
    /// The facts of a run that began at `started_at`.
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
    let kind = if cfg!(debug_assertions) { "debug (slow: figures mean little)" } else { "release" };
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
            lag: LatencyRow::of("lag of the generator", &tally.lag),
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
