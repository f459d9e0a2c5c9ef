//! Parses the arguments, runs one command, and returns its exit code.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::Parser as _;
use sportello::cli::{self, Arguments};

/// mimalloc, because the system's allocator took 10 % of the CPU time: each request allocates a few kilobytes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => cli::run(arguments).into(),
        Err(asked) => {
            let code = if asked.use_stderr() { cli::Exit::Usage } else { cli::Exit::Done };
            // If standard error is closed, the message is lost.
            let _gone = asked.print();
            code.into()
        }
    }
}
