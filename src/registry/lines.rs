//! Bounded lines of a file, and the faults of its lines.

use std::fmt;
use std::io::{self, BufRead, Read as _};

/// The most faulty lines that are listed; more are only counted.
const FAULTS_MAX: usize = 1_000;

/// One line of a file, without its end.
pub(super) enum Line<'l> {
    /// Its text.
    Text(&'l str),
    /// It is longer than allowed.
    TooLong,
    /// It is not UTF-8.
    NotUtf8,
}

/// Reads one line of at most `bytes_max` bytes, and whether it has an end; `None` at the end of the file.
pub(super) fn read_line<'l>(
    input: &mut impl BufRead,
    line: &'l mut Vec<u8>,
    bytes_max: usize,
) -> io::Result<Option<(Line<'l>, bool)>> {
    line.clear();
    let most = bytes_max as u64 + 1;
    if input.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    let has_end = line.last() == Some(&b'\n');
    if has_end {
        line.pop();
    } else if line.len() > bytes_max {
        input.skip_until(b'\n')?;
        return Ok(Some((Line::TooLong, true)));
    }
    let text = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line));
    Ok(Some((text.map_or(Line::NotUtf8, Line::Text), has_end)))
}

/// Faulty lines found so far.
pub(super) struct Broken<F> {
    pub(super) count: usize,
    faults: Vec<(u32, F)>,
}

impl<F> Broken<F> {
    pub(super) fn new() -> Self {
        Self { count: 0, faults: Vec::new() }
    }

    pub(super) fn add(&mut self, line: u32, fault: F) {
        self.count += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push((line, fault));
        }
    }

    /// The listed faults, by line.
    pub(super) fn into_faults(mut self) -> Vec<(u32, F)> {
        self.faults.sort_unstable_by_key(|(line, _)| *line);
        self.faults
    }
}

/// Faulty lines as text, and how many there are in all.
pub(super) struct Listed<'a, F>(pub(super) &'a [(u32, F)], pub(super) usize);

impl<F: fmt::Display> fmt::Display for Listed<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for (line, fault) in self.0 {
            write!(f, "{before}line {line}: {fault}")?;
            before = "; ";
        }
        match self.1 - self.0.len() {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}
