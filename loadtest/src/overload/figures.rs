//! A surge in figures, by phase.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{course::Part, probe::Reading};
use crate::{
    figures::{millis, real, real_len, share},
    operator::Samples,
    run::Outcome,
    tally::Stretch,
};

/// Purposes in the label of `sportello_cpu_seconds`.
const PURPOSES: [&str; 3] = ["strangers", "entering", "inside"];

/// One phase in figures.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct PhaseFigures {
    pub(super) label: String,
    pub(super) multiple: f64,
    pub(super) seconds: f64,
    pub(super) offered_per_s: f64,
    pub(super) let_in_per_s: f64,
    pub(super) receipts_per_s: f64,
    /// Receipts within the timely bound, a second.
    pub(super) timely_per_s: f64,
    /// The same by the capacity.
    pub(super) goodput: f64,
    /// Of the people let in whose visit ended, those who finished.
    pub(super) finished_share: f64,
    /// People let in who were refused, or whose visit failed.
    pub(super) lost: u64,
    pub(super) submit_p50_ms: f64,
    pub(super) submit_p99_ms: f64,
    pub(super) lag_p99_ms: f64,
    /// Requests tried again, by place and reason.
    pub(super) again: BTreeMap<String, u64>,
    pub(super) server: Option<ServerPhase>,
}

/// What the server says about itself in one phase.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ServerPhase {
    /// Shares of its CPU time: people outside, entering, people inside.
    pub(super) strangers_share: f64,
    pub(super) entering_share: f64,
    pub(super) inside_share: f64,
    /// CPU time of its own code, cores.
    pub(super) user_cores: f64,
    /// CPU time of the kernel on its behalf, cores.
    pub(super) system_cores: f64,
    /// Means of the gauges.
    pub(super) admission_rate: f64,
    pub(super) admission_trim: f64,
    /// At the end of the phase.
    pub(super) waiting: f64,
    pub(super) sessions: f64,
    pub(super) connections: f64,
    /// 99th percentile of reading the metrics page.
    pub(super) metrics_p99_ms: f64,
    /// Pages that did not come.
    pub(super) metrics_failed: u64,
}

/// A surge in figures.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SurgeFigures {
    /// Whole visits a second.
    pub(super) capacity: f64,
    pub(super) phases: Vec<PhaseFigures>,
    /// Seconds from the end of the surge until the latency was normal again; `None` if it was not.
    pub(super) recovery_s: Option<u64>,
    /// People inside when the run ended.
    pub(super) inside_at_end: u64,
}

/// The latency is normal again when the 99th percentile over one interval is at most this many times that before.
const NORMAL: f64 = 1.5;
/// Least receipts of an interval, by the capacity, for its latency to count.
const RECEIPTS_MIN: f64 = 0.25;

impl SurgeFigures {
    pub(super) fn of(
        outcome: &Outcome,
        parts: &[Part],
        capacity: f64,
        readings: &[Reading],
    ) -> Self {
        let figures = |part: &Part| PhaseFigures::of(outcome, part, capacity, readings);
        let phases: Vec<_> = parts.iter().map(figures).collect();
        let over = parts.iter().filter(|part| part.multiple > 1.0).map(|part| part.seconds.end);
        let before_ms = before(&phases).map(|phase| phase.submit_p99_ms);
        let recovery_s = over.max().zip(before_ms).and_then(|(end, before_ms)| {
            recovery(outcome.tally.timeline.stretches().get(end..)?, before_ms, capacity)
        });
        let inside_at_end = outcome.tally.let_in - outcome.tally.left;
        Self { capacity, phases, recovery_s, inside_at_end }
    }

    /// 99th percentile of submitting in the worst phase above the capacity, by that before the surge.
    pub(super) fn slowdown(&self) -> Option<f64> {
        let over = self.phases.iter().filter(|phase| phase.multiple > 1.0);
        let worst = over.map(|phase| phase.submit_p99_ms).reduce(f64::max)?;
        let before = before(&self.phases)?.submit_p99_ms;
        (before > 0.0).then(|| worst / before)
    }
}

/// The last phase below the capacity before the surge.
fn before(phases: &[PhaseFigures]) -> Option<&PhaseFigures> {
    phases.iter().take_while(|phase| phase.multiple <= 1.0).last()
}

