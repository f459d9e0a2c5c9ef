//! The goals under overload, and whether the runs reached them.

use serde::Serialize;

use super::figures::{PhaseFigures, SurgeFigures};
use crate::{
    figures::real,
    verdict::{Check, LAG_P99_MS_MAX},
};

/// Timely receipts by the capacity while at most this many times the capacity is offered, and their least share.
const GOODPUT: [(f64, Goal); 2] = [
    (2.0, Goal::least("timely goodput at 2 times, by capacity", 0.95)),
    (10.0, Goal::least("timely goodput at 10 times, by capacity", 0.8)),
];
const FINISHED: Goal = Goal::least("of people let in, those who finished", 1.0);
const SLOWDOWN: Goal = Goal::most("p99 of submitting, by that before", 4.0);
const STRANGERS: Goal = Goal::most("share of CPU for people not let in", 0.2);
const RECOVERY: Goal = Goal::most("seconds until normal latency", 5.0);
const METRICS: Goal = Goal::most("p99 of GET /metrics, ms", 50.0);
const CONSOLE: Goal = Goal::most("p99 of the console, ms", 50.0);

/// Timely receipts by the capacity beyond which the capacity was not the capacity.
const GOODPUT_MAX: f64 = 1.15;

/// One goal.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Goal {
    name: &'static str,
    allowed: f64,
    is_least: bool,
}

/// Whether the goals were reached.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Reached {
    /// True when all goals were reached and the figures are valid.
    pub(super) passed: bool,
    /// Why the figures are invalid; empty when they are valid.
    pub(super) invalid: Vec<String>,
    /// Each goal with what was measured; infinite when it could not be measured.
    pub(super) checks: Vec<Check>,
}

impl Goal {
    const fn least(name: &'static str, allowed: f64) -> Self {
        Self { name, allowed, is_least: true }
    }

    const fn most(name: &'static str, allowed: f64) -> Self {
        Self { name, allowed, is_least: false }
    }

    /// What was not measured misses its goal.
    fn check(self, measured: Option<f64>) -> Check {
        let Self { name, allowed, is_least } = self;
        let missing = if is_least { 0.0 } else { f64::INFINITY };
        let measured = measured.unwrap_or(missing);
        let holds = if is_least { measured >= allowed } else { measured <= allowed };
        Check { name, allowed, measured, holds }
    }
}

impl Reached {
    /// By the medians of `runs`; nobody let in may be lost in any of them.
    pub(super) fn by(runs: &[&SurgeFigures]) -> Self {
        let goals = runs.first().map(|run| measured(run)).unwrap_or_default();
        let of_all: Vec<_> = runs.iter().map(|run| measured(run)).collect();
        let checks = goals.iter().enumerate().map(|(place, (goal, _))| {
            let values: Vec<_> = of_all.iter().filter_map(|run| run.get(place)?.1).collect();
            let is_whole = values.len() == runs.len();
            let value = if *goal == FINISHED {
                values.into_iter().reduce(f64::min)
            } else {
                median(values)
            };
            goal.check(value.filter(|_| is_whole))
        });
        let checks: Vec<_> = checks.collect();
        let invalid: Vec<_> = runs.iter().flat_map(|run| invalid_because(run)).collect();
        let passed = invalid.is_empty() && checks.iter().all(|check| check.holds);
        Self { passed, invalid, checks }
    }
}

/// The goals with what one run measured.
fn measured(surge: &SurgeFigures) -> Vec<(Goal, Option<f64>)> {
    let over: Vec<_> = surge.phases.iter().filter(|phase| phase.multiple > 1.0).collect();
    let worst = |of: fn(&PhaseFigures) -> Option<f64>| {
        over.iter()
            .map(|phase| of(phase))
            .try_fold(0.0, |worst: f64, value| Some(worst.max(value?)))
    };
    let goodput = over.iter().filter_map(|phase| {
        let (_, goal) = GOODPUT.iter().find(|(multiple, _)| phase.multiple <= *multiple)?;
        Some((*goal, Some(phase.goodput)))
    });
    let strangers = worst(|phase| phase.server.as_ref()?.cpu_shares.map(|shares| shares[0]));
    let metrics = worst(|phase| phase.server.as_ref().map(|server| server.metrics_p99_ms));
    let console = worst(|phase| phase.server.as_ref().map(|server| server.console_p99_ms));
    let rest = [
        (FINISHED, Some(surge.finished_share)),
        (SLOWDOWN, surge.slowdown()),
        (STRANGERS, strangers),
        (RECOVERY, surge.recovery_s.map(real)),
        (METRICS, metrics),
        (CONSOLE, console),
    ];
    goodput.chain(rest).collect()
}

