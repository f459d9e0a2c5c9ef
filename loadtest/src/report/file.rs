//! Report files: one JSON document or one HTML page each.

use std::{fs, io, path::Path};

use serde::Serialize;

use crate::fault::Fault;

/// Writes `report` to `path` as JSON.
///
/// # Errors
///
/// When the file cannot be written.
pub(crate) fn write_json(path: &Path, report: &impl Serialize) -> Result<(), Fault> {
    let text = serde_json::to_string_pretty(report).map_err(io::Error::other);
    write(path, text.map(|text| text + "\n"))
}

/// Writes `text`, such as an HTML page, to `path`.
///
/// # Errors
///
/// When the text could not be made, or the file cannot be written.
pub(crate) fn write(path: &Path, text: io::Result<String>) -> Result<(), Fault> {
    let outcome = text.and_then(|text| fs::write(path, text));
    outcome.map_err(|source| Fault::Unwritten { path: path.to_owned(), source })
}
