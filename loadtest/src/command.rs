//! The commands of surge, and what each ends with.

use std::{io, path::PathBuf};

use clap::{Parser, Subcommand};

use crate::{
    args::Args,
    capacity::{self, CapacityArgs},
    clock,
    compare::{self, CompareArgs},
    drill::{self, DrillArgs},
    interrupt::{Stop, Watch},
    plan::{self, PlanArgs},
    report::{self, text::Text},
    run::{self, RunFault},
    summary::{About, Summary},
    volley::{self, VolleyArgs},
};

/// The load tester of Sportello: plays citizens on a fixed schedule and checks that every reply is their own.
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
    Compare(CompareArgs),
    Plan(PlanArgs),
    Volley(VolleyArgs),
}

/// Why a command came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Wrong usage, with what is allowed.
    #[error("{0}")]
    Usage(String),
    /// The run did not come about.
    #[error(transparent)]
    Run(#[from] RunFault),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Unwritten {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that the command needs is not there or does not work; says what to do.
    #[error("{0}")]
    Needs(String),
}

impl Fault {
    /// Whether whoever gave the command must change it.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_))
    }
}

/// Carries out the command; false when it found faults.
///
/// # Errors
///
/// When it could not be carried out.
pub fn carry_out(cli: &Cli) -> Result<bool, Fault> {
    match &cli.other {
        None => one_run(&cli.run),
        Some(Other::Capacity(args)) => capacity::carry_out(args),
        Some(Other::Drill(args)) => drill::carry_out(args),
        Some(Other::Compare(args)) => compare::carry_out(args),
        Some(Other::Plan(args)) => plan::carry_out(args),
        Some(Other::Volley(args)) => volley::carry_out(args),
    }
}

fn one_run(args: &Args) -> Result<bool, Fault> {
    let orders = args.orders().map_err(Fault::Usage)?;
    let watch = Watch { stop: stop(false)?, ..Watch::default() };
    let started_at = clock::date_time();
    let outcome = run::run(&orders, &watch)?;
    let about = About::of(&orders, started_at, &outcome);
    let summary = Summary::of(&outcome, &orders.profile, about);
    print!("{}", Text(&summary));
    if let Some(path) = &args.json {
        written(path, report::write_json(&summary, path))?;
    }
    if let Some(path) = &args.report {
        written(path, report::write_html(&summary, path))?;
    }
    Ok(summary.verdict.passed)
}

pub(crate) fn stop(patient: bool) -> Result<Stop, Fault> {
    Stop::on_ctrl_c(patient)
        .map_err(|error| Fault::Needs(format!("cannot listen for Ctrl-C: {error}")))
}

pub(crate) fn written(path: &std::path::Path, outcome: io::Result<()>) -> Result<(), Fault> {
    outcome.map_err(|source| Fault::Unwritten { path: path.to_owned(), source })
}
