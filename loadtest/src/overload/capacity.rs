//! The capacity: the highest rate of whole visits that the server was seen to sustain.
//!
//! The rate rises until receipts come late or people wait long to be let in. A step beyond that shows what the server
//! sustains while more is offered: that counts too, because a server that lets people in by what it has measured is
//! slow to trust a sudden load.

use std::{thread, time::Duration};

use super::{args::OverloadArgs, crowd::Played, job::Conduct, stage::Stage};
use crate::{
    capacity::search::Search,
    fault::Fault,
    figures::{millis_text, real},
    interrupt::Watch,
    schedule::{Curve, Phase},
    verdict::LAG_P99_MS_MAX,
};

/// Rate of the first step, visits a second.
const RATE_FIRST: f64 = 50.0;
/// The rate of a step rises in these parts of it, so that a new server gets to know what a visit costs.
const RISE: [f64; 2] = [0.5, 0.75];
/// Length of each part of the rise, of the whole rate, and of its end, in which what is sustained is measured, seconds.
const RISE_S: u32 = 3;
const WHOLE_S: u32 = 14;
const MEASURED_S: u32 = 8;
const STEPS_MAX: u32 = 12;
/// Coarse, because what is sustained counts, and not the rate offered.
const PRECISION: f64 = 0.1;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Longest drain of a step.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// Least share of the receipts that are in time.
const TIMELY_MIN: f64 = 0.99;
/// Longest 99th percentile from the intended start to being let in.
const ENTER_P99_MS_MAX: f64 = 1000.0;
/// Attempts at a rate in which the generator itself lags.
const TRIES: u32 = 3;

/// Searches the capacity, visits a second; a server that was overloaded is replaced by a new one. `None` when stopped.
///
/// # Errors
///
/// When a step cannot be made, the generator lags, or the server serves nobody in time.
pub(super) fn find(
    args: &OverloadArgs,
    stage: &mut Stage,
    watch: &Watch,
) -> Result<Option<f64>, Fault> {
    let mut search = Search::new(RATE_FIRST, PRECISION, STEPS_MAX);
    let mut sustained: f64 = 0.0;
    while let Some(rate) = search.next_rate() {
        let Some(step) = unlagged(args, stage, rate, watch)? else { return Ok(None) };
        sustained = sustained.max(step.sustained);
        search.record(rate, step.held);
    }
    if sustained > 0.0 {
        return Ok(Some(sustained));
    }
    Err(Fault::Needs("the server served nobody in time, at no rate".to_owned()))
}

/// A step in figures.
#[derive(Clone, Copy, Debug)]
struct Step {
    rate: f64,
    /// Timely receipts a second; 0 if too many were late.
    sustained: f64,
    enter_p99_ms: f64,
    submit_p99_ms: f64,
    lag_p99_ms: f64,
    /// Server CPU of a finished visit.
    visit_us: f64,
    held: bool,
}

/// One step; again when the generator itself lagged, because that says nothing about the server.
fn unlagged(
    args: &OverloadArgs,
    stage: &mut Stage,
    rate: f64,
    watch: &Watch,
) -> Result<Option<Step>, Fault> {
    for _ in 0..TRIES {
        let played = play(args, stage, rate, watch);
        if watch.stop.is_given() {
            return Ok(None);
        }
        let played = played?;
        let step = Step::of(&played, rate);
        println!("{}", step.line());
        if step.held {
            stage.skip += played.people;
        } else {
            stage.renew(args)?;
        }
        if step.lag_p99_ms <= LAG_P99_MS_MAX {
            return Ok(Some(step));
        }
    }
    Err(Fault::Needs(format!(
        "the generator itself lags at {rate:.1} visits a second: give it its own cores, or more --threads"
    )))
}

fn play(args: &OverloadArgs, stage: &Stage, rate: f64, watch: &Watch) -> Result<Played, Fault> {
    let mut crowd = stage.crowd(args, DRAIN_MAX);
    // Pauses longer than a step cost the server no CPU, but nobody would finish within it.
    crowd.conduct = Conduct { think_ms: 0, ..crowd.conduct };
    let mut playing = crowd.start(rising(rate).phases())?;
    while !playing.is_over(&watch.stop) {
        thread::sleep(LOOK_EVERY);
    }
    playing.finish()
}

