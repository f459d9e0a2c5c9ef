//! The person whom a command is about: a fiscal code from standard input or from a flag.

use std::io::{BufRead as _, IsTerminal as _, Read as _, stdin};

use clap::Args;

use super::progress;
use crate::civic::FiscalCode;

/// Bytes read for a fiscal code; a longer line is not one.
const LINE_BYTES_MAX: u64 = 64;

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Person {
    /// Fiscal code of the person; `-` or left out: the first line of standard input. Other users can see a code on the
    /// command line in the list of processes, and the shell keeps it in its history.
    #[arg(long, value_name = "CF")]
    fiscal_code: Option<String>,
}

impl Person {
    /// Reads the code, from standard input if no flag gives it.
    pub(super) fn read(&self) -> Result<FiscalCode, String> {
        let parse = |source: &str, code: &str| {
            FiscalCode::parse(code).map_err(|fault| format!("{source}: {fault}"))
        };
        if let Some(code) = self.fiscal_code.as_deref().filter(|code| *code != "-") {
            return parse("--fiscal-code", code);
        }
        if stdin().is_terminal() {
            progress("fiscal code:");
        }
        let mut line = String::new();
        let read = stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line);
        read.map_err(|fault| format!("standard input: {fault}"))?;
        parse("fiscal code on standard input", line.trim())
    }
}
