//! A surge in figures: what people got in each phase, and what the server used for it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    course::{Part, surge_end},
    crowd::Played,
    probe::Reading,
};
use crate::{
    figures::{millis, real, real_len, share, whole},
    operator::Samples,
    tally::Stretch,
};

/// The latency is normal again when the 99th percentile over one second is at most this many times that before.
const NORMAL: f64 = 1.5;
/// Seconds after the surge in which the lag of the generator does not count: closing the connections of those who go
/// home keeps it busy. It makes latencies look longer, never shorter.
const GOING_HOME_S: usize = 4;
/// Least receipts of a second, by the capacity, for its latency to count.
const RECEIPTS_MIN: f64 = 0.25;

/// A surge in figures.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct SurgeFigures {
    /// Whole visits a second that the server can take.
    pub(super) capacity: f64,
    /// The phases in order.
    pub(super) phases: Vec<PhaseFigures>,
    /// Seconds from the end of the surge until the latency was normal again; `None` if it was not.
    pub(super) recovery_s: Option<u64>,
    /// Of the people let in, those who finished. People still inside at the end count as not finished, unless they
    /// think between two steps.
    pub(super) finished_share: f64,
    /// People inside when the run ended.
    pub(super) inside_at_end: u64,
    /// People who did not come because a generator thread had too many.
    pub(super) not_started: u64,
    /// Replies that belonged to somebody else, and receipt numbers of two people.
    pub(super) crossovers: u64,
    /// CPU seconds of the generator, of everything else on the machine with the server, and taken by the hypervisor.
    pub(super) generator_cpu_s: f64,
    pub(super) others_cpu_s: f64,
    pub(super) steal_s: f64,
    /// Resident memory of the server at the end, if it runs on this machine.
    pub(super) server_resident_bytes: Option<u64>,
}

/// One phase in figures.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct PhaseFigures {
    /// Its name in the profile.
    pub(super) label: String,
    /// Offered rate by the capacity.
    pub(super) multiple: f64,
    /// Its length.
    pub(super) seconds: f64,
    /// People who came, and people let in, a second.
    pub(super) offered_per_s: f64,
    pub(super) let_in_per_s: f64,
    /// Receipts a second; those within the profile's `timely_ms`; and these by the capacity.
    pub(super) receipts_per_s: f64,
    pub(super) timely_per_s: f64,
    pub(super) goodput: f64,
    /// Of the people let in whose visit ended in this phase, those who finished, and how many did not.
    pub(super) finished_share: f64,
    pub(super) lost: u64,
    /// Latency of submitting.
    pub(super) submit_p50_ms: f64,
    pub(super) submit_p99_ms: f64,
    /// The generator's own lag.
    pub(super) lag_p99_ms: f64,
    /// Requests tried again, by place and reason.
    pub(super) again: BTreeMap<String, u64>,
    /// What the server says; `None` if its metrics did not come.
    pub(super) server: Option<ServerPhase>,
}

/// What the server says about itself in one phase.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ServerPhase {
    /// Shares of its CPU time: people outside, entering, people inside; `None` if it does not tell them apart.
    pub(super) cpu_shares: Option<[f64; 3]>,
    /// CPU time of its own code and of the kernel on its behalf, cores.
    pub(super) user_cores: f64,
    pub(super) system_cores: f64,
    /// Means of the gauges of admission.
    pub(super) admission_rate: f64,
    pub(super) admission_trim: f64,
    /// Gauges at the end of the phase.
    pub(super) waiting: f64,
    pub(super) sessions: f64,
    pub(super) connections: f64,
    /// 99th percentile of reading the metrics and the console, and readings that failed.
    pub(super) metrics_p99_ms: f64,
    pub(super) metrics_failed: u64,
    pub(super) console_p99_ms: f64,
    pub(super) console_failed: u64,
}

