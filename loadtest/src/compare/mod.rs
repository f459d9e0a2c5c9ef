//! `surge compare`: compares two runs, and fails when the second is worse than allowed.

pub mod comparison;
pub mod report;

use std::path::PathBuf;

use clap::Args as ClapArgs;

use self::comparison::{Allowance, Comparison};
use crate::{
    fault::Fault,
    report::{file, read::RunFile},
};

/// Compares two runs, and fails when the second is worse than allowed
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "\
Example:
  surge compare before.json after.json --allow submit-p99=1.2 --allow receipts-per-s=0.95

--allow NAME=RATIO limits the second run's figure to RATIO times the first's: an upper limit where less is better, a
lower limit where more is. Exit code 1 when a limit is exceeded. The names are those in the table.")]
pub struct CompareArgs {
    /// The JSON report of the first run
    first: PathBuf,
    /// The JSON report of the second run
    second: PathBuf,
    /// Allowed ratio of the second figure to the first, such as submit-p99=1.2; may be repeated
    #[arg(long, value_name = "NAME=RATIO")]
    allow: Vec<Allowance>,
    /// Write the comparison as one HTML file
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

/// Carries out the comparison; false when a threshold is exceeded.
///
/// # Errors
///
/// Wrong usage: a file that is not a report, a threshold for a figure that the runs do not have.
pub fn carry_out(args: &CompareArgs) -> Result<bool, Fault> {
    let (first, second) = (RunFile::read(&args.first)?, RunFile::read(&args.second)?);
    let comparison = Comparison::of(first, second, &args.allow)?;
    print!("{}", report::text(&comparison));
    if let Some(path) = &args.report {
        file::write(path, report::page(&comparison))?;
    }
    Ok(comparison.passed)
}
