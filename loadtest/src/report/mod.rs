//! The three views of a summary: text for the terminal, JSON for machines, HTML to keep.

pub mod html;
pub mod plots;
pub mod text;

use std::{io, path::Path};

use crate::summary::Summary;

/// Writes the JSON twin of the report to `path`.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_json(summary: &Summary, path: &Path) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(summary).map_err(io::Error::other)?;
    text.push('\n');
    std::fs::write(path, text)
}

/// Writes the HTML report to `path`.
///
/// # Errors
///
/// When a plot cannot be drawn or the file not be written.
pub fn write_html(summary: &Summary, path: &Path) -> io::Result<()> {
    std::fs::write(path, html::page(summary)?)
}

/// The one sentence that must stand beside the latencies of a closed loop.
pub const CLOSED_LOOP_NOTE: &str = "Closed loop: each worker waits for its reply before it sends again. \
This finds throughput; these latencies are not what citizens who come on their own would wait.";
