//! The rows of a file, one after the other.

use bytes::{Buf as _, Bytes};

use super::super::{ParseError, fields::is_mandate_reference, form::Entries, parse_bounded};
use super::{
    SHEET_BYTES_MAX, SHEET_ROWS_MAX,
    cells::Table,
    columns::{Columns, MANDATE},
    fault::FileFault,
    row::{CellFault, Row},
};
use crate::civic::Language;
use crate::schemes::Rules;

/// Endings of names of files that may hold a table or NDJSON.
const ENDINGS: [&str; 5] = ["csv", "txt", "ndjson", "jsonl", "json"];

/// The rows of a file.
pub struct Rows<'r> {
    rules: &'r Rules,
    language: Language,
    /// `None` for NDJSON.
    table: Option<Table>,
    rest: Bytes,
    /// The number of the line read last.
    number: usize,
}

impl<'r> Rows<'r> {
    /// Opens a file by its name and content. A table has the columns of `columns`; lines of NDJSON name their campaigns
    /// themselves.
    ///
    /// # Errors
    /// [`FileFault`]: no row of it is read.
    pub fn open(
        columns: Columns,
        rules: &'r Rules,
        name: &str,
        content: Bytes,
    ) -> Result<Self, FileFault> {
        if content.is_empty() {
            return Err(if name.is_empty() { FileFault::None } else { FileFault::Empty });
        }
        if content.len() > SHEET_BYTES_MAX {
            return Err(FileFault::TooLarge);
        }
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        if ending.is_some_and(|ending| !ENDINGS.contains(&ending.as_str()))
            || memchr::memchr(0, &content).is_some()
        {
            return Err(FileFault::Type);
        }
        let mut rest = content;
        if rest.starts_with(b"\xef\xbb\xbf") {
            rest.advance(3);
        }
        let language = columns.language;
        let mut rows = Self { rules, language, table: None, rest, number: 0 };
        if rows.rest.trim_ascii_start().first() != Some(&b'{') {
            let first = rows.line().ok_or(FileFault::Empty)?;
            rows.table = Some(Table::open(columns, &first)?);
        }
        match memchr::memchr_iter(b'\n', rows.rest.trim_ascii_end()).count() {
            _ if rows.rest.trim_ascii().is_empty() => Err(FileFault::Empty),
            ends if ends >= SHEET_ROWS_MAX => Err(FileFault::TooManyRows),
            _ => Ok(rows),
        }
    }

    /// The next line without its end.
    fn line(&mut self) -> Option<Bytes> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let end = memchr::memchr(b'\n', &self.rest);
        let mut line = self.rest.split_to(end.unwrap_or(self.rest.len()));
        if end.is_some() {
            self.rest.advance(1);
        }
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        Some(line)
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            let line = self.line()?;
            match &self.table {
                Some(table) if table.is_blank(&line) => {}
                Some(table) => return Some(table.row(self.number, &line, self.rules)),
                None if line.trim_ascii().is_empty() => {}
                None => return Some(document(self.number, &line, self.rules, self.language)),
            }
        }
    }
}

/// A line of NDJSON. Its bytes are the key by which it is known when it is sent again, so none is changed.
fn document(number: usize, line: &Bytes, rules: &Rules, language: Language) -> Row {
    let entries = Entries::from_document(line).unwrap_or_default();
    let mandate = Some(entries.of(MANDATE)).filter(|text| is_mandate_reference(text));
    let mandate = mandate.unwrap_or_default().to_owned();
    let faults = match parse_bounded(line, rules) {
        Ok(application) if application.mandate.is_none() => vec![CellFault::new(
            MANDATE,
            language
                .of("Scrivi il riferimento della delega.", "Enter the reference of the mandate."),
        )],
        Ok(_) => Vec::new(),
        Err(ParseError::Malformed { column, fault, .. }) => {
            let at = language.of("Carattere", "Character");
            vec![CellFault::new("", &format!("{} {at} {column}.", fault.detail(language)))]
        }
        Err(ParseError::Invalid(faults)) => faults
            .iter()
            .map(|fault| {
                let column = fault.pointer.trim_start_matches('/').replace('/', ".");
                CellFault { column, text: fault.detail(language) }
            })
            .collect(),
    };
    Row { number, mandate, json: line.to_vec(), entries, faults }
}
