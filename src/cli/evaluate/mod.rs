//! `sportello evaluate`: the rules engine alone, over lines.

mod lines;
mod pipeline;
mod progress;
mod table;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use self::{
    lines::{LINE_BYTES_MAX, Lines},
    pipeline::{Done, Fault, Judge},
    progress::Progress,
};
use super::{Exit, complain, written};
use crate::{
    application::{Columns, ParseError, RowFault, parse_submitted},
    civic::Language,
    http::problem::{Kind, Problem},
    schemes::{Decision, Rules},
};

const EXAMPLES: &str = r#"Example:
  sportello evaluate applications.ndjson > decisions.ndjson
  sportello evaluate --output csv applications.csv > decisions.csv
  sportello evaluate --explain applications.csv | less

Each line is an application with the field "submittedOn": "2024-09-16" besides. A bad line becomes a problem with its line
number, in its place; the exit code is 1 then. A line holds 64 KiB at most.

CSV: the first row names the columns by the path to a field:
  scheme,year,submittedOn,applicant.fiscalCode,...,incomes.2023.line,incomes.2023.amount,...,earlierBenefits.1.begunIn
A cell left empty leaves its field out; true, false and null are themselves. The separator is a comma or a semicolon.
No cell holds a line break.

Decisions as CSV (RFC 4180): a first row of names, then a row a line of the input, in its order:
  line             number of the line in the input, the first row of a CSV file counted
  outcome          granted, refused, pending, review; empty for a bad line, and so are the next eight
  parameters       which the decision rests on, such as iscro-2024
  monthlyAmount    in euro, and the next two; these six are empty unless granted
  grossTotal
  withheldMonthly
  months
  startsOn         YYYY-MM-DD, and the next
  endsOn
  unmet            requirements not met or not known to be, by a space
  problem          what is wrong with a bad line, such as invalid-application
  faults           its faults, by a space, as code:place; a place is a JSON pointer (written as in URIs, RFC 6901
                   section 6), a column or a cell
No cell holds text of an application, but the names of unknown fields, in which only letters, digits and -._~ are
themselves: no program for tables takes a cell for a formula."#;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Evaluate {
    /// The applications, one a line, JSON or (if it ends in .csv) CSV; standard input if left out.
    file: Option<PathBuf>,
    /// Reads CSV, whatever the name of the file.
    #[arg(long)]
    csv: bool,
    /// What the decisions are written as.
    #[arg(long, value_enum, default_value_t, conflicts_with = "explain")]
    output: Output,
    /// Explains each decision in plain words, in Italian or English, instead of JSON.
    #[arg(long, value_name = "it|en", num_args = 0..=1, default_missing_value = "it")]
    explain: Option<String>,
}

/// What the decisions are written as.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// A JSON document a line, with every ground.
    #[default]
    Ndjson,
    /// A row a line, to be counted and sorted.
    Csv,
}

/// The languages of an explanation, by their tags.
#[derive(Clone, Copy, ValueEnum)]
enum Tag {
    It,
    En,
}

impl From<Tag> for Language {
    fn from(tag: Tag) -> Self {
        match tag {
            Tag::It => Self::Italian,
            Tag::En => Self::English,
        }
    }
}

impl Evaluate {
    pub(super) fn run(self) -> Exit {
        match self.understood() {
            Err(complaint) => {
                complain(complaint);
                Exit::Usage
            }
            Ok((None, is_csv, told)) => evaluate(io::stdin(), None, is_csv, told),
            Ok((Some(path), is_csv, told)) => match open(&path) {
                Ok((file, bytes)) => evaluate(file, bytes, is_csv, told),
                Err(fault) => {
                    complain(format_args!("{}: {fault}", path.display()));
                    Exit::Usage
                }
            },
        }
    }

    /// The file, whether it is CSV, and how to tell the decisions.
    ///
    /// What follows `--explain` is the file if it is no language: nobody has to remember an equals sign.
    fn understood(self) -> Result<(Option<PathBuf>, bool, Told), String> {
        let Self { mut file, csv, output, explain } = self;
        let mut told = match output {
            Output::Ndjson => Told::Json,
            Output::Csv => Told::Table,
        };
        if let Some(word) = explain {
            match Tag::from_str(&word, false) {
                Ok(tag) => told = Told::Words(tag.into()),
                Err(_) if file.is_none() => {
                    (file, told) = (Some(word.into()), Told::Words(Language::Italian));
                }
                Err(_) => return Err(format!("--explain {word}: it or en")),
            }
        }
        let ends_in_csv =
            |path: &PathBuf| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        let is_csv = csv || file.as_ref().is_some_and(ends_in_csv);
        Ok((file, is_csv, told))
    }
}

