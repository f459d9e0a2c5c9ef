//! The command line of `surge overload`.

use std::{path::PathBuf, time::Duration};

use clap::Args as ClapArgs;

use super::job::Conduct;
use crate::{args::duration, fault::Fault, profile::SESSIONS_MAX};

/// Longest phase above the capacity: the timeline has intervals of a second.
const SURGE_MAX: Duration = Duration::from_mins(3);

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
    pub(super) server: Option<PathBuf>,
    /// CPU quota of the server, percent of one core, in periods of 10 ms
    #[arg(long, value_name = "PERCENT", default_value_t = 25, value_parser = clap::value_parser!(u32).range(5..=6400), conflicts_with = "target")]
    pub(super) cpu_percent: u32,
    /// A server that you started with a quota, instead of starting one
    #[arg(long, value_name = "URL", requires = "operator")]
    pub(super) target: Option<String>,
    /// Its operator listener
    #[arg(long, value_name = "URL", requires = "target")]
    pub(super) operator: Option<String>,
    /// Its data directory: its key signs the identities, its certificate is trusted
    #[arg(long, value_name = "DIR", default_value = "data", requires = "target")]
    pub(super) data: PathBuf,
    /// Skip the first N identities, because an earlier run on that server used them
    #[arg(long, value_name = "N", default_value_t = 0, requires = "target", value_parser = clap::value_parser!(u64).range(..=u64::from(SESSIONS_MAX)))]
    pub(super) skip: u64,
    /// Whole visits a second that the server can take, instead of searching
    #[arg(long, value_name = "N")]
    pub(super) capacity: Option<f64>,
    /// Duration of each phase above the capacity; the others change in proportion
    #[arg(long, value_name = "T", default_value = "60s", value_parser = duration)]
    pub(super) duration: Duration,
    /// Share of people who save a draft first
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(super) drafts_share: f64,
    /// Mean pause between two steps of a visit, in milliseconds; 0: none
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=600_000))]
    pub(super) think_ms: u64,
    /// Share of people who ask again after a second, whatever the server says, instead of the profile's
    #[arg(long, value_name = "SHARE")]
    pub(super) impatient_share: Option<f64>,
    /// People outside at the end of the surge stay and go on asking, so that the server has no less to do
    #[arg(long)]
    pub(super) stay: bool,
    /// Generator threads; a process is added for every so many people as it may open files
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(super) threads: u32,
    /// Repeat everything and report medians
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=25))]
    pub(super) runs: u32,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE.html")]
    pub(super) report: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

impl OverloadArgs {
    /// Checks what the parser does not.
    ///
    /// # Errors
    ///
    /// Wrong usage, with what is allowed.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let shares = [Some(self.drafts_share), self.impatient_share];
        let sound = shares.iter().flatten().all(|share| (0.0..=1.0).contains(share));
        let sound = sound && self.capacity.is_none_or(|rate| rate.is_finite() && rate >= 1.0);
        if sound && self.duration <= SURGE_MAX {
            return Ok(());
        }
        let longest = SURGE_MAX.as_secs();
        Err(Fault::Usage(format!(
            "allowed are shares from 0 to 1, --capacity from 1, --duration up to {longest}s"
        )))
    }

    /// What people do.
    pub(super) fn conduct(&self) -> Conduct {
        let Self { drafts_share, impatient_share, think_ms, .. } = *self;
        Conduct { drafts_share, impatient_share, think_ms }
    }
}
