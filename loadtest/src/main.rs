//! `surge`: orders, run, report, exit code.

use std::{panic::catch_unwind, process::ExitCode};

use clap::Parser;
use surge::command::{self, Cli};

/// A session takes a few dozen pieces of memory, and what the generator takes the server has not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FAULTS_FOUND: u8 = 1;
const WRONG_USAGE: u8 = 2;
const OWN_BUG: u8 = 70;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match catch_unwind(|| carry_out(&cli)) {
        Ok(code) => code,
        // The panic's own message stands on standard error already.
        Err(_) => ExitCode::from(OWN_BUG),
    }
}

fn carry_out(cli: &Cli) -> ExitCode {
    match command::carry_out(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAULTS_FOUND),
        Err(fault) => {
            eprintln!("surge: {fault}");
            ExitCode::from(if fault.is_usage() { WRONG_USAGE } else { FAULTS_FOUND })
        }
    }
}
