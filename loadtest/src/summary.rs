//! A run in figures, and the verdict on it; text, JSON and HTML are three views of this.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    figures,
    machine::{CpuUse, Machine},
    operator::Balance,
    owner::Crossover,
    profile::{Offer, Profile, Thresholds},
    run::Outcome,
    tally::{Latencies, Step, Stretch, Tally},
};

/// The generator may lag this much at the 99th percentile; beyond it, it measured itself.
pub const LAG_P99_MS_MAX: f64 = 50.0;

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
    /// CPU time during the run.
    pub cpu: CpuUse,
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
    pub protocol: &'static str,
    /// Connections at most.
    pub connections: usize,
    /// The campaign applied for.
    pub campaign_year: u16,
    /// Time to the last ending in seconds.
    pub elapsed_s: f64,
}

/// The verdict and its grounds.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Whether all held: exit code 0.
    pub passed: bool,
    /// Why the figures may not be believed; empty if they may.
    pub invalid: Vec<String>,
    /// The profile's thresholds.
    pub checks: Vec<Check>,
}

/// One threshold.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its name in the profile.
    pub name: &'static str,
    /// What is allowed.
    pub allowed: f64,
    /// What was measured.
    pub measured: f64,
    /// Whether it holds.
    pub holds: bool,
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
    /// A second, over the run.
    pub per_s: f64,
    /// Within `timely_ms`.
    pub timely: u64,
    /// What is in time.
    pub timely_ms: u64,
    /// Timely ones by sessions offered.
    pub goodput: f64,
    /// Sessions that read their decision.
    pub decided: u64,
    /// Numbers given to two citizens.
    pub doubled: u64,
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

impl Summary {
    /// The figures of `outcome` under `profile`.
    #[must_use]
    pub fn of(outcome: &Outcome, profile: &Profile, about: About) -> Self {
        let tally = &outcome.tally;
        let rows = [
            ("enter", &tally.enter),
            ("submit", &tally.submit),
            ("read", &tally.read),
            ("whole session", &tally.session),
            ("refusal", &tally.refusal),
        ];
        let measured = rows.into_iter().filter(|(_, latencies)| latencies.count() > 0);
        let receipts = receipt_figures(outcome, profile);
        let server = outcome.server.as_ref().map(|(before, after)| ServerFigures {
            balance: after.balance(),
            changed: after.changed_since(before),
        });
        let verdict = Verdict::on(tally, &receipts, server.as_ref(), profile);
        Self {
            about,
            verdict,
            sessions: Sessions {
                offered: tally.offered,
                served: tally.served,
                refused: tally.refused.by_reason().clone(),
                failed: tally.failed.by_reason().clone(),
                crossed: tally.crossed,
                overflowed: tally.overflowed,
                unfinished: tally.unfinished,
            },
            receipts,
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
            cpu: outcome.cpu,
            stretch_s: tally.timeline.stretch.as_secs_f64(),
            timeline: tally.timeline.stretches.clone(),
            server,
        }
    }
}

fn receipt_figures(outcome: &Outcome, profile: &Profile) -> ReceiptFigures {
    let tally = &outcome.tally;
    ReceiptFigures {
        count: tally.receipts,
        per_s: outcome.receipts_per_s(),
        timely: tally.timely,
        timely_ms: profile.thresholds.timely_ms,
        goodput: figures::share(tally.timely, tally.offered),
        decided: tally.decided,
        doubled: outcome.receipts_doubled,
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

impl Verdict {
    fn on(
        tally: &Tally,
        receipts: &ReceiptFigures,
        server: Option<&ServerFigures>,
        profile: &Profile,
    ) -> Self {
        let invalid = invalid_because(tally, profile);
        let checks = checks(tally, receipts, &profile.thresholds);
        let owned = tally.crossed == 0 && receipts.doubled == 0;
        let balanced = server.is_none_or(|server| server.balance.holds);
        let held = checks.iter().all(|check| check.holds);
        Self { passed: owned && balanced && held && invalid.is_empty(), invalid, checks }
    }
}

fn invalid_because(tally: &Tally, profile: &Profile) -> Vec<String> {
    let mut grounds = Vec::new();
    let lag_ms = tally.lag.quantile_ms(0.99);
    if matches!(profile.offer, Offer::Open { .. }) && lag_ms > LAG_P99_MS_MAX {
        grounds.push(format!(
            "the generator itself lagged: p99 {} ms, allowed {LAG_P99_MS_MAX} ms; \
             lower the rate, add --threads, or give it cores of its own",
            figures::millis_text(lag_ms)
        ));
    }
    if tally.overflowed > 0 {
        grounds.push(format!(
            "{} sessions were not started because too many were under way",
            figures::grouped(tally.overflowed)
        ));
    }
    let accounted = tally.served
        + tally.refused.total()
        + tally.failed.total()
        + tally.crossed
        + tally.overflowed
        + tally.unfinished;
    if accounted != tally.offered {
        grounds.push(format!(
            "{} sessions were offered and {} accounted for, which is a bug of surge",
            figures::grouped(tally.offered),
            figures::grouped(accounted)
        ));
    }
    if tally.offered == 0 {
        grounds.push("nothing was offered".to_owned());
    }
    grounds
}

fn checks(tally: &Tally, receipts: &ReceiptFigures, thresholds: &Thresholds) -> Vec<Check> {
    let most = |name, allowed: Option<f64>, measured| {
        allowed.map(|allowed| Check { name, allowed, measured, holds: measured <= allowed })
    };
    let least = |name, allowed: Option<f64>, measured| {
        allowed.map(|allowed| Check { name, allowed, measured, holds: measured >= allowed })
    };
    // A session that never came back has failed its citizen as much as one that broke.
    let failures = figures::real(tally.failed.total() + tally.unfinished);
    let (submit, session) = (tally.submit.quantile_ms(0.99), tally.session.quantile_ms(0.99));
    let checks = [
        most("p99_submit_ms_max", thresholds.p99_submit_ms_max, submit),
        most("p99_session_ms_max", thresholds.p99_session_ms_max, session),
        most("failures_max", thresholds.failures_max.map(figures::real), failures),
        least("goodput_min", thresholds.goodput_min, receipts.goodput),
        least("receipts_per_s_min", thresholds.receipts_per_s_min, receipts.per_s),
    ];
    checks.into_iter().flatten().collect()
}
