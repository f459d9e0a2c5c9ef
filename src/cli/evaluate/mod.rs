//! `sportello evaluate`: decides applications line by line, without a server.

mod bad_line;
mod table;

use std::{
    io::{self, Read, Write},
    path::PathBuf,
};

use clap::{Args, ValueEnum};

use self::bad_line::BadLine;
use super::{
    Exit,
    by_line::{self, Done, Fault, LINE_BYTES_MAX, LineHandler, Lines},
    complain,
};
use crate::{
    application::{Columns, parse_submitted},
    civic::Language,
    http::problem::Problem,
    schemes::{Decision, Rules},
};

const EXAMPLES: &str = r#"Example:
  sportello evaluate applications.ndjson > decisions.ndjson
  sportello evaluate --output csv applications.csv > decisions.csv
  sportello evaluate --explain applications.csv | less

Each line is an application with one more field, such as "submittedOn": "2024-09-16". A bad line becomes a problem
with its line number, in its place, and the exit code is 1. A line has at most 64 KiB.

CSV: the first row names the columns by the path to a field:
  scheme,year,submittedOn,applicant.fiscalCode,...,incomes.2023.line,incomes.2023.amount,...,earlierBenefits.1.begunIn
An empty cell omits its field; true, false and null are JSON literals. The separator is a comma or a semicolon.
A cell cannot contain a line break.

Decisions as CSV (RFC 4180): a first row of names, then one row for each line of the input, in order:
  line             number of the line in the input, counting the first row of a CSV file
  outcome          granted, refused, pending or review; empty for a bad line, as the next eight are
  parameters       the campaign whose parameters were used, such as iscro-2024
  monthlyAmount    in euro, as the next two; this and the next five are empty unless granted
  grossTotal
  withheldMonthly
  months
  startsOn         YYYY-MM-DD, as the next
  endsOn
  unmet            requirements not met or not known to be met, separated by spaces
  problem          the problem of a bad line, such as invalid-application
  faults           its faults, separated by spaces, as code:place; a place is a JSON pointer (in URI form, RFC 6901
                   section 6), a column or a cell
No cell contains text of an application, except names of unknown fields, in which all but letters, digits and -._~
is percent-encoded: so no spreadsheet program takes a cell for a formula."#;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Evaluate {
    /// The applications, one on each line, as JSON or, if the name ends in .csv, as CSV; default: standard input.
    file: Option<PathBuf>,
    /// Read CSV, whatever the name of the file.
    #[arg(long)]
    csv: bool,
    /// The format of the decisions.
    #[arg(long, value_enum, default_value_t, conflicts_with = "explain")]
    output: Output,
    /// Explain each decision in plain Italian or English, instead of JSON.
    #[arg(long, value_name = "it|en", num_args = 0..=1, default_missing_value = "it")]
    explain: Option<String>,
}

/// The format of the decisions.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// One JSON document on each line, with every ground.
    #[default]
    Ndjson,
    /// One row for each line, for spreadsheets.
    Csv,
}

/// The languages of explanations, by their tags.
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
            Ok((file, is_csv, style)) => by_line::on_input(file, |lines, watch| {
                decide_all(lines, is_csv, style, io::stdout().lock(), watch)
            }),
        }
    }

    /// The file, whether it is CSV, and the form of the decisions.
    ///
    /// A value of `--explain` that is not a language is the file, so that `--explain FILE` works without an equals
    /// sign.
    fn understood(self) -> Result<(Option<PathBuf>, bool, Style), String> {
        let Self { mut file, csv, output, explain } = self;
        let mut style = match output {
            Output::Ndjson => Style::Json,
            Output::Csv => Style::Table,
        };
        if let Some(word) = explain {
            match Tag::from_str(&word, false) {
                Ok(tag) => style = Style::Words(tag.into()),
                Err(_) if file.is_none() => {
                    (file, style) = (Some(word.into()), Style::Words(Language::Italian));
                }
                Err(_) => return Err(format!("--explain {word}: the language must be it or en")),
            }
        }
        let ends_in_csv =
            |path: &PathBuf| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        let is_csv = csv || file.as_ref().is_some_and(ends_in_csv);
        Ok((file, is_csv, style))
    }
}

/// The form in which decisions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Json,
    Table,
    Words(Language),
}

/// Decides line by line.
fn decide_all(
    mut lines: Lines<impl Read + Send>,
    is_csv: bool,
    style: Style,
    mut output: impl Write,
    watch: impl FnMut(Done),
) -> Result<Done, Fault> {
    let mut evaluator = Evaluator { rules: Rules::builtin(), columns: None, style };
    let mut first_line = 1;
    if is_csv {
        let header = lines.first().map_err(Fault::Input)?.unwrap_or_default();
        evaluator.columns = Some(Columns::parse(&header).map_err(Fault::Header)?);
        first_line = 2;
    }
    if style == Style::Table {
        output.write_all(table::HEADER.as_bytes()).map_err(Fault::Output)?;
    }
    by_line::run(lines, first_line, &evaluator, output, watch)
}

/// Decides lines, on any thread.
struct Evaluator {
    rules: &'static Rules,
    /// The columns of a CSV file.
    columns: Option<Columns>,
    style: Style,
}

impl LineHandler for Evaluator {
    fn handle(&self, number: u64, line: &[u8], output: &mut Vec<u8>) -> bool {
        let decided = self.decided(line);
        let is_good = decided.is_ok();
        match (self.style, decided) {
            (Style::Json, Ok(decision)) => output.extend_from_slice(&decision.to_json()),
            (Style::Json, Err(bad)) => {
                output.extend(Problem::from(bad).at_line(number).to_json(Language::English));
            }
            (Style::Words(language), Ok(decision)) => {
                output.extend(decision.explained(language).to_string().into_bytes());
            }
            (Style::Words(language), Err(bad)) => {
                output.extend(Problem::from(bad).at_line(number).to_text(language).into_bytes());
            }
            (Style::Table, Ok(decision)) => table::push_decision(output, number, &decision),
            (Style::Table, Err(bad)) => table::push_problem(output, number, bad),
        }
        // A CSV row already has its end.
        if self.style != Style::Table {
            output.push(b'\n');
        }
        is_good
    }
}

impl Evaluator {
    fn decided(&self, line: &[u8]) -> Result<Decision, BadLine> {
        if line.len() > LINE_BYTES_MAX {
            return Err(BadLine::TooLong);
        }
        let parsed = match &self.columns {
            None => parse_submitted(line.trim_ascii(), self.rules),
            Some(columns) => {
                let mut json = Vec::with_capacity(2 * line.len());
                columns.to_json(line, &mut json).map_err(BadLine::Row)?;
                parse_submitted(&json, self.rules)
            }
        };
        let (application, submitted_on) = parsed.map_err(BadLine::Document)?;
        Ok(self.rules.decide(&application.facts, submitted_on))
    }
}

#[cfg(test)]
mod tests;
