//! Arguments, one command, an exit code.

use std::process::ExitCode;

use clap::Parser as _;
use sportello::cli::{self, Arguments};

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
