//! `sportello metrics`: the table of metrics.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Exit, say};
use crate::metrics::{ALL, Kind, Metric};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello metrics | grep audit\n  sportello metrics --format json | jq '.[].name'\n\nOne line per metric. A running server shows the values under /metrics of its operator listener."
)]
pub(super) struct Metrics {
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a line per metric.
    Table,
    /// For programs: an array with name, type, unit, labels, help and the bounds of buckets.
    Json,
}

impl Metrics {
    /// Prints the table.
    pub(super) fn run(&self) -> Exit {
        match self.format {
            Format::Table => table(),
            Format::Json => as_json(),
        }
    }
}

fn table() -> Exit {
    let lines = ALL.iter().map(|Metric { name, kind, labels, help, .. }| {
        let labels = if labels.is_empty() { "-".to_owned() } else { labels.join(",") };
        format!("{name:<40} {:<9} {labels:<19} {help}", kind.as_str())
    });
    let head = format!("{:<40} {:<9} {:<19} HELP", "NAME", "TYPE", "LABELS");
    say([head].into_iter().chain(lines).collect::<Vec<_>>().join("\n"))
}

fn as_json() -> Exit {
    // A metric a line: a new one changes one line.
    let lines = ALL.iter().map(|Metric { name, kind, unit, labels, help }| {
        let (kind, unit) = (*kind, unit.as_str());
        let buckets = if let Kind::Histogram(bounds) = kind { Some(bounds) } else { None };
        let mut metric = json!({ "name": name, "type": kind.as_str(), "unit": unit, "labels": labels, "help": help });
        if let Some(bounds) = buckets {
            metric["buckets"] = json!(bounds);
        }
        format!("  {metric}")
    });
    say(format!("[\n{}\n]", lines.collect::<Vec<_>>().join(",\n")))
}