/// Intervals from the end of the surge until the first one with normal latency.
fn recovery(after: &[Stretch], before_ms: f64, capacity: f64) -> Option<u64> {
    let is_normal = |one: &Stretch| {
        real(one.receipts) >= RECEIPTS_MIN * capacity
            && millis(one.submit_p99_us) <= NORMAL * before_ms
    };
    (0_u64..).zip(after).find(|(_, one)| is_normal(one)).map(|(number, _)| number)
}

impl PhaseFigures {
    pub(super) fn of(outcome: &Outcome, part: &Part, capacity: f64, readings: &[Reading]) -> Self {
        let timeline = &outcome.tally.timeline;
        let span = timeline.span(part.seconds.clone());
        let one: Stretch = span.figures;
        let seconds = real_len(part.seconds.len());
        let per_s = |count: u64| real(count) / seconds;
        Self {
            label: part.label.clone(),
            multiple: part.multiple,
            seconds,
            offered_per_s: per_s(one.offered),
            let_in_per_s: per_s(one.let_in),
            receipts_per_s: per_s(one.receipts),
            timely_per_s: per_s(one.timely),
            goodput: per_s(one.timely) / capacity,
            finished_share: if one.left == 0 { 1.0 } else { share(one.left - one.lost, one.left) },
            lost: one.lost,
            submit_p50_ms: millis(one.submit_p50_us),
            submit_p99_ms: millis(one.submit_p99_us),
            lag_p99_ms: millis(one.lag_p99_us),
            again: span.again,
            server: ServerPhase::of(timeline.begin(), part, readings),
        }
    }
}

impl ServerPhase {
    /// `None` without two readings of the metrics in the phase.
    fn of(begin: Instant, part: &Part, readings: &[Reading]) -> Option<Self> {
        let at = |seconds: usize| begin + Duration::from_secs(seconds as u64);
        let within = at(part.seconds.start)..at(part.seconds.end);
        let own: Vec<_> = readings.iter().filter(|one| within.contains(&one.at)).collect();
        let pages: Vec<_> =
            own.iter().filter_map(|one| Some((one.at, one.samples.as_ref()?))).collect();
        let ((_, first), (_, last)) = (pages.first()?, pages.last()?);
        let [strangers, entering, inside] =
            PURPOSES.map(|purpose| cpu(last, purpose) - cpu(first, purpose));
        let all = (strangers + entering + inside).max(f64::MIN_POSITIVE);
        let mean = |name: &str| {
            pages.iter().map(|(_, page)| page.sum(name, "")).sum::<f64>() / real_len(pages.len())
        };
        let mut took: Vec<_> = own.iter().map(|one| one.took).collect();
        took.sort();
        let (user_cores, system_cores) = cores(&own);
        Some(Self {
            strangers_share: strangers / all,
            entering_share: entering / all,
            inside_share: inside / all,
            user_cores,
            system_cores,
            admission_rate: mean("sportello_admission_rate"),
            admission_trim: mean("sportello_admission_trim"),
            waiting: last.sum("sportello_waiting", ""),
            sessions: last.sum("sportello_sessions", ""),
            connections: last.sum("sportello_connections", ""),
            metrics_p99_ms: quantile(&took, 0.99).as_secs_f64() * 1e3,
            metrics_failed: (own.len() - pages.len()) as u64,
        })
    }
}

fn cpu(page: &Samples, purpose: &str) -> f64 {
    page.sum("sportello_cpu_seconds", &format!("purpose=\"{purpose}\""))
}

fn cores(readings: &[&Reading]) -> (f64, f64) {
    let mut clocks = readings.iter().filter_map(|one| Some((one.at, one.process?)));
    let (Some((from, first)), Some((to, last))) = (clocks.next(), clocks.next_back()) else {
        return (0.0, 0.0);
    };
    let seconds = to.saturating_duration_since(from).as_secs_f64().max(f64::MIN_POSITIVE);
    ((last.user_s - first.user_s) / seconds, (last.system_s - first.system_s) / seconds)
}

/// The quantile at `share` of sorted values; the longest when there are too few to tell.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let rank = crate::figures::whole((share * real_len(sorted.len())).ceil()).max(1) as usize;
    sorted.get(rank - 1).or(sorted.last()).copied().unwrap_or_default()
}
