//! The verdict on a run: whether its figures are valid, and whether it reached the thresholds of its profile.

use serde::Serialize;

use crate::{
    figures,
    profile::{Offer, Profile, Thresholds},
    run::Outcome,
    tally::Tally,
};

/// Longest lag of the generator at the 99th percentile; beyond it, the run measured the generator.
pub const LAG_P99_MS_MAX: f64 = 50.0;

/// The verdict and its reasons.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// True when everything held and the figures are valid: exit code 0.
    pub passed: bool,
    /// True when everybody got what is theirs, the server's books balance and the thresholds hold.
    pub held: bool,
    /// Why the figures are invalid; empty when they are valid.
    pub invalid: Vec<String>,
    /// The thresholds of the profile.
    pub checks: Vec<Check>,
}

/// One threshold.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Name in the profile.
    pub name: &'static str,
    /// Allowed value.
    pub allowed: f64,
    /// Measured value.
    pub measured: f64,
    /// True when it holds.
    pub holds: bool,
}

impl Verdict {
    /// The verdict on `outcome` under the thresholds of `profile`.
    pub(crate) fn on(outcome: &Outcome, profile: &Profile) -> Self {
        let tally = &outcome.tally;
        let mut invalid = invalid_because(tally, profile);
        if outcome.interrupted {
            let (ran, whole) = (outcome.elapsed.as_secs_f64(), profile.length().as_secs_f64());
            invalid.push(format!(
                "partial: stopped after {ran:.1} s of {whole:.1} s; the figures cover that time"
            ));
        }
        let checks = checks(outcome, &profile.thresholds);
        let owned = tally.crossed == 0 && outcome.receipts_doubled == 0;
        let balanced = outcome.server.as_ref().is_none_or(|(_, after)| after.balance().holds);
        let held = owned && balanced && checks.iter().all(|check| check.holds);
        Self { passed: held && invalid.is_empty(), held, invalid, checks }
    }
}

fn invalid_because(tally: &Tally, profile: &Profile) -> Vec<String> {
    let mut reasons = Vec::new();
    let lag_ms = tally.lag.quantile_ms(0.99);
    if matches!(profile.offer, Offer::Open { .. }) && lag_ms > LAG_P99_MS_MAX {
        reasons.push(format!(
            "the generator itself lagged: p99 {} ms, allowed {LAG_P99_MS_MAX} ms; \
             lower the rate, add --threads, or give the generator its own cores",
            figures::millis_text(lag_ms)
        ));
    }
    if tally.overflowed > 0 {
        reasons.push(format!(
            "{} sessions were not started because too many were open",
            figures::grouped(tally.overflowed)
        ));
    }
    let accounted = tally.served
        + tally.refused.total()
        + tally.failed.total()
        + tally.crossed
        + tally.abandoned
        + tally.overflowed
        + tally.unfinished;
    if accounted != tally.offered {
        reasons.push(format!(
            "{} sessions were offered, but {} were counted at their end: this is a bug of surge",
            figures::grouped(tally.offered),
            figures::grouped(accounted)
        ));
    }
    if tally.offered == 0 {
        reasons.push("no session was offered".to_owned());
    }
    reasons
}

fn checks(outcome: &Outcome, thresholds: &Thresholds) -> Vec<Check> {
    let tally = &outcome.tally;
    let most = |name, allowed: Option<f64>, measured| {
        allowed.map(|allowed| Check { name, allowed, measured, holds: measured <= allowed })
    };
    let least = |name, allowed: Option<f64>, measured| {
        allowed.map(|allowed| Check { name, allowed, measured, holds: measured >= allowed })
    };
    // A session that never ended failed its citizen as much as one that broke.
    let failures = figures::real(tally.failed.total() + tally.unfinished);
    let (submit, session) = (tally.submit.quantile_ms(0.99), tally.session.quantile_ms(0.99));
    let checks = [
        most("p99_submit_ms_max", thresholds.p99_submit_ms_max, submit),
        most("p99_session_ms_max", thresholds.p99_session_ms_max, session),
        most("failures_max", thresholds.failures_max.map(figures::real), failures),
        least("goodput_min", thresholds.goodput_min, outcome.goodput()),
        least("receipts_per_s_min", thresholds.receipts_per_s_min, outcome.receipts_per_s()),
    ];
    checks.into_iter().flatten().collect()
}
