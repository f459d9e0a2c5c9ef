//! The capacity: the highest rate of whole visits that the server sustains with its receipts in time.
//!
//! One open-loop run whose rate rises far beyond what the server can take. What counts is what people got, and not the
//! highest rate at which nobody had to wait: a server that lets people in by what it has measured is slow to trust a
//! rising load, and only shows what it can do while more is offered.

use std::{ops::Range, thread, time::Duration};

use super::{args::OverloadArgs, crowd::Played, job::Conduct, stage::Stage};
use crate::{
    fault::Fault,
    figures::{millis, millis_text, real, real_len},
    interrupt::Watch,
    schedule::Phase,
    tally::{Stretch, Timeline},
    verdict::LAG_P99_MS_MAX,
};

/// First rate of the first rise, visits a second.
const RATE_FIRST: f64 = 25.0;
/// Factor from one stage of a rise to the next, their number, and the length of each in seconds: sixteenfold in 65 s.
const GROWTH: f64 = 1.26;
const STAGES: usize = 13;
const STAGE_S: usize = 5;
/// Time over which the rate is sustained, seconds.
const SUSTAINED_S: usize = 10;
/// Sustained share of the last rate from which the rise did not go far enough.
const SATURATED_MAX: f64 = 0.7;
/// Rises until one goes far enough, or the generator does not lag.
const RISES_MAX: u32 = 4;
/// Least share of the receipts that are in time.
const TIMELY_MIN: f64 = 0.99;
/// Longest drain of a rise.
const DRAIN_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Finds the capacity, visits a second, and leaves a server that was overloaded. `None` when stopped.
///
/// # Errors
///
/// When a rise cannot be played, the generator lags, or the server serves nobody in time.
pub(super) fn find(
    args: &OverloadArgs,
    stage: &mut Stage,
    watch: &Watch,
) -> Result<Option<f64>, Fault> {
    let mut first = RATE_FIRST;
    for number in 0..RISES_MAX {
        if number > 0 {
            stage.renew(args)?;
        }
        let phases = rise(first);
        let played = play(args, stage, &phases, watch);
        if watch.stop.is_given() {
            return Ok(None);
        }
        let played = played?;
        stage.skip += played.people;
        let timeline = &played.tally.timeline;
        print!("{}", lines(&phases, timeline));
        let last = phases.last().map_or(first, |phase| phase.rate);
        match sustained(timeline, phases.len() * STAGE_S) {
            Some(rate) if rate < SATURATED_MAX * last => return Ok(Some(rate)),
            Some(rate) => first = rate / GROWTH,
            None => println!("  nothing was sustained, or the generator lagged: once more"),
        }
    }
    Err(Fault::Needs(format!(
        "no capacity found in {RISES_MAX} rises: the server serves nobody in time, or the generator lags \
         (give it its own cores, or more --threads) or reaches its own limit; give --capacity"
    )))
}

fn rise(first: f64) -> Vec<Phase> {
    let rates = std::iter::successors(Some(first), |rate| Some(rate * GROWTH)).take(STAGES);
    let phase = |rate| Phase { label: "rise".to_owned(), duration_s: real_len(STAGE_S), rate };
    rates.map(phase).collect()
}

fn play(
    args: &OverloadArgs,
    stage: &Stage,
    phases: &[Phase],
    watch: &Watch,
) -> Result<Played, Fault> {
    let mut crowd = stage.crowd(args, DRAIN_MAX);
    // Pauses cost the server no CPU, but nobody would finish within the rise.
    crowd.conduct = Conduct { think_ms: 0, ..crowd.conduct };
    let mut playing = crowd.start(phases)?;
    while !playing.is_over(&watch.stop) {
        thread::sleep(LOOK_EVERY);
    }
    playing.finish()
}

/// The highest mean of timely receipts a second over [`SUSTAINED_S`] of the first `seconds`; `None` if there was none.
fn sustained(timeline: &Timeline, seconds: usize) -> Option<f64> {
    let starts = 0..=seconds.saturating_sub(SUSTAINED_S);
    let rates = starts.filter_map(|start| counted(timeline, start..start + SUSTAINED_S));
    rates.reduce(f64::max).filter(|rate| *rate > 0.0)
}

