//! Arguments, one command, an exit code.

#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::Parser as _;
use sportello::cli::{self, Arguments};

/// Requests allocate and free a few kilobytes each on several threads; the system's allocator took a tenth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => cli::run(arguments).into(),
        Err(asked) => {
            let code = if asked.use_stderr() { cli::Exit::Usage } else { cli::Exit::Done };
            // Nothing is left to tell the reason to when the terminal is gone.
            let _gone = asked.print();
            code.into()
        }
    }
}
