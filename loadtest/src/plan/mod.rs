//! `surge plan`: computes machines, memory, disks and waits from rates and measured costs, and compares the model with
//! measured runs.
//!
//! It reads JSON reports and depends on nothing of the generator. Only [`PlanArgs`] and [`carry_out`] are public.

mod cells;
mod measurements;
mod model;
mod observed;
mod queue;
mod text;

use std::path::PathBuf;

use clap::Args as ClapArgs;

use self::{
    measurements::Measurements,
    model::{Checked, Demand, MachineKind, Plan},
    observed::Observed,
};
use crate::{fault::Fault, report::file};

/// Internet-scale rate in the last row of every plan, applications a second.
const INTERNET_PER_S: f64 = 100_000.0;

/// Computes what a rate needs: machines, cores, memory, disks, waits
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  surge plan --rate 100 --peak 300 --day 2400000
  surge plan --peak 5000 --measurements capacity.json
  surge plan --replicated --peak 5000 --memory-gib 128
  surge plan --check run-100.json run-400.json run-800.json")]
pub struct PlanArgs {
    /// Long-term average of applications a second
    #[arg(long, value_name = "N", default_value_t = 28.0)]
    rate: f64,
    /// Applications a second in the busiest minutes
    #[arg(long, value_name = "N", default_value_t = 300.0)]
    peak: f64,
    /// Applications on the busiest day
    #[arg(long, value_name = "N", default_value_t = 2_400_000.0)]
    day: f64,
    /// Days for which records are kept, at `--rate`
    #[arg(long, value_name = "N", default_value_t = 30.0)]
    days_kept: f64,
    /// Reads for each application
    #[arg(long, value_name = "N", default_value_t = 3.0)]
    reads: f64,
    /// New connections with a full handshake for each application
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    connections: f64,
    /// Seconds that a session stays open
    #[arg(long, value_name = "S", default_value_t = 600.0)]
    session_s: f64,
    /// Seconds that a connection stays open; the server closes an idle one after 30
    #[arg(long, value_name = "S", default_value_t = 30.0)]
    connection_s: f64,
    /// Cores of each machine
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    cores: u32,
    /// Memory of each machine, in GiB
    #[arg(long, value_name = "N", default_value_t = 32.0)]
    memory_gib: f64,
    /// Write bandwidth of each machine's disk, in MB a second
    #[arg(long, value_name = "N", default_value_t = 200.0)]
    disk_mb_per_s: f64,
    /// Ledgers in replicated databases (`ledger.engine = "postgres"`), instead of files of each machine
    #[arg(long)]
    replicated: bool,
    /// Highest utilisation of each resource at the peak
    #[arg(long, value_name = "SHARE", default_value_t = 0.6)]
    utilisation_max: f64,
    /// Measured costs (TOML or JSON), or the JSON report of a run or of `surge capacity`
    #[arg(long, value_name = "FILE")]
    measurements: Option<PathBuf>,
    /// Print the measured costs in use as TOML, and exit
    #[arg(long)]
    print_measurements: bool,
    /// Compare the model with these measured runs (JSON reports of runs or of `surge capacity`), instead of a plan
    #[arg(long, value_name = "REPORT.json", num_args = 1..)]
    check: Vec<PathBuf>,
    /// Write the plan as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Carries out the plan, or the comparison with measured runs.
///
/// # Errors
///
/// Wrong usage: values out of range, files that are not measurements.
pub fn carry_out(args: &PlanArgs) -> Result<bool, Fault> {
    let costs = match &args.measurements {
        Some(path) => Measurements::read(path)?,
        None => Measurements::built_in(),
    };
    if args.print_measurements {
        print!("{}", text::measurements(&costs));
        return Ok(true);
    }
    if !args.check.is_empty() {
        let checked = checked(args, &costs)?;
        print!("{}", text::check(&checked, &costs));
        return Ok(true);
    }
    let plan = plan(args, costs)?;
    print!("{}", text::plan(&plan));
    if let Some(path) = &args.json {
        file::write_json(path, &plan)?;
    }
    Ok(true)
}

fn plan(args: &PlanArgs, costs: Measurements) -> Result<Plan, Fault> {
    let demand = Demand {
        rate: args.rate,
        peak: args.peak,
        day: args.day,
        days_kept: args.days_kept,
        reads: args.reads,
        connections: args.connections,
        session_s: args.session_s,
        connection_s: args.connection_s,
    };
    let machine = MachineKind {
        cores: args.cores,
        memory_gib: args.memory_gib,
        disk_mb_per_s: args.disk_mb_per_s,
        utilisation_max: args.utilisation_max,
    };
    let positive = [
        ("--rate", demand.rate),
        ("--peak", demand.peak),
        ("--day", demand.day),
        ("--days-kept", demand.days_kept),
        ("--session-s", demand.session_s),
        ("--connection-s", demand.connection_s),
        ("--memory-gib", machine.memory_gib),
        ("--disk-mb-per-s", machine.disk_mb_per_s),
    ];
    for (name, value) in positive {
        if !(value.is_finite() && value > 0.0) {
            return Err(Fault::Usage(format!("{name} {value}: allowed is a number above 0")));
        }
    }
    if !(0.01..1.0).contains(&machine.utilisation_max) {
        let what = "--utilisation-max: allowed is a share from 0.01 to below 1";
        return Err(Fault::Usage(what.to_owned()));
    }
    if demand.reads < 0.0 || demand.connections < 0.0 || demand.peak < demand.rate {
        let what =
            "allowed are --reads and --connections of 0 or more, and a --peak of at least --rate";
        return Err(Fault::Usage(what.to_owned()));
    }
    let kept = demand.rate * 86_400.0 * demand.days_kept;
    let rates = [demand.rate, demand.peak, 10.0 * demand.peak, INTERNET_PER_S];
    let needs = rates.map(|per_s| {
        // Beyond the peak, the records kept grow with the rate.
        let records = kept * (per_s / demand.peak).max(1.0);
        model::need(per_s, records, &demand, &machine, &costs)
    });
    let cells = rates.map(|per_s| cells::need(per_s, &demand, &machine, &costs));
    Ok(Plan {
        cells: if args.replicated { cells.to_vec() } else { Vec::new() },
        day_gb: demand.day * costs.record_bytes / 1e9,
        kept_gb: kept * costs.record_bytes / 1e9,
        day_at_peak_h: demand.day / demand.peak / 3600.0,
        demand,
        machine,
        needs: if args.replicated { Vec::new() } else { needs.to_vec() },
        measurements: costs,
    })
}

fn checked(args: &PlanArgs, costs: &Measurements) -> Result<Vec<Checked>, Fault> {
    let mut found = Vec::new();
    for path in &args.check {
        let unusable = |what: &dyn std::fmt::Display| {
            let path = path.display();
            Fault::Usage(format!(
                "{path}: {what}; needed is the JSON report of a run or of `surge capacity`"
            ))
        };
        let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
        let observed = Observed::parse(&text).ok_or_else(|| unusable(&"not a report"))?;
        found.extend(observed.runs.iter().map(|run| model::check(run, costs)));
    }
    Ok(found)
}
