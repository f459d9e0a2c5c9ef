//! `surge overload`: starts a server with a CPU quota, finds its capacity, offers twice and ten times as much, and
//! compares what people got with the goals.

mod capacity;
mod cgroup;
mod course;
mod figures;
mod goals;
mod moments;
mod page;
mod probe;
mod stage;
mod text;

use std::{fs, path::PathBuf, thread, time::Duration};

use clap::Args as ClapArgs;
use rlimit::Resource;
use serde::Serialize;

use self::{
    course::Part,
    figures::SurgeFigures,
    goals::Reached,
    moments::{Moment, moments},
    stage::Stage,
};
use crate::{
    args::duration,
    clock,
    fault::{Fault, RunFault},
    figures::{grouped, real},
    interrupt::Watch,
    machine::Machine,
    process::Process,
    profile::{Offer, Profile, SESSIONS_MAX},
    report::file,
    run::{self, Outcome},
    runtime::one_thread,
    summary,
};

/// Longest phase above the capacity: the timeline has intervals of a second.
const SURGE_MAX: Duration = Duration::from_mins(3);
/// Open files besides one for each citizen.
const OTHER_FILES: u64 = 1000;
/// Pauses of a visit whose lengths the drain allows for, in means.
const DRAIN_THINKS: u32 = 6;

/// Offers a server twice and ten times what it can take, and checks who gets a receipt and how fast
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  surge overload                                     (as root: the server gets a quarter of a core)
  surge overload --capacity 180 --duration 30s       (without the search)
  surge overload --runs 5 --json overload.json       (and medians)
  surge overload --target https://127.0.0.1:8443 --operator http://127.0.0.1:9464 --data data
                                                     (a server that you started with a quota)

Exit code 1 when a goal is missed, or when the generator itself lagged.")]
pub struct OverloadArgs {
    /// The `sportello` program; by default the one in the directory of surge
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// CPU quota of the server, percent of one core, in periods of 10 ms
    #[arg(long, value_name = "PERCENT", default_value_t = 25, value_parser = clap::value_parser!(u32).range(5..=6400), conflicts_with = "target")]
    cpu_percent: u32,
    /// A server that you started with a quota, instead of starting one
    #[arg(long, value_name = "URL", requires = "operator")]
    target: Option<String>,
    /// Its operator listener
    #[arg(long, value_name = "URL", requires = "target")]
    operator: Option<String>,
    /// Its data directory: its key signs the identities, its certificate is trusted
    #[arg(long, value_name = "DIR", default_value = "data", requires = "target")]
    data: PathBuf,
    /// Skip the first N identities, because an earlier run on that server used them
    #[arg(long, value_name = "N", default_value_t = 0, requires = "target", value_parser = clap::value_parser!(u64).range(..=u64::from(SESSIONS_MAX)))]
    skip: u64,
    /// Whole visits a second that the server can take, instead of searching
    #[arg(long, value_name = "N")]
    capacity: Option<f64>,
    /// Duration of each phase above the capacity; the others change in proportion
    #[arg(long, value_name = "T", default_value = "60s", value_parser = duration)]
    duration: Duration,
    /// Share of people who save a draft first
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    drafts_share: f64,
    /// Mean pause between two steps of a visit, in milliseconds; 0: none
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=600_000))]
    think_ms: u64,
    /// Share of people who ask again after a second, whatever the server says, instead of the profile's
    #[arg(long, value_name = "SHARE")]
    impatient_share: Option<f64>,
    /// Generator threads
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
    /// Repeat everything and report medians
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=25))]
    runs: u32,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// All runs, with what they were measured on.
#[derive(Debug, Serialize)]
struct Overload {
    /// Start, RFC 3339 in UTC.
    started_at: String,
    command: String,
    build: String,
    machine: Machine,
    /// What the profile stands for.
    about: String,
    /// CPU quota of the server in percent of a core; `None` for a given server.
    cpu_percent: Option<u32>,
    /// The goals, by the medians of all runs.
    reached: Reached,
    runs: Vec<RunReport>,
}

/// One run.
#[derive(Debug, Serialize)]
struct RunReport {
    figures: SurgeFigures,
    /// Second by second.
    seconds: Vec<Moment>,
}

