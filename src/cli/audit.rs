//! `sportello audit`: who read or changed one person's data, and when; and what operators did.

use std::{error::Error, io::Write as _};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Exit, complain, house::House, written};
use crate::{
    civic::{FiscalCode, local_time::rfc3339},
    ledger::audit::{Line, Search, controls},
    schemes::Rules,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello audit --data ./data --fiscal-code RSSMRA80A01H501U\n\nThe server may run meanwhile. The output is personal data, and the audit trail records who asked."
)]
#[group(skip)]
pub(super) struct Audit {
    #[command(flatten)]
    house: House,
    /// Person whose data were read or changed.
    #[arg(long, value_name = "CF", required_unless_present = "controls")]
    fiscal_code: Option<String>,
    /// Show instead what this person did, to their own data and to those of others.
    #[arg(long, requires = "fiscal_code")]
    by: bool,
    /// Show what operators and the server itself did, for no particular person.
    #[arg(long, conflicts_with = "fiscal_code")]
    controls: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line per event, for people.
    Text,
    /// One JSON document per event.
    Ndjson,
}

fn parse(code: &str) -> Result<FiscalCode, String> {
    FiscalCode::parse(code).map_err(|fault| format!("--fiscal-code: {fault}"))
}

impl Audit {
    pub(super) fn run(self) -> Exit {
        self.answer().unwrap_or_else(|fault| {
            complain(fault);
            Exit::Usage
        })
    }

    fn answer(&self) -> Result<Exit, Box<dyn Error>> {
        let directory = self.house.ledgers()?;
        if let Some(code) = &self.fiscal_code {
            self.house
                .note(&format!("audit of {:?}", self.house.keys()?.subject(&parse(code)?)))?;
        }
        let lines = match &self.fiscal_code {
            None => controls(&directory)?
                .into_iter()
                .map(|(at, what)| self.control(&rfc3339(at), &what))
                .collect(),
            Some(code) => {
                let code = parse(code)?;
                let search = Search::of(&directory, self.house.keys()?, &code);
                let campaigns = Rules::builtin().campaigns().map(|window| window.campaign);
                let lines = if self.by { search.done_by() } else { search.done_to(campaigns) };
                lines?.iter().map(|line| self.line(line)).collect::<Vec<_>>()
            }
        };
        let mut out = std::io::stdout().lock();
        let printed = lines.iter().try_for_each(|line| writeln!(out, "{line}"));
        Ok(written(printed.and_then(|()| out.flush())))
    }

    fn control(&self, at: &str, what: &str) -> String {
        match self.format {
            Format::Text => format!("{at}  {what}"),
            Format::Ndjson => json!({ "at": at, "what": what }).to_string(),
        }
    }

    fn line(&self, line: &Line) -> String {
        let Line { at, what, receipt, by, office } = line;
        let at = rfc3339(*at);
        if self.format == Format::Ndjson {
            return json!({ "at": at, "what": what, "receipt": receipt, "by": by, "office": office }).to_string();
        }
        let mut text = format!("{at}  {what:<22}");
        if let Some(receipt) = receipt {
            text = format!("{text}  {receipt}");
        }
        text = format!("{text}  by {}", by.as_deref().unwrap_or("the counter"));
        if let Some(office) = office {
            text = format!("{text} of {office}");
        }
        text
    }
}