fn invalid_because(surge: &SurgeFigures) -> Vec<String> {
    let lagging = surge.phases.iter().filter(|phase| phase.lag_p99_ms > LAG_P99_MS_MAX);
    let mut reasons: Vec<_> = lagging
        .map(|phase| {
            format!(
                "{}: the generator itself lagged, p99 {:.0} ms, allowed {LAG_P99_MS_MAX} ms; \
                 add --threads, or give the generator its own cores",
                phase.label, phase.lag_p99_ms
            )
        })
        .collect();
    let above = surge.phases.iter().filter(|phase| phase.goodput > GOODPUT_MAX);
    reasons.extend(above.map(|phase| {
        format!(
            "{}: {:.1} timely receipts a second are more than the capacity of {:.1}, which is too low",
            phase.label, phase.timely_per_s, surge.capacity
        )
    }));
    if surge.not_started > 0 {
        reasons.push(format!(
            "{} people did not come because one thread had too many: add --threads",
            surge.not_started
        ));
    }
    if surge.crossovers > 0 {
        reasons.push(format!("{} replies belonged to somebody else", surge.crossovers));
    }
    reasons
}

/// The median; the mean of the middle two of an even number.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) =
        (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}

#[cfg(test)]
mod tests {
    use super::{FINISHED, RECOVERY, Reached, SLOWDOWN, STRANGERS, median};
    use crate::overload::figures::{PhaseFigures, ServerPhase, SurgeFigures};

    fn surge(goodput: f64, recovery_s: Option<u64>) -> SurgeFigures {
        let phase = |label: &str, multiple: f64, goodput: f64, submit_p99_ms: f64| PhaseFigures {
            label: label.to_owned(),
            multiple,
            goodput,
            submit_p99_ms,
            server: Some(ServerPhase {
                cpu_shares: Some([0.1, 0.3, 0.6]),
                metrics_p99_ms: 5.0,
                console_p99_ms: 5.0,
                ..ServerPhase::default()
            }),
            ..PhaseFigures::default()
        };
        SurgeFigures {
            phases: vec![
                phase("before", 0.5, 0.5, 10.0),
                phase("2 times", 2.0, 0.96, 20.0),
                phase("10 times", 10.0, goodput, 30.0),
                phase("after", 0.5, 0.9, 12.0),
            ],
            recovery_s,
            finished_share: 1.0,
            ..SurgeFigures::default()
        }
    }

    fn missed(runs: &[&SurgeFigures]) -> Vec<&'static str> {
        let reached = Reached::by(runs);
        assert_eq!(
            reached.passed,
            reached.checks.iter().all(|one| one.holds) && reached.invalid.is_empty()
        );
        reached.checks.iter().filter(|check| !check.holds).map(|check| check.name).collect()
    }

    #[test]
    fn all_goals_are_checked_in_the_phases_that_they_are_about() {
        assert_eq!(missed(&[&surge(0.85, Some(2))]), [""; 0]);
        assert_eq!(missed(&[&surge(0.75, Some(2))]), ["timely goodput at 10 times, by capacity"]);
        let mut slow = surge(0.85, Some(6));
        slow.phases[2].submit_p99_ms = 41.0;
        assert_eq!(missed(&[&slow]), [SLOWDOWN.name, RECOVERY.name]);
        let mut shed = surge(0.85, Some(2));
        shed.finished_share = 0.999;
        assert_eq!(missed(&[&shed]), [FINISHED.name]);
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let mut unknown = surge(0.85, None);
        unknown.phases[1].server = Some(ServerPhase::default());
        assert_eq!(missed(&[&unknown]), [STRANGERS.name, RECOVERY.name]);
    }

    #[test]
    fn several_runs_count_by_their_medians_and_nobody_is_lost_in_any() {
        let (good, poor) = (surge(0.85, Some(2)), surge(0.5, Some(60)));
        assert_eq!(missed(&[&good, &poor, &good]), [""; 0]);
        let mut shed = good.clone();
        shed.finished_share = 0.99;
        assert_eq!(missed(&[&good, &shed, &good]), [FINISHED.name]);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_generator_that_lagged_measured_itself() {
        let mut lagging = surge(0.85, Some(2));
        lagging.phases[2].lag_p99_ms = 51.0;
        let reached = Reached::by(&[&lagging]);
        assert!(!reached.passed && reached.invalid.len() == 1, "{reached:?}");
        assert!(reached.invalid[0].starts_with("10 times: the generator itself lagged"));
    }

    #[test]
    fn a_capacity_that_is_exceeded_was_none() {
        let reached = Reached::by(&[&surge(1.2, Some(2))]);
        assert!(!reached.passed && reached.invalid[0].starts_with("10 times:"), "{reached:?}");
    }
}
