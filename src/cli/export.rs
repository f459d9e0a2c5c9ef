//! `sportello export`: applications and decisions for downstream offices, in the order of receipt codes, which hides the
//! order of arrival.

use std::{
    error::Error,
    io::{self, BufWriter, Write},
};

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{Exit, complain, ledgers::Ledgers, progress, written};
use crate::{
    ledger::snapshot::Filed,
    schemes::{Campaign, Rules, Scheme},
};

/// Lines between two updates of the progress display.
const PROGRESS_LINES: u64 = 10_000;
/// Columns of the CSV table. Add new ones at the end only: readers rely on the order.
const COLUMNS: &str = "receipt,state,receivedOn,channel,fiscalCode,iban,outcome,monthlyAmount,grossTotal,withheldMonthly,months,startsOn,endsOn,parameters";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sportello export --data ./data --scheme iscro > iscro.ndjson\n  sportello export --data ./data --campaign iscro-2024 --format csv > iscro-2024.csv\n\nThe server may run meanwhile: each campaign is exported as of the moment at which its export begins. Withdrawn applications\nare included, with their state; erased ones are not."
)]
pub(super) struct Export {
    #[command(flatten)]
    ledgers: Ledgers,
    /// Only this scheme, such as `iscro`.
    #[arg(long, value_name = "S", value_parser = scheme)]
    scheme: Option<Scheme>,
    /// Only this campaign, such as `iscro-2024`.
    #[arg(long, value_name = "C", value_parser = campaign)]
    campaign: Option<Campaign>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON document per line: application and decision, complete.
    Ndjson,
    /// A table of payments: who gets how much, and when.
    Csv,
}

pub(super) fn scheme(name: &str) -> Result<Scheme, String> {
    let names = Scheme::ALL.map(Scheme::as_str).join(", ");
    Scheme::from_name(name).ok_or_else(|| format!("there is no such scheme; schemes: {names}"))
}

pub(super) fn campaign(name: &str) -> Result<Campaign, String> {
    let known = |campaign: &Campaign| Rules::builtin().window(*campaign).is_some();
    Campaign::from_name(name).filter(known).ok_or_else(|| {
        let names: Vec<_> =
            Rules::builtin().campaigns().map(|window| window.campaign.to_string()).collect();
        format!("there is no such campaign; campaigns: {}", names.join(", "))
    })
}

impl Export {
    pub(super) fn run(self) -> Exit {
        match self.export() {
            Ok(()) => Exit::Done,
            Err(fault) => match fault.downcast::<io::Error>() {
                Ok(fault) => written(Err(*fault)),
                Err(fault) => {
                    complain(fault);
                    Exit::Usage
                }
            },
        }
    }

    fn export(self) -> Result<(), Box<dyn Error>> {
        let Self { ledgers, scheme, campaign, format } = self;
        let place = ledgers.find()?;
        let tools = place.tools()?;
        place.note("export")?;
        let mut out = BufWriter::new(io::stdout().lock());
        if format == Format::Csv {
            out.write_all(format!("{COLUMNS}\r\n").as_bytes())?;
        }
        let mut lines = 0_u64;
        for campaign in campaigns(scheme, campaign) {
            let Some(all) = tools.filed(campaign)? else { continue };
            for filed in all {
                match format {
                    Format::Ndjson => write_document(&mut out, &filed?)?,
                    Format::Csv => write_row(&mut out, &filed?)?,
                }
                lines += 1;
                if lines.is_multiple_of(PROGRESS_LINES) {
                    progress(format_args!("{lines} exported"));
                }
            }
        }
        Ok(out.flush()?)
    }
}

/// All campaigns, those of a scheme, or one.
fn campaigns(scheme: Option<Scheme>, chosen: Option<Campaign>) -> impl Iterator<Item = Campaign> {
    let campaigns = Rules::builtin().campaigns().map(|window| window.campaign);
    campaigns
        .filter(move |campaign| scheme.is_none_or(|scheme| campaign.scheme == scheme))
        .filter(move |campaign| chosen.is_none_or(|one| *campaign == one))
}

/// Writes application and decision as they are stored, on one line.
fn write_document(out: &mut impl Write, filed: &Filed) -> io::Result<()> {
    let application = on_one_line(&filed.application);
    let decision = on_one_line(filed.decision.as_deref().unwrap_or(b"null"));
    let (code, header) = (filed.code, &filed.header);
    writeln!(
        out,
        r#"{{"receipt":"{code}","state":"{}","receivedOn":"{}","channel":"{}","application":{application},"decision":{decision}}}"#,
        filed.state.as_str(),
        header.received_on,
        header.channel.as_str(),
    )
}

/// The same JSON on one line. JSON escapes line breaks within strings, so every raw one is white space between tokens.
fn on_one_line(json: &[u8]) -> String {
    String::from_utf8_lossy(json).replace(['\n', '\r'], " ")
}

/// Writes one row. Cells need no quotes: each is a code, a number or a date that was checked when it was received.
fn write_row(out: &mut impl Write, filed: &Filed) -> Result<(), Box<dyn Error>> {
    let application: Value = serde_json::from_slice(&filed.application)?;
    let decision: Value =
        filed.decision.as_deref().map_or(Ok(Value::Null), serde_json::from_slice)?;
    let header = &filed.header;
    let received_on = header.received_on.to_string();
    let code = filed.code.to_string();
    let mut cells = vec![
        code,
        filed.state.as_str().to_owned(),
        received_on,
        header.channel.as_str().to_owned(),
    ];
    cells.push(cell(&application["applicant"]["fiscalCode"]));
    cells.push(cell(&application["payment"]["iban"]));
    let columns = COLUMNS.split(',').skip(cells.len());
    cells.extend(columns.map(|column| cell(&decision[column])));
    write!(out, "{}\r\n", cells.join(","))?;
    Ok(())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        // Removes the spaces of an IBAN written in groups of four; no other cell has spaces or commas.
        Value::String(text) => text
            .chars()
            .filter(|sign| sign.is_ascii_alphanumeric() || "-.".contains(*sign))
            .collect(),
        other => other.to_string(),
    }
}
