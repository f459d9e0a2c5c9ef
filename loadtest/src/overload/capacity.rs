//! The capacity: the highest rate of whole visits at which receipts are in time and nobody waits long to be let in.

use std::time::Duration;

use super::{OverloadArgs, stage::Stage};
use crate::{
    capacity::search::Search,
    fault::Fault,
    figures::millis_text,
    interrupt::Watch,
    profile::{Mix, Offer, Profile, Think},
    run::{self, Outcome},
    schedule::{Curve, Phase},
    verdict::LAG_P99_MS_MAX,
};

/// Rate of the first step, visits a second.
const RATE_FIRST: f64 = 50.0;
const STEP_S: f64 = 8.0;
const STEPS_MAX: u32 = 16;
const PRECISION: f64 = 0.04;
/// Longest drain of a step.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// Least share of the receipts wanted that are in time.
const GOODPUT_MIN: f64 = 0.99;
/// Longest 99th percentile from the intended start to being let in.
const ENTER_P99_MS_MAX: f64 = 1000.0;

/// Searches the capacity, visits a second; a server that was overloaded is replaced by a new one. `None` when stopped.
pub(super) fn find(
    args: &OverloadArgs,
    stage: &mut Stage,
    profile: &Profile,
    watch: &Watch,
) -> Result<Option<f64>, Fault> {
    let mut search = Search::new(RATE_FIRST, PRECISION, STEPS_MAX);
    while let Some(rate) = search.next_rate() {
        let outcome = step(args, stage, profile, rate, watch)?;
        if watch.stop.is_given() {
            return Ok(None);
        }
        let held = holds(&outcome);
        println!("{}", line(&outcome, rate, held));
        search.record(rate, held);
        if held {
            stage.skip += outcome.citizens_used;
        } else {
            stage.renew(args)?;
        }
    }
    search
        .held()
        .map(Some)
        .ok_or_else(|| Fault::Needs("no rate held: the server takes no visit in time".to_owned()))
}

fn step(
    args: &OverloadArgs,
    stage: &mut Stage,
    profile: &Profile,
    rate: f64,
    watch: &Watch,
) -> Result<Outcome, Fault> {
    let mut profile = profile.clone();
    profile.drain_max = DRAIN_MAX;
    if let Offer::Open { curve, .. } = &mut profile.offer {
        let phase = Phase { label: "capacity".to_owned(), duration_s: STEP_S, rate };
        *curve = Curve::new(vec![phase]);
    }
    let mut orders = stage.orders(args, profile)?;
    // People who think longer than a step cost no more for it, but would not finish within it.
    orders.profile.mix.think = Think { ..Mix::default().think };
    orders.operator = None;
    Ok(run::run(&orders, watch)?)
}

fn holds(outcome: &Outcome) -> bool {
    let tally = &outcome.tally;
    outcome.goodput() >= GOODPUT_MIN
        && tally.enter.quantile_ms(0.99) <= ENTER_P99_MS_MAX
        && tally.failed.total() + tally.crossed == 0
        && tally.lag.quantile_ms(0.99) <= LAG_P99_MS_MAX
}

fn line(outcome: &Outcome, rate: f64, held: bool) -> String {
    let tally = &outcome.tally;
    let cpu_us = outcome.server_process.map_or(0.0, |server| 1e6 * server.cpu_s);
    format!(
        "  {rate:>7.1} visits/s: {:5.1} % in time, entering p99 {} ms, submit p99 {} ms, \
         server CPU {:.0} us a visit, lag p99 {} ms{}",
        100.0 * outcome.goodput(),
        millis_text(tally.enter.quantile_ms(0.99)),
        millis_text(tally.submit.quantile_ms(0.99)),
        cpu_us / crate::figures::real(tally.served.max(1)),
        millis_text(tally.lag.quantile_ms(0.99)),
        if held { "" } else { "; too many" }
    )
}