fn rising(rate: f64) -> Curve {
    let phase = |(part, seconds): (f64, u32)| Phase {
        label: "capacity".to_owned(),
        duration_s: f64::from(seconds),
        rate: part * rate,
    };
    let rise = RISE.map(|part| (part, RISE_S));
    Curve::new(rise.into_iter().chain([(1.0, WHOLE_S)]).map(phase).collect())
}

impl Step {
    fn of(played: &Played, rate: f64) -> Self {
        let tally = &played.tally;
        let end = RISE.len() * RISE_S as usize + WHOLE_S as usize;
        let measured = tally.timeline.span(end - MEASURED_S as usize..end).figures;
        let is_timely = real(tally.timely) >= TIMELY_MIN * real(tally.receipts);
        let sustained = real(measured.timely) / f64::from(MEASURED_S);
        let enter_p99_ms = tally.enter.quantile_ms(0.99);
        let lag_p99_ms = tally.lag.quantile_ms(0.99);
        let all_well = is_timely && tally.failed.total() + tally.crossed == 0;
        // Who is still outside at the end of the step is not among those who entered.
        let few_wait = enter_p99_ms <= ENTER_P99_MS_MAX && played.goodput() >= TIMELY_MIN;
        let cpu_us = played.server.map_or(0.0, |server| 1e6 * server.cpu_s);
        Self {
            rate,
            sustained: if all_well && lag_p99_ms <= LAG_P99_MS_MAX { sustained } else { 0.0 },
            enter_p99_ms,
            submit_p99_ms: tally.submit.quantile_ms(0.99),
            lag_p99_ms,
            visit_us: cpu_us / real(tally.served.max(1)),
            held: all_well && few_wait && lag_p99_ms <= LAG_P99_MS_MAX,
        }
    }

    fn line(&self) -> String {
        format!(
            "  {:>7.1} visits/s: {:>6.1} receipts/s in time, entering p99 {} ms, submitting p99 {} ms, \
             server CPU {:.0} us a visit{}",
            self.rate,
            self.sustained,
            millis_text(self.enter_p99_ms),
            millis_text(self.submit_p99_ms),
            self.visit_us,
            match (self.held, self.lag_p99_ms > LAG_P99_MS_MAX) {
                (true, _) => String::new(),
                (false, false) => "; too many".to_owned(),
                (false, true) =>
                    format!("; the generator lagged, p99 {} ms", millis_text(self.lag_p99_ms)),
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Played, Step, WHOLE_S, rising};
    use crate::{clock, machine::CpuClock, tally::Tally};

    /// A step of 100 visits a second, of which `served` get a receipt a second, after `latency`.
    fn step(served: u64, latency: Duration) -> Step {
        let (begin, second) = (clock::now(), Duration::from_secs(1));
        let mut tally = Tally::new(begin, 20 * second);
        for at in (0..20).map(|number| begin + number * second) {
            (0..100).for_each(|_| tally.offer(at, 1));
            for _ in 0..served {
                tally.enter.record(Duration::from_millis(5));
                tally.receipt(at, latency, second);
            }
        }
        let cpu = CpuClock::default().since(CpuClock::default());
        let played = Played { tally, cpu, server: None, receipts_doubled: 0, people: 2000 };
        Step::of(&played, 100.0)
    }

    #[test]
    fn a_rate_holds_when_all_are_served_in_time_and_counts_as_far_as_it_is_sustained() {
        let fast = Duration::from_millis(10);
        let all = step(100, fast);
        assert!(all.held && (all.sustained - 100.0).abs() < 1e-9, "{all:?}");
        let some = step(60, fast);
        assert!(!some.held && (some.sustained - 60.0).abs() < 1e-9, "{some:?}");
        let late = step(100, Duration::from_secs(2));
        assert!(!late.held && late.sustained < 1e-9, "{late:?}");
        assert!(late.line().ends_with("too many"), "{}", late.line());
    }

    #[test]
    fn the_rate_of_a_step_rises_to_the_whole_rate() {
        let curve = rising(80.0);
        let rates: Vec<_> = curve.phases().iter().map(|phase| phase.rate).collect();
        assert_eq!(rates, [40.0, 60.0, 80.0]);
        assert!((curve.duration_s() - f64::from(6 + WHOLE_S)).abs() < 1e-9);
    }
}
