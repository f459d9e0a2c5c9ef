//! A generator process of `surge overload`: reads its job from standard input, plays it, and writes what it counted to
//! standard output.

use std::io::{self, stdin, stdout};

use super::job::{Done, Job};
use crate::{fault::Fault, interrupt::Watch, run};

/// Plays the job on standard input.
///
/// # Errors
///
/// When there is no job, or it cannot be played.
pub fn carry_out() -> Result<bool, Fault> {
    let broken = |error: &dyn std::fmt::Display| {
        Fault::Usage(format!("`surge overload` starts this itself ({error})"))
    };
    let job: Job = serde_json::from_reader(stdin().lock()).map_err(|error| broken(&error))?;
    let watch = Watch::on_ctrl_c(false)?;
    let outcome = run::run(&job.orders()?, &watch)?;
    let done = Done {
        tally: outcome.tally.ship(),
        receipts_doubled: outcome.receipts_doubled,
        cpu_s: outcome.cpu.generator_s,
    };
    let written = serde_json::to_writer(io::BufWriter::new(stdout().lock()), &done);
    written.map_err(|error| broken(&error))?;
    Ok(true)
}
