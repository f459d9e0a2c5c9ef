//! Loads the file of a registry: it is refused as a whole if any line is faulty, with the numbers of those lines.

use std::io::{self, BufRead};

use thiserror::Error;

use super::lines::{Broken, Line, Listed, read_line};
use super::people::{People, Row, Secret};
use crate::civic::{Euro, EuroFault, FiscalCode, FiscalCodeFault};
use crate::schemes::INCOME_YEARS_MAX;

/// The most people in a file: 760 MB of memory, twice that while a newer file is loaded.
pub(super) const ROWS_MAX: usize = 20_000_000;
/// The longest line: twice what the longest amounts need.
const LINE_BYTES_MAX: usize = 256;
/// The first cells of the first line.
const HEAD: [&str; 2] = ["fiscalCode", "contributionsRegular"];
/// The first cell of the last line.
const END: &str = "end";

/// Why the file of a registry is refused.
#[derive(Debug, Error)]
pub enum LoadFault {
    /// It cannot be read.
    #[error("the registry cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Its first line is not the expected one.
    #[error(
        "the registry's first line must be fiscalCode,contributionsRegular and up to four years in a row"
    )]
    Head,
    /// Its last line is missing or has another number: the file was truncated, or is still being written.
    #[error("the registry's last line must be end,{rows}: the file may be truncated")]
    End {
        /// The number of people in it.
        rows: usize,
    },
    /// It has more than the allowed number of people.
    #[error("the registry has more than {ROWS_MAX} lines")]
    TooMany,
    /// Some of its lines are faulty: correct them.
    #[error("the registry has {count} faulty lines: {}", Listed(.faults, *.count))]
    Broken {
        /// How many lines are faulty.
        count: usize,
        /// The first thousand of them, with their numbers from 1.
        faults: Vec<(u32, LineFault)>,
    },
}

/// The fault of a line. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LineFault {
    /// It is too long.
    #[error("longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// It is not UTF-8.
    #[error("not UTF-8")]
    Encoding,
    /// It does not have as many cells as the first line.
    #[error("not as many cells as the first line")]
    Cells,
    /// Its first cell is not a fiscal code.
    #[error("{0}")]
    FiscalCode(#[from] FiscalCodeFault),
    /// Its second cell is not `true`, `false` or empty.
    #[error("contributionsRegular must be true, false or empty")]
    Regular,
    /// Another cell is not an amount.
    #[error("{0}")]
    Income(#[from] EuroFault),
    /// The person has an earlier line.
    #[error("the same person as in line {0}")]
    Again(u32),
}

/// Loads a whole file; `rows_expected` avoids reallocation.
pub(super) fn load(
    mut input: impl BufRead,
    secret: Secret,
    rows_expected: usize,
) -> Result<People, LoadFault> {
    let mut line = Vec::with_capacity(LINE_BYTES_MAX + 1);
    let head = read(&mut input, &mut line)?.and_then(Result::ok);
    let years = head.and_then(Years::read).ok_or(LoadFault::Head)?;
    let mut rows = Vec::with_capacity(rows_expected.min(ROWS_MAX));
    let mut broken = Broken::new();
    let mut counted = None;
    let mut number = 1;
    while let Some(text) = read(&mut input, &mut line)? {
        number += 1;
        if counted.is_some() {
            // Text after the last line.
            counted = Some(None);
            break;
        }
        if rows.len() + broken.count > ROWS_MAX {
            return Err(LoadFault::TooMany);
        }
        match text.and_then(|text| years.row(text, number, &secret)) {
            Ok(Content::Row(row)) => rows.push(row),
            Ok(Content::End(rows)) => counted = Some(rows),
            Err(fault) => broken.add(number, fault),
        }
    }
    let found = rows.len();
    let people = People::new(secret, years.first, rows);
    if let Err(twice) = &people {
        for &(line, first) in twice {
            broken.add(line, LineFault::Again(first));
        }
    }
    match people {
        Ok(people) if broken.count == 0 => {
            if counted == Some(Some(found)) {
                Ok(people)
            } else {
                Err(LoadFault::End { rows: found })
            }
        }
        _ => Err(LoadFault::Broken { count: broken.count, faults: broken.into_faults() }),
    }
}

/// Reads one line, without its end; `None` at the end of the file.
fn read<'l>(
    input: &mut impl BufRead,
    line: &'l mut Vec<u8>,
) -> io::Result<Option<Result<&'l str, LineFault>>> {
    let read = read_line(input, line, LINE_BYTES_MAX)?;
    Ok(read.map(|(line, _)| match line {
        Line::Text(text) => Ok(text),
        Line::TooLong => Err(LineFault::TooLong),
        Line::NotUtf8 => Err(LineFault::Encoding),
    }))
}

/// The years that the first line names.
struct Years {
    first: i16,
    count: usize,
}

/// A line without fault.
enum Content {
    Row(Row),
    /// The last line, and its number of people, if it is a number.
    End(Option<usize>),
}

impl Years {
    fn read(head: &str) -> Option<Self> {
        let mut cells = head.split(',');
        if !HEAD.iter().all(|name| cells.next() == Some(*name)) {
            return None;
        }
        let years: Vec<i16> = cells
            .map(|cell| cell.parse().ok().filter(|year: &i16| year.to_string() == cell))
            .collect::<Option<_>>()?;
        let in_a_row = years.windows(2).all(|pair| pair[1].checked_sub(1) == Some(pair[0]));
        (in_a_row && years.len() <= INCOME_YEARS_MAX)
            .then(|| Self { first: years.first().copied().unwrap_or_default(), count: years.len() })
    }

    fn row(&self, text: &str, number: u32, secret: &Secret) -> Result<Content, LineFault> {
        let mut cells = text.split(',');
        let person = cells.next().unwrap_or_default();
        if person == END {
            let count = cells.next().and_then(|count| count.parse().ok());
            return Ok(Content::End(count.filter(|_| cells.next().is_none())));
        }
        let regular = cells.next().ok_or(LineFault::Cells)?;
        let mut incomes = [None; INCOME_YEARS_MAX];
        for income in incomes.iter_mut().take(self.count) {
            let cell = cells.next().ok_or(LineFault::Cells)?;
            if !cell.is_empty() {
                *income = Some(Euro::parse(cell)?);
            }
        }
        if cells.next().is_some() {
            return Err(LineFault::Cells);
        }
        let regular = match regular {
            "" => None,
            "true" => Some(true),
            "false" => Some(false),
            _ => return Err(LineFault::Regular),
        };
        let person = FiscalCode::parse(person)?;
        Ok(Content::Row(Row::new(secret, &person, number, regular, incomes)))
    }
}
