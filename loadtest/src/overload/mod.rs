//! `surge overload`: starts a server with a CPU quota, finds its capacity, offers twice and ten times as much, and
//! compares what people got with the goals.

mod args;
mod capacity;
mod cgroup;
mod course;
mod crowd;
mod figures;
mod goals;
mod job;
mod moments;
mod page;
pub mod part;
mod probe;
mod report;
mod stage;
mod text;

use std::time::Duration;

pub use self::args::OverloadArgs;
use self::{
    figures::SurgeFigures,
    goals::Reached,
    job::overload,
    moments::moments,
    report::{Overload, RunReport},
    stage::Stage,
};
use crate::{
    clock,
    fault::{Fault, RunFault},
    interrupt::Watch,
    machine::Machine,
    profile::{Offer, Profile},
    report::file,
    runtime::one_thread,
    summary,
};

/// Searches of the capacity, of which the median counts: one found 240 and another 452 on the same machine.
const SEARCHES: usize = 3;
/// Pauses of a visit whose lengths the drain allows for, in means.
const DRAIN_THINKS: u32 = 6;

/// Carries out the surge; true when it reached the goals.
///
/// # Errors
///
/// When it cannot be carried out; the text says what it needs.
pub fn carry_out(args: &OverloadArgs) -> Result<bool, Fault> {
    args.check()?;
    let profile = overload()?;
    let watch = Watch::on_ctrl_c(true)?;
    let started_at = clock::date_time();
    let mut stage = Stage::set(args)?;
    let Some(capacity) = capacity_of(args, &mut stage, &watch)? else { return Ok(false) };
    let mut runs = Vec::new();
    for number in 1..=args.runs {
        if number > 1 {
            stage.renew(args)?;
        }
        println!("run {number} of {}", args.runs);
        let Some(run) = one_run(args, &mut stage, (&profile, capacity), &watch)? else { break };
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

/// The capacity given, or the median of those found; each search has a server of its own, so that the people of one are
/// gone from the memory and queues of the next. `None` when stopped.
fn capacity_of(
    args: &OverloadArgs,
    stage: &mut Stage,
    watch: &Watch,
) -> Result<Option<f64>, Fault> {
    if args.capacity.is_some() {
        return Ok(args.capacity);
    }
    let mut found = Vec::new();
    for number in 1..=SEARCHES {
        println!("search {number} of {SEARCHES}");
        let Some(capacity) = capacity::find(args, stage, watch)? else { return Ok(None) };
        println!("capacity: {capacity:.1} visits/s");
        found.push(capacity);
        stage.renew(args)?;
    }
    found.sort_unstable_by(f64::total_cmp);
    Ok(Some(found[SEARCHES / 2]))
}

/// One surge beyond this capacity; `None` when stopped.
fn one_run(
    args: &OverloadArgs,
    stage: &mut Stage,
    (profile, capacity): (&Profile, f64),
    watch: &Watch,
) -> Result<Option<RunReport>, Fault> {
    let Offer::Open { curve, .. } = &profile.offer else {
        return Err(Fault::Usage("the overload profile has no open loop".to_owned()));
    };
    let parts = course::parts(curve, args.duration);
    let phases = course::curve(&parts, capacity);
    let think = Duration::from_millis(args.think_ms);
    let mut crowd = stage.crowd(args, profile.drain_max + DRAIN_THINKS * think);
    let end = course::surge_end(&parts).map(|second| second as u64);
    crowd.going_home_s = end.filter(|_| !args.stay);
    let runtime = one_thread().map_err(RunFault::Runtime)?;
    let (operator, process) = (stage.operator()?, stage.process());
    let mut playing = crowd.start(phases.phases())?;
    let is_over = || playing.is_over(&watch.stop);
    let readings = probe::listen(&runtime, &operator, process, is_over);
    let played = playing.finish();
    if watch.stop.is_given() {
        return Ok(None);
    }
    if stage.has_ended() {
        let words = stage.last_words();
        return Err(Fault::Needs(format!("the server ended during the surge:\n  {words}")));
    }
    let played = played?;
    stage.skip += played.people;
    let seconds = moments(&played.tally.timeline, &readings);
    let figures = SurgeFigures::of(&played, &parts, capacity, &readings, !think.is_zero());
    Ok(Some(RunReport { figures, seconds }))
}
