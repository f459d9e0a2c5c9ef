//! The commands of surge: one run by default, or one of the others.

use clap::{Parser, Subcommand};

use crate::{
    args::Args,
    capacity::{self, CapacityArgs},
    clock,
    compare::{self, CompareArgs},
    drill::{self, DrillArgs},
    fault::Fault,
    interrupt::Watch,
    overload::{self, OverloadArgs},
    plan::{self, PlanArgs},
    report::{file, html, text::Text},
    run,
    summary::{About, Summary},
    volley::{self, VolleyArgs},
};

/// Load tester of Sportello: plays citizens on a fixed schedule and checks that every reply belongs to its citizen.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
    /// One run, when no other command is given.
    #[command(flatten)]
    run: Args,
    #[command(subcommand)]
    other: Option<Other>,
}

/// Commands other than a run.
#[derive(Debug, Subcommand)]
enum Other {
    Capacity(Box<CapacityArgs>),
    Drill(DrillArgs),
    Overload(OverloadArgs),
    /// A generator process of `overload`, which starts it
    #[command(hide = true)]
    OverloadPart,
    Compare(CompareArgs),
    Plan(PlanArgs),
    Volley(VolleyArgs),
}

/// Carries out the command; false when a check failed.
///
/// # Errors
///
/// When the command could not be carried out.
pub fn carry_out(cli: &Cli) -> Result<bool, Fault> {
    match &cli.other {
        None => one_run(&cli.run),
        Some(Other::Capacity(args)) => capacity::carry_out(args),
        Some(Other::Drill(args)) => drill::carry_out(args),
        Some(Other::Overload(args)) => overload::carry_out(args),
        Some(Other::OverloadPart) => overload::part::carry_out(),
        Some(Other::Compare(args)) => compare::carry_out(args),
        Some(Other::Plan(args)) => plan::carry_out(args),
        Some(Other::Volley(args)) => volley::carry_out(args),
    }
}

fn one_run(args: &Args) -> Result<bool, Fault> {
    let orders = args.orders().map_err(Fault::Usage)?;
    let watch = Watch::on_ctrl_c(false)?;
    let started_at = clock::date_time();
    let outcome = run::run(&orders, &watch)?;
    let about = About::of(&orders, started_at, &outcome);
    let summary = Summary::of(&outcome, &orders.profile, about);
    print!("{}", Text(&summary));
    if let Some(path) = &args.json {
        file::write_json(path, &summary)?;
    }
    if let Some(path) = &args.report {
        file::write(path, html::page(&summary))?;
    }
    Ok(summary.verdict.passed)
}