/// Carries out the surge; true when it reached the goals.
///
/// # Errors
///
/// When it cannot be carried out; the text says what it needs.
pub fn carry_out(args: &OverloadArgs) -> Result<bool, Fault> {
    check(args)?;
    let profile = Profile::built_in("overload");
    let profile = profile.ok_or_else(|| Fault::Usage("no overload profile".to_owned()))?;
    let profile = profile.map_err(|faults| Fault::Usage(faults.to_string()))?;
    let watch = Watch::on_ctrl_c(true)?;
    let (started_at, files) = (clock::date_time(), raise_files());
    let mut stage = Stage::set(args)?;
    let mut runs = Vec::new();
    for number in 1..=args.runs {
        if number > 1 {
            stage.renew(args)?;
        }
        println!("run {number} of {}", args.runs);
        let Some(run) = one_run(args, &mut stage, &profile, files, &watch)? else { break };
        print!("{}", text::surge(&run.figures));
        runs.push(run);
    }
    drop(stage);
    if runs.is_empty() {
        return Ok(false);
    }
    let reached = Reached::by(&runs.iter().map(|run| &run.figures).collect::<Vec<_>>());
    print!("{}", text::reached(&reached));
    let overload = Overload {
        started_at,
        command: std::env::args().collect::<Vec<_>>().join(" "),
        build: summary::build(),
        machine: Machine::read(),
        about: profile.about,
        cpu_percent: args.target.is_none().then_some(args.cpu_percent),
        reached,
        runs,
    };
    if let Some(path) = &args.json {
        file::write_json(path, &overload)?;
    }
    if let Some(path) = &args.report {
        file::write(path, page::page(&overload))?;
    }
    Ok(overload.reached.passed && !watch.stop.is_given())
}

fn check(args: &OverloadArgs) -> Result<(), Fault> {
    let shares = [Some(args.drafts_share), args.impatient_share];
    let sound = shares.iter().flatten().all(|share| (0.0..=1.0).contains(share));
    let sound = sound && args.capacity.is_none_or(|rate| rate.is_finite() && rate >= 1.0);
    if sound && args.duration <= SURGE_MAX {
        return Ok(());
    }
    let longest = SURGE_MAX.as_secs();
    Err(Fault::Usage(format!(
        "allowed are shares from 0 to 1, --capacity from 1, --duration up to {longest}s"
    )))
}

/// Raises the limit of open files, also for the server; returns what it is.
fn raise_files() -> u64 {
    let most = fs::read_to_string("/proc/sys/fs/nr_open").ok();
    if let Some(most) = most.and_then(|most| most.trim().parse().ok()) {
        // Refused without the right to: then up to what is allowed.
        if rlimit::setrlimit(Resource::NOFILE, most, most).is_ok() {
            return most;
        }
    }
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or_default()
}

/// One search and one surge; `None` when stopped.
fn one_run(
    args: &OverloadArgs,
    stage: &mut Stage,
    profile: &Profile,
    files: u64,
    watch: &Watch,
) -> Result<Option<RunReport>, Fault> {
    let capacity = match args.capacity {
        Some(capacity) => capacity,
        None => {
            let Some(found) = capacity::find(args, stage, profile, watch)? else {
                return Ok(None);
            };
            println!("capacity: {found:.1} visits/s");
            // The people of the search are gone from a new server's memory and queues.
            stage.renew(args)?;
            found
        }
    };
    let Offer::Open { curve, .. } = &profile.offer else {
        return Err(Fault::Usage("the overload profile has no open loop".to_owned()));
    };
    let parts = course::parts(curve, args.duration);
    let (outcome, readings) = surge(args, stage, profile, &parts, capacity, files, watch)?;
    if watch.stop.is_given() {
        return Ok(None);
    }
    if stage.has_ended() {
        let words = stage.last_words();
        return Err(Fault::Needs(format!("the server ended during the surge:\n  {words}")));
    }
    stage.skip += outcome.citizens_used;
    let seconds = moments(&outcome.tally.timeline, &readings);
    let figures = SurgeFigures::of(&outcome, &parts, capacity, &readings, args.think_ms > 0);
    Ok(Some(RunReport { figures, seconds }))
}

fn surge(
    args: &OverloadArgs,
    stage: &Stage,
    profile: &Profile,
    parts: &[Part],
    capacity: f64,
    files: u64,
    watch: &Watch,
) -> Result<(Outcome, Vec<probe::Reading>), Fault> {
    let mut profile = profile.clone();
    let course = course::curve(parts, capacity);
    let people = course.sessions_expected();
    if real(files.saturating_sub(OTHER_FILES)) < people {
        return Err(Fault::Needs(format!(
            "{people:.0} people need a connection each, but surge may open {} files: \
             run it as root or raise `ulimit -Hn`",
            grouped(files)
        )));
    }
    if let Offer::Open { curve, .. } = &mut profile.offer {
        *curve = course;
    }
    profile.drain_max += DRAIN_THINKS * Duration::from_millis(args.think_ms);
    let orders = stage.orders(args, profile)?;
    let process = Process::listening_at(orders.target.addr);
    let runtime = one_thread().map_err(RunFault::Runtime)?;
    thread::scope(|scope| {
        let load = scope.spawn(|| run::run(&orders, watch));
        let readings = match &orders.operator {
            Some(operator) => probe::listen(&runtime, operator, process, || load.is_finished()),
            None => Vec::new(),
        };
        let outcome = load.join().expect("the load panicked, which is a bug of surge");
        Ok((outcome?, readings))
    })
}
