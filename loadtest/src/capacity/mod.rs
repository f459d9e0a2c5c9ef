//! `surge capacity`: searches the highest rate that holds, in short open-loop runs.

pub mod finding;
pub mod report;
pub mod search;
pub mod step;

use std::time::Duration;

use clap::Args as ClapArgs;

use self::{
    finding::Finding,
    report::Capacity,
    search::Search,
    step::{Limits, StepFigures},
};
use crate::{
    args::Args, clock, fault::Fault, figures::real_len, interrupt::Watch, machine::Machine,
    orders::Orders, profile::Offer, report::file, run, summary,
};

const RATE_FIRST: f64 = 100.0;
const STEP_LENGTH: Duration = Duration::from_secs(10);
/// Longest drain of a step, so that its sessions do not run into the next step.
const STEP_DRAIN_MAX: Duration = Duration::from_secs(10);
/// Pause between two steps, in which the server writes and checkpoints what is left.
const SETTLE: Duration = Duration::from_secs(1);

/// Searches the highest rate that holds, and names what limits it
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "\
Example, with `sportello serve --demo` running:
  surge capacity --target https://127.0.0.1:8443 --operator http://127.0.0.1:9464 --report capacity.html

--rate is the first rate (default 100), --duration the length of a step (default 10 s).")]
pub struct CapacityArgs {
    #[command(flatten)]
    run: Args,
    /// Longest 99th percentile of submissions at a rate that holds, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500.0)]
    p99_ms_max: f64,
    /// Least share of the receipts wanted that must arrive within the profile's `timely_ms`
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    goodput_min: f64,
    /// Most requests refused or told to wait (202, 429, 503), as a share of the sessions offered
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    refusals_max: f64,
    /// End when the rate that held and the rate that broke differ by at most this share
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    precision: f64,
    /// Maximum number of steps
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100))]
    steps_max: u32,
    /// Attempts at a rate before it counts as broken: raise it on a machine with other load
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=5))]
    tries: u32,
}

/// Carries out the search; true when it found a capacity.
///
/// # Errors
///
/// Wrong usage, or a step that could not start.
pub fn carry_out(args: &CapacityArgs) -> Result<bool, Fault> {
    let mut orders = orders(args)?;
    let limits = Limits {
        p99_submit_ms_max: args.p99_ms_max,
        goodput_min: args.goodput_min,
        refusals_share_max: args.refusals_max,
    };
    let (started_at, machine) = (clock::date_time(), Machine::read());
    let watch = Watch::on_ctrl_c(false)?;
    let first = args.run.rate.unwrap_or(RATE_FIRST);
    let mut search = Search::new(first, args.precision, args.steps_max);
    let mut steps = Vec::new();
    println!("{}", report::HEAD);
    while let Some(rate) = search.next_rate() {
        let mut held = false;
        for _ in 0..args.tries {
            if held || watch.stop.is_given() {
                break;
            }
            let step = one_step(&mut orders, rate, &limits, &watch)?;
            if !watch.stop.is_given() {
                println!("{}", report::line(&step));
                held = step.held();
                steps.push(step);
            }
        }
        if watch.stop.is_given() {
            break;
        }
        search.record(rate, held);
    }
    let partial = watch.stop.is_given();
    let capacity = Capacity {
        started_at,
        command: std::env::args().collect::<Vec<_>>().join(" "),
        build: summary::build(),
        finding: Finding::of(&steps, real_len(machine.cores), partial),
        machine,
        profile: format!("{}: {}", orders.profile.name, orders.profile.about),
        limits,
        steps,
    };
    print!("{}", report::text(&capacity));
    if let Some(path) = &args.run.json {
        file::write_json(path, &capacity)?;
    }
    if let Some(path) = &args.run.report {
        file::write(path, report::page(&capacity))?;
    }
    Ok(capacity.finding.applications_per_s.is_some() && !partial)
}

fn orders(args: &CapacityArgs) -> Result<Orders, Fault> {
    let shares = [args.goodput_min, args.refusals_max];
    let sound = args.p99_ms_max > 0.0 && (0.001..1.0).contains(&args.precision);
    if !sound || shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
        return Err(Fault::Usage(
            "allowed are --p99-ms-max above 0, --precision from 0.001 to below 1, shares from 0 to 1"
                .to_owned(),
        ));
    }
    let mut run = args.run.clone();
    run.duration.get_or_insert(STEP_LENGTH);
    run.rate.get_or_insert(RATE_FIRST);
    if run.receipts.is_some() {
        let what = "--receipts is for one run, and a search makes many runs";
        return Err(Fault::Usage(what.to_owned()));
    }
    let mut orders = run.orders().map_err(Fault::Usage)?;
    if !matches!(orders.profile.offer, Offer::Open { .. }) {
        let what = "a capacity search needs an open loop: give another --profile";
        return Err(Fault::Usage(what.to_owned()));
    }
    orders.profile.drain_max = orders.profile.drain_max.min(STEP_DRAIN_MAX);
    Ok(orders)
}

fn one_step(
    orders: &mut Orders,
    rate: f64,
    limits: &Limits,
    watch: &Watch,
) -> Result<StepFigures, Fault> {
    if let Offer::Open { curve, .. } = &mut orders.profile.offer {
        *curve = curve.clone().with_peak(rate);
    }
    let outcome = run::run(orders, watch)?;
    // Nobody may apply twice, so the next step plays other people.
    orders.skip += outcome.citizens_used;
    std::thread::sleep(SETTLE);
    Ok(StepFigures::of(&outcome, rate, orders.profile.length().as_secs_f64(), limits))
}
