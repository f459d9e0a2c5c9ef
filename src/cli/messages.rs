//! What a command tells its caller: results on standard output, complaints and progress on standard error, exit code.
//!
//! Nothing here panics when nobody reads.

use std::{
    fmt::Display,
    io::{self, ErrorKind, IsTerminal as _, Write as _, stderr, stdin, stdout},
    process::ExitCode,
    thread,
};

use crate::log;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The work found faults.
    Faults = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// A bug of ours.
    Bug = 70,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Writes a line to standard output; see [`written`].
pub(super) fn say(text: impl Display) -> Exit {
    let mut out = stdout().lock();
    written(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Writes a line to standard output from a thread of its own, for a command that must not wait for its reader.
pub(super) fn announce(text: String) {
    let announced = thread::Builder::new().name("announce".to_owned()).spawn(|| say(text));
    if let Err(fault) = announced {
        complain(format_args!("cannot start a thread: {fault}"));
    }
}

/// The exit code after results were written to standard output. A closed pipe is not reported, other errors are.
pub(super) fn written(results: io::Result<()>) -> Exit {
    match results {
        Ok(()) => return Exit::Done,
        Err(fault) if fault.kind() == ErrorKind::BrokenPipe => {}
        Err(fault) => complain(format_args!("standard output: {fault}")),
    }
    Exit::Faults
}

/// Says on standard error what went wrong.
pub(super) fn complain(what: impl Display) {
    log::complaint(&format!("sportello: {}", what.to_string().trim_end()));
}

/// Replaces the line of progress on standard error if that is a terminal.
pub(super) fn progress(line: impl Display) {
    let mut err = stderr();
    if err.is_terminal() {
        // A terminal that has gone is no reason to stop.
        let _gone = write!(err, "\r{line} ");
    }
}

/// Whether there is somebody who could confirm something.
pub(super) fn is_attended() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Asks on standard error; whether the answer is yes.
pub(super) fn confirmed(question: &str) -> bool {
    let mut err = stderr();
    let mut answer = String::new();
    let asked = write!(err, "{question} [y/N] ").and_then(|()| err.flush());
    let answered = asked.and_then(|()| stdin().read_line(&mut answer));
    answered.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "s" | "si" | "sì")
}

/// The text with escapes for line breaks, terminal controls and other characters that do not print.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\'' | '"' => escaped.push(letter),
            _ => escaped.extend(letter.escape_debug()),
        }
    }
    escaped
}
