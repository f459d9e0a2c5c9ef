//! Parses the arguments, runs one command, and returns its exit code.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::Parser as _;
use sportello::cli::{self, Arguments};

/// The system's allocator took 10 % of the processor time: each request allocates a few kilobytes, on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => cli::run(arguments).into(),
        Err(asked) => {
            let code = if asked.use_stderr() { cli::Exit::Usage } else { cli::Exit::Done };
            // A closed standard error leaves nothing to report to.
            let _gone = asked.print();
            code.into()
        }
    }
}