impl SurgeFigures {
    /// The figures of `played`, whose people finish within the drain unless they think.
    pub(super) fn of(
        played: &Played,
        parts: &[Part],
        capacity: f64,
        readings: &[Reading],
        people_think: bool,
    ) -> Self {
        let tally = &played.tally;
        let (end, doors_close) =
            (surge_end(parts), parts.last().map_or(0, |part| part.seconds.end));
        let figures = |part: &Part| {
            let is_after = end == Some(part.seconds.start);
            let lag_from = part.seconds.start + if is_after { GOING_HOME_S } else { 0 };
            let lag = tally.timeline.span(lag_from..part.seconds.end).figures.lag_p99_us;
            PhaseFigures {
                lag_p99_ms: millis(lag),
                ..PhaseFigures::of(played, part, capacity, readings)
            }
        };
        let phases: Vec<_> = parts.iter().map(figures).collect();
        let stretches = tally.timeline.stretches();
        let before_ms = before(&phases).map(|phase| phase.submit_p99_ms);
        let recovery_s = end.zip(before_ms).and_then(|(end, before_ms)| {
            recovery(stretches.get(end..doors_close.min(stretches.len()))?, before_ms, capacity)
        });
        let inside_at_end = tally.let_in - tally.left;
        let lost: u64 = stretches.iter().map(|one| one.lost).sum();
        let counted = tally.left + if people_think { 0 } else { inside_at_end };
        Self {
            capacity,
            phases,
            recovery_s,
            finished_share: finished(tally.left - lost, counted),
            inside_at_end,
            not_started: tally.overflowed,
            crossovers: tally.crossed + played.receipts_doubled,
            generator_cpu_s: played.cpu.generator_s,
            others_cpu_s: played.cpu.others_s,
            steal_s: played.cpu.steal_s,
            server_resident_bytes: played.server.map(|server| server.resident_bytes),
        }
    }

    /// 99th percentile of submitting in the busiest phase, by that before the surge.
    pub(super) fn slowdown(&self) -> Option<f64> {
        let busiest = self.phases.iter().max_by(|a, b| a.multiple.total_cmp(&b.multiple))?;
        let before = before(&self.phases)?.submit_p99_ms;
        (before > 0.0).then(|| busiest.submit_p99_ms / before)
    }
}

/// The last phase below the capacity before the surge.
fn before(phases: &[PhaseFigures]) -> Option<&PhaseFigures> {
    phases.iter().take_while(|phase| phase.multiple <= 1.0).last()
}

/// Seconds from the end of the surge until the first one with normal latency.
fn recovery(after: &[Stretch], before_ms: f64, capacity: f64) -> Option<u64> {
    let is_normal = |one: &Stretch| {
        real(one.receipts) >= RECEIPTS_MIN * capacity
            && millis(one.submit_p99_us) <= NORMAL * before_ms
    };
    // A server that serves a few of those before and then nobody has not recovered.
    let serves_on = |from: usize| {
        let rest = after.get(from..).unwrap_or_default();
        let receipts = real(rest.iter().map(|one| one.receipts).sum());
        receipts >= RECEIPTS_MIN * capacity * real_len(rest.len())
    };
    let first = (0..).zip(after).find(|(from, one)| is_normal(one) && serves_on(*from));
    first.map(|(from, _)| from as u64)
}

fn finished(finished: u64, of: u64) -> f64 {
    if of == 0 { 1.0 } else { share(finished, of) }
}

