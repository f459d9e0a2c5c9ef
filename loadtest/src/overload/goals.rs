//! The goals under overload, and whether a surge reached them.

use serde::Serialize;

use super::figures::{PhaseFigures, SurgeFigures};
use crate::verdict::{Check, LAG_P99_MS_MAX};

/// Timely receipts at most this many times the capacity, by the capacity: at least the share beside it.
const GOODPUT_MIN: [(f64, f64); 2] = [(2.0, 0.95), (10.0, 0.8)];
/// Of the people let in, those who can finish.
const FINISHED_MIN: f64 = 1.0;
/// 99th percentile of submitting in the surge, by that before it.
const SLOWDOWN_MAX: f64 = 4.0;
/// Share of the server's CPU for people who are not let in.
const STRANGERS_MAX: f64 = 0.2;
/// Seconds until the latency is normal again.
const RECOVERY_S_MAX: f64 = 5.0;
/// 99th percentile of reading the metrics.
const METRICS_P99_MS_MAX: f64 = 50.0;

/// What was reached.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Reached {
    pub(super) passed: bool,
    /// Why the figures are invalid; empty when they are valid.
    pub(super) invalid: Vec<String>,
    pub(super) checks: Vec<Check>,
}

impl Reached {
    pub(super) fn by(surge: &SurgeFigures) -> Self {
        let checks = checks(surge);
        let invalid = invalid_because(surge);
        let passed = invalid.is_empty() && checks.iter().all(|check| check.holds);
        Self { passed, invalid, checks }
    }
}

fn invalid_because(surge: &SurgeFigures) -> Vec<String> {
    let lagging = surge.phases.iter().filter(|phase| phase.lag_p99_ms > LAG_P99_MS_MAX);
    lagging
        .map(|phase| {
            format!(
                "{}: the generator itself lagged, p99 {:.0} ms, allowed {LAG_P99_MS_MAX} ms",
                phase.label, phase.lag_p99_ms
            )
        })
        .collect()
}

fn checks(surge: &SurgeFigures) -> Vec<Check> {
    let over: Vec<_> = surge.phases.iter().filter(|phase| phase.multiple > 1.0).collect();
    let worst = |of: fn(&PhaseFigures) -> Option<f64>| {
        over.iter().filter_map(|phase| of(phase)).fold(None, |worst: Option<f64>, value| {
            Some(worst.map_or(value, |worst| worst.max(value)))
        })
    };
    let most = |name, allowed: f64, measured: Option<f64>| {
        let measured = measured.unwrap_or(f64::INFINITY);
        Check { name, allowed, measured, holds: measured <= allowed }
    };
    let mut checks: Vec<_> = over.iter().map(|phase| goodput(phase)).collect();
    let finished = surge.phases.iter().map(|phase| phase.finished_share).fold(1.0, f64::min);
    checks.push(Check {
        name: "of people let in, those who finished",
        allowed: FINISHED_MIN,
        measured: finished,
        holds: finished >= FINISHED_MIN,
    });
    let slowdown = surge.slowdown();
    let strangers = worst(|phase| phase.server.as_ref().map(|server| server.strangers_share));
    let metrics = worst(|phase| phase.server.as_ref().map(|server| server.metrics_p99_ms));
    let recovery = surge.recovery_s.map(crate::figures::real);
    checks.push(most("p99 of submitting, by that before", SLOWDOWN_MAX, slowdown));
    checks.push(most("CPU for people not let in, share", STRANGERS_MAX, strangers));
    checks.push(most("recovery, s", RECOVERY_S_MAX, recovery));
    checks.push(most("p99 of GET /metrics, ms", METRICS_P99_MS_MAX, metrics));
    checks
}

fn goodput(phase: &PhaseFigures) -> Check {
    let known = GOODPUT_MIN.iter().find(|(multiple, _)| phase.multiple <= *multiple);
    let (name, allowed) = match known {
        Some((2.0, allowed)) => ("timely goodput at 2 times, by capacity", *allowed),
        Some((_, allowed)) => ("timely goodput at 10 times, by capacity", *allowed),
        None => ("timely goodput beyond 10 times, by capacity", 0.0),
    };
    Check { name, allowed, measured: phase.goodput, holds: phase.goodput >= allowed }
}
