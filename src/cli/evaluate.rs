//! `sportello evaluate`: the rules engine alone, over lines.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter},
    path::PathBuf,
};

use clap::Args;

use super::{Exit, complain};
use crate::{
    application::parse_submitted,
    civic::Language,
    http::problem::{Kind, Problem},
    schemes::Rules,
};

/// Bytes of a line; a longer one is a bad line, not a bad run.
const LINE_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello evaluate applications.ndjson > decisions.ndjson\n\nEach line is an application with the field \"submittedOn\": \"2024-09-16\" besides. A bad line becomes a problem\nwith its line number; the exit code is 1 then."
)]
pub(super) struct Evaluate {
    /// The applications, one JSON document a line; standard input if left out.
    file: Option<PathBuf>,
}

impl Evaluate {
    pub(super) fn run(self) -> Exit {
        let input: Box<dyn BufRead> = match &self.file {
            None => Box::new(io::stdin().lock()),
            Some(path) => match File::open(path) {
                Ok(file) => Box::new(BufReader::new(file)),
                Err(fault) => {
                    complain(format_args!("{}: {fault}", path.display()));
                    return Exit::Usage;
                }
            },
        };
        match evaluate(input, BufWriter::new(io::stdout().lock())) {
            Ok(0) => Exit::Done,
            Ok(bad) => {
                complain(format_args!(
                    "{bad} bad lines; each is reported in its place in the output"
                ));
                Exit::Faults
            }
            Err(fault) => {
                complain(fault);
                Exit::Faults
            }
        }
    }
}

/// Decides line by line and returns how many lines were bad.
fn evaluate(mut input: impl BufRead, mut output: impl io::Write) -> io::Result<u64> {
    let rules = Rules::builtin();
    let mut bad = 0;
    let mut line = Vec::new();
    for number in 1_u64.. {
        let whole = read_line(&mut input, &mut line)?;
        if line.is_empty() {
            break;
        }
        let parsed = if whole {
            parse_submitted(line.trim_ascii(), rules).map_err(Problem::from)
        } else {
            Err(Kind::BodyTooLarge.into())
        };
        match parsed {
            Ok((application, submitted_on)) => {
                output.write_all(&rules.decide(&application, submitted_on).to_json())?;
            }
            Err(problem) => {
                bad += 1;
                output.write_all(&problem.at_line(number).to_json(Language::English))?;
            }
        }
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(bad)
}

/// Reads a line into `line`, empty at the end; returns false for one past its bound, whose rest is skipped.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut whole = true;
    loop {
        let chunk = input.fill_buf()?;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(chunk.len(), |end| end + 1);
        if line.len() + taken > LINE_BYTES_MAX {
            whole = false;
        }
        let room = LINE_BYTES_MAX.saturating_sub(line.len()).min(taken);
        line.extend_from_slice(&chunk[..room]);
        input.consume(taken);
        if end.is_some() || taken == 0 {
            return Ok(whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{application, civic::FiscalCode};

    #[test]
    fn every_line_gets_its_line_and_bad_ones_their_number() {
        let good = application::example(&FiscalCode::made_up(1), 2024).replace('\n', " ");
        let good = good.trim().replacen('{', "{\"submittedOn\":\"2024-09-16\",", 1);
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let input = format!("{good}\nnot json\n\n{long}\n{good}");
        let mut output = Vec::new();
        assert_eq!(evaluate(input.as_bytes(), &mut output).unwrap(), 3);
        let lines: Vec<serde_json::Value> = output
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[0]["outcome"], "granted");
        assert_eq!(lines[0], lines[4]);
        for (index, number) in [(1, 2), (2, 3), (3, 4)] {
            assert_eq!(lines[index]["line"], number, "{}", lines[index]);
            assert!(lines[index]["type"].as_str().unwrap().starts_with("urn:sportello:problem:"));
        }
    }
}