impl PhaseFigures {
    fn of(played: &Played, part: &Part, capacity: f64, readings: &[Reading]) -> Self {
        let timeline = &played.tally.timeline;
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
            finished_share: finished(one.left - one.lost, one.left),
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
    /// `None` without a page in the phase.
    fn of(begin: Instant, part: &Part, readings: &[Reading]) -> Option<Self> {
        let at = |seconds: usize| begin + Duration::from_secs(seconds as u64);
        let within = at(part.seconds.start)..at(part.seconds.end);
        let own: Vec<_> = readings.iter().filter(|one| within.contains(&one.at)).collect();
        let pages: Vec<_> = own.iter().filter_map(|one| one.samples.as_ref()).collect();
        let last = pages.last()?;
        // What was used since the reading before the phase, so that a reading a second covers all of it.
        let mut earlier =
            readings.iter().filter(|one| one.at < within.start && one.samples.is_some());
        let first = earlier.next_back().unwrap_or(own.first()?);
        let mean = |name: &str| {
            pages.iter().map(|page| page.sum(name, "")).sum::<f64>() / real_len(pages.len())
        };
        let consoles: Vec<_> = own.iter().filter_map(|one| one.console_took).collect();
        let (user_cores, system_cores) = cores(first, own.last()?);
        Some(Self {
            cpu_shares: first.samples.as_ref().and_then(|first| cpu_shares(first, last)),
            user_cores,
            system_cores,
            admission_rate: mean("sportello_admission_rate"),
            admission_trim: mean("sportello_admission_trim"),
            waiting: last.sum("sportello_waiting", ""),
            sessions: last.sum("sportello_sessions", ""),
            connections: last.sum("sportello_connections", ""),
            metrics_p99_ms: p99_ms(own.iter().map(|one| one.took).collect()),
            metrics_failed: (own.len() - pages.len()) as u64,
            console_failed: (own.len() - consoles.len()) as u64,
            console_p99_ms: p99_ms(consoles),
        })
    }
}

/// CPU seconds since the start of the server: for people outside, for entering, for people inside.
pub(super) fn cpu_seconds(page: &Samples) -> [f64; 3] {
    ["strangers", "entering", "inside"]
        .map(|purpose| page.sum("sportello_cpu_seconds", &format!("purpose=\"{purpose}\"")))
}

fn cpu_shares(first: &Samples, last: &Samples) -> Option<[f64; 3]> {
    let (earlier, later) = (cpu_seconds(first), cpu_seconds(last));
    let used = [0, 1, 2].map(|purpose: usize| later[purpose] - earlier[purpose]);
    let all: f64 = used.iter().sum();
    (all > 0.0).then(|| used.map(|seconds| seconds / all))
}

/// CPU time between two readings by the process' own code and by the kernel, cores.
fn cores(first: &Reading, last: &Reading) -> (f64, f64) {
    let (Some(then), Some(now)) = (first.process, last.process) else { return (0.0, 0.0) };
    let seconds = last.at.saturating_duration_since(first.at).as_secs_f64().max(f64::MIN_POSITIVE);
    ((now.user_s - then.user_s) / seconds, (now.system_s - then.system_s) / seconds)
}

fn p99_ms(mut took: Vec<Duration>) -> f64 {
    took.sort();
    quantile(&took, 0.99).as_secs_f64() * 1e3
}

/// The quantile at `share` of sorted values.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let rank = whole((share * real_len(sorted.len())).ceil()).max(1) as usize;
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{cpu_shares, quantile, recovery};
    use crate::{operator::Samples, tally::Stretch};

    #[test]
    fn recovery_ends_with_the_first_second_of_normal_latency_in_which_people_are_served() {
        let second =
            |receipts, submit_p99_us| Stretch { receipts, submit_p99_us, ..Stretch::default() };
        let after = [second(90, 40_000), second(2, 5_000), second(90, 15_001), second(90, 15_000)];
        assert_eq!(recovery(&after, 10.0, 100.0), Some(3));
        assert_eq!(recovery(&after[3..], 10.0, 100.0), Some(0));
        assert_eq!(recovery(&after[..3], 10.0, 100.0), None);
        let then_nobody = [[second(90, 9_000)].as_slice(), &[second(0, 0); 9]].concat();
        assert_eq!(recovery(&then_nobody, 10.0, 100.0), None);
    }

    #[test]
    fn shares_of_cpu_are_those_of_the_phase() {
        let page = |strangers, entering, inside| {
            let purpose =
                |name, value: f64| format!("sportello_cpu_seconds{{purpose=\"{name}\"}} {value}\n");
            Samples::parse(
                &[
                    purpose("strangers", strangers),
                    purpose("entering", entering),
                    purpose("inside", inside),
                ]
                .concat(),
            )
        };
        let shares = cpu_shares(&page(5.0, 1.0, 2.0), &page(6.0, 2.0, 4.0)).expect("it used some");
        assert!((shares[0] - 0.25).abs() < 1e-9 && (shares[2] - 0.5).abs() < 1e-9);
        assert_eq!(cpu_shares(&Samples::default(), &Samples::default()), None);
    }

    #[test]
    fn the_99th_percentile_of_few_readings_is_the_longest() {
        let readings: Vec<_> = (1..=60).map(Duration::from_millis).collect();
        assert_eq!(quantile(&readings, 0.99), Duration::from_millis(60));
        assert_eq!(quantile(&readings, 0.5), Duration::from_millis(30));
        assert_eq!(quantile(&[], 0.99), Duration::ZERO);
    }
}
