//! `sportello metrics`: the table of metrics.

use clap::Args;

use super::{Exit, say};
use crate::metrics::{ALL, Metric};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello metrics | grep audit\n\nOne line per metric. A running server shows the values under /metrics of its operator listener."
)]
pub(super) struct Metrics;

/// Prints the table.
pub(super) fn list() -> Exit {
    let lines = ALL.iter().map(|Metric { name, kind, labels, help, .. }| {
        let labels = if labels.is_empty() { "-".to_owned() } else { labels.join(",") };
        format!("{name:<40} {:<9} {labels:<19} {help}", kind.as_str())
    });
    let head = format!("{:<40} {:<9} {:<19} HELP", "NAME", "TYPE", "LABELS");
    say([head].into_iter().chain(lines).collect::<Vec<_>>().join("\n"))
}
