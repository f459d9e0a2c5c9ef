//! Shows the progress of a run on a terminal.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::Duration,
};

use super::pipeline::Done;
use crate::clock::Stopwatch;

/// The time between two updates.
const PAUSE: Duration = Duration::from_millis(250);

/// Updates one line on standard error if that is a terminal; does nothing otherwise.
pub(super) struct Progress {
    started: Stopwatch,
    next: Duration,
    /// The length of the input, if it is a regular file.
    bytes_all: Option<u64>,
    is_shown: bool,
}

impl Progress {
    pub(super) fn start(bytes_all: Option<u64>) -> Self {
        let is_shown = stderr().is_terminal();
        Self { started: Stopwatch::start(), next: PAUSE, bytes_all, is_shown }
    }

    pub(super) fn advance(&mut self, done: Done) {
        let elapsed = if self.is_shown { self.started.elapsed() } else { Duration::ZERO };
        if self.is_shown && elapsed >= self.next {
            self.next = elapsed + PAUSE;
            // A closed terminal must not stop the run.
            let _gone = write!(stderr(), "\r{}\x1b[K", line(done, self.bytes_all, elapsed));
        }
    }

    pub(super) fn end(self, done: Done) {
        if self.is_shown {
            let line = line(done, self.bytes_all, self.started.elapsed());
            let _gone = writeln!(stderr(), "\r{line}\x1b[K");
        }
    }
}

/// The line: bytes, lines, bad lines, bytes and lines a second.
fn line(done: Done, bytes_all: Option<u64>, elapsed: Duration) -> String {
    let Done { bytes, lines, bad } = done;
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let share = match bytes_all {
        Some(all) if all > 0 => {
            format!(" of {} ({} %)", megabytes(all), bytes.min(all) * 100 / all)
        }
        _ => String::new(),
    };
    let a_second = |count: u64| count.saturating_mul(1_000) / ms;
    format!(
        "{}{share}, {lines} lines, {bad} bad; {} a second, {} lines a second",
        megabytes(bytes),
        megabytes(a_second(bytes)),
        a_second(lines),
    )
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_and_how_fast() {
        let done = Done { bytes: 25_000_000, lines: 20_000, bad: 3 };
        let half = Duration::from_millis(500);
        assert_eq!(
            line(done, Some(100_000_000), half),
            "25.0 MB of 100.0 MB (25 %), 20000 lines, 3 bad; 50.0 MB a second, 40000 lines a second"
        );
        assert!(line(done, None, half).starts_with("25.0 MB, 20000 lines"));
        assert!(line(Done::default(), Some(0), Duration::ZERO).contains("0 lines a second"));
    }
}