/// Timely receipts a second, if nearly all were timely and the generator did not lag.
fn counted(timeline: &Timeline, seconds: Range<usize>) -> Option<f64> {
    let length = real_len(seconds.len());
    let one: Stretch = timeline.span(seconds).figures;
    let is_timely = real(one.timely) >= TIMELY_MIN * real(one.receipts);
    let is_valid = is_timely && millis(one.lag_p99_us) <= LAG_P99_MS_MAX;
    is_valid.then(|| real(one.timely) / length)
}

fn lines(phases: &[Phase], timeline: &Timeline) -> String {
    let line = |(number, phase): (usize, &Phase)| {
        let one = timeline.span(number * STAGE_S..(number + 1) * STAGE_S).figures;
        let per_s = |count: u64| real(count) / real_len(STAGE_S);
        format!(
            "  {:>7.1} visits/s offered: {:>6.1}/s let in, {:>6.1} receipts/s in time, submitting p99 {} ms, \
             lag p99 {} ms\n",
            phase.rate,
            per_s(one.let_in),
            per_s(one.timely),
            millis_text(millis(one.submit_p99_us)),
            millis_text(millis(one.lag_p99_us))
        )
    };
    phases.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{GROWTH, STAGE_S, STAGES, rise, sustained};
    use crate::{clock, tally::Tally};

    /// A rise in which the server gives out `receipts(second)` after `latency`.
    fn sustains(receipts: impl Fn(u32) -> u32, latency: Duration, lag: Duration) -> Option<f64> {
        let (begin, second) = (clock::now(), Duration::from_secs(1));
        let seconds = u32::try_from(STAGES * STAGE_S).expect("few");
        let mut tally = Tally::new(begin, seconds * second);
        for number in 0..seconds {
            let at = begin + number * second;
            tally.start(at, lag);
            (0..receipts(number)).for_each(|_| tally.receipt(at, latency, second));
        }
        sustained(&tally.timeline, STAGES * STAGE_S)
    }

    #[test]
    fn what_is_sustained_for_ten_seconds_counts_and_no_burst() {
        let (fast, lag) = (Duration::from_millis(10), Duration::from_millis(1));
        let rising = |second: u32| if second == 60 { 900 } else { (5 * second).min(200) };
        // One second of 900 among ten of 200 lifts their mean to 270, not to 900.
        assert_eq!(sustains(rising, fast, lag), Some(270.0));
        assert_eq!(sustains(|second| (5 * second).min(200), fast, lag), Some(200.0));
        assert_eq!(sustains(|_| 0, fast, lag), None);
    }

    #[test]
    fn late_receipts_and_those_of_a_lagging_generator_do_not_count() {
        let lag = Duration::from_millis(1);
        assert_eq!(sustains(|_| 100, Duration::from_secs(2), lag), None);
        let (fast, lagging) = (Duration::from_millis(10), Duration::from_millis(60));
        assert_eq!(sustains(|_| 100, fast, lagging), None);
    }

    #[test]
    fn a_server_that_is_late_for_two_in_a_hundred_sustains_nothing() {
        let (begin, second) = (clock::now(), Duration::from_secs(1));
        let mut tally = Tally::new(begin, 10 * second);
        for at in (0..10).map(|number| begin + number * second) {
            (0..100).for_each(|number| {
                let latency = if number < 2 { 2 * second } else { second / 100 };
                tally.receipt(at, latency, second);
            });
        }
        assert_eq!(sustained(&tally.timeline, 10), None);
    }

    #[test]
    fn a_rise_is_sixteenfold() {
        let phases = rise(25.0);
        assert_eq!(phases.len(), STAGES);
        let last = phases.last().expect("stages").rate;
        assert!((15.5..16.5).contains(&(last / 25.0)) && GROWTH > 1.0, "{last}");
    }
}