/// A file, and how long it is if it is a regular one.
fn open(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((file, about.is_file().then_some(about.len())))
}

/// How a decision is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Json,
    Table,
    Words(Language),
}

/// Decides every line of the input onto standard output.
fn evaluate(input: impl Read + Send, bytes: Option<u64>, is_csv: bool, told: Told) -> Exit {
    let mut progress = Progress::start(bytes);
    let outcome =
        decide_all(input, is_csv, told, io::stdout().lock(), |done| progress.advance(done));
    match outcome {
        Ok(done) => {
            progress.end(done);
            if done.bad == 0 {
                return Exit::Done;
            }
            complain(format_args!(
                "{} bad {}; each is reported in its place in the output",
                done.bad,
                if done.bad == 1 { "line" } else { "lines" }
            ));
            Exit::Faults
        }
        Err(Fault::Output(fault)) => written(Err(fault)),
        Err(fault) => {
            complain(fault);
            Exit::Faults
        }
    }
}

/// Decides line by line.
fn decide_all(
    input: impl Read + Send,
    is_csv: bool,
    told: Told,
    mut output: impl Write,
    watch: impl FnMut(Done),
) -> Result<Done, Fault> {
    let mut lines = Lines::new(input);
    let mut bench = Bench { rules: Rules::builtin(), columns: None, told };
    let mut first_line = 1;
    if is_csv {
        let header = lines.first().map_err(Fault::Input)?.unwrap_or_default();
        bench.columns = Some(Columns::parse(&header).map_err(Fault::Header)?);
        first_line = 2;
    }
    if told == Told::Table {
        output.write_all(table::HEADER.as_bytes()).map_err(Fault::Output)?;
    }
    pipeline::run(lines, first_line, &bench, output, watch)
}

/// Where each line is decided, alike on every core.
struct Bench {
    rules: &'static Rules,
    /// Those of a CSV file.
    columns: Option<Columns>,
    told: Told,
}

/// Why a line is not decided.
enum Bad {
    TooLong,
    Row(RowFault),
    Document(ParseError),
}

impl From<Bad> for Problem {
    fn from(bad: Bad) -> Self {
        match bad {
            Bad::TooLong => Kind::BodyTooLarge.into(),
            Bad::Row(fault) => Self::of_row(fault.cell),
            Bad::Document(fault) => fault.into(),
        }
    }
}

impl Judge for Bench {
    fn judge(&self, number: u64, line: &[u8], output: &mut Vec<u8>) -> bool {
        let decided = self.decided(line);
        let is_good = decided.is_ok();
        match (self.told, decided) {
            (Told::Json, Ok(decision)) => output.extend_from_slice(&decision.to_json()),
            (Told::Json, Err(bad)) => {
                output.extend(Problem::from(bad).at_line(number).to_json(Language::English));
            }
            (Told::Words(language), Ok(decision)) => {
                output.extend(decision.explained(language).to_string().into_bytes());
            }
            (Told::Words(language), Err(bad)) => {
                output.extend(Problem::from(bad).at_line(number).to_text(language).into_bytes());
            }
            (Told::Table, Ok(decision)) => table::push_decision(output, number, &decision),
            (Told::Table, Err(bad)) => table::push_problem(output, number, bad),
        }
        // A row ends its line itself, as tables do.
        if self.told != Told::Table {
            output.push(b'\n');
        }
        is_good
    }
}

impl Bench {
    fn decided(&self, line: &[u8]) -> Result<Decision, Bad> {
        if line.len() > LINE_BYTES_MAX {
            return Err(Bad::TooLong);
        }
        let parsed = match &self.columns {
            None => parse_submitted(line.trim_ascii(), self.rules),
            Some(columns) => {
                let mut json = Vec::with_capacity(2 * line.len());
                columns.to_json(line, &mut json).map_err(Bad::Row)?;
                parse_submitted(&json, self.rules)
            }
        };
        let (application, submitted_on) = parsed.map_err(Bad::Document)?;
        Ok(self.rules.decide(&application, submitted_on))
    }
}

#[cfg(test)]
mod tests;
