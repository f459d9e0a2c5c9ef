//! `surge`: parses the command line, carries out the command, and ends with its exit code.

use std::{panic::catch_unwind, process::ExitCode};

use clap::Parser;
use surge::command::{self, Cli};

/// A session makes a few dozen allocations, and the generator often shares its cores with the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FAULTS_FOUND: u8 = 1;
const WRONG_USAGE: u8 = 2;
const OWN_BUG: u8 = 70;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match catch_unwind(|| carry_out(&cli)) {
        Ok(code) => code,
        // The panic's message is on standard error already.
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
