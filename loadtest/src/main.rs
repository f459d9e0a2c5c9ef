//! `surge`: orders, run, report, exit code.

use std::{io, panic::catch_unwind, process::ExitCode};

use clap::Parser;
use surge::{
    args::Args,
    clock,
    machine::Machine,
    profile::Offer,
    report::{self, text::Text},
    run::{self, Orders},
    summary::{About, Summary},
};

const FAULTS_FOUND: u8 = 1;
const WRONG_USAGE: u8 = 2;
const OWN_BUG: u8 = 70;

fn main() -> ExitCode {
    let args = Args::parse();
    match catch_unwind(|| carry_out(&args)) {
        Ok(code) => code,
        // The panic's own message stands on standard error already.
        Err(_) => ExitCode::from(OWN_BUG),
    }
}

fn carry_out(args: &Args) -> ExitCode {
    let orders = match args.orders() {
        Ok(orders) => orders,
        Err(fault) => {
            eprintln!("surge: {fault}");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match measured(args, &orders) {
        Ok(summary) if summary.verdict.passed => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(FAULTS_FOUND),
        Err(fault) => {
            eprintln!("surge: {fault}");
            ExitCode::from(FAULTS_FOUND)
        }
    }
}

fn measured(args: &Args, orders: &Orders) -> Result<Summary, Box<dyn std::error::Error>> {
    let started_at = clock::date_time();
    let outcome = run::run(orders)?;
    let summary = Summary::of(&outcome, &orders.profile, about(orders, started_at, &outcome));
    print!("{}", Text(&summary));
    if let Some(path) = &args.json {
        report::write_json(&summary, path).map_err(|error| unwritten(path, &error))?;
    }
    if let Some(path) = &args.report {
        report::write_html(&summary, path).map_err(|error| unwritten(path, &error))?;
    }
    Ok(summary)
}

fn unwritten(path: &std::path::Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

fn about(orders: &Orders, started_at: String, outcome: &run::Outcome) -> About {
    let kind = if cfg!(debug_assertions) { "debug (slow: figures mean little)" } else { "release" };
    About {
        started_at,
        command: std::env::args().collect::<Vec<_>>().join(" "),
        build: format!("surge {} {kind}, {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH),
        machine: Machine::read(),
        profile: orders.profile.name.clone(),
        profile_about: orders.profile.about.clone(),
        r#loop: match orders.profile.offer {
            Offer::Open { .. } => "open",
            Offer::Closed { .. } => "closed",
        },
        protocol: if orders.http2 { "HTTP/2" } else { "HTTP/1.1" },
        connections: orders.connections,
        campaign_year: outcome.year,
        elapsed_s: outcome.elapsed.as_secs_f64(),
    }
}
