//! The file to fill in, with one example.

use super::super::{
    example, example_allowance600,
    form::{Entries, Field, Kind},
};
use super::{
    columns::{Columns, written},
    line::{BYTE_ORDER_MARK, line},
};
use crate::civic::{FiscalCode, Language};
use crate::schemes::Scheme;

/// The mandate of the example, which no office has.
const EXAMPLE_MANDATE: (&str, &str) = ("ESEMPIO-1", "EXAMPLE-1");

/// The first row of a table, and a row with an example.
#[must_use]
pub fn template(columns: &Columns) -> String {
    let (person, language) = (FiscalCode::made_up(0), columns.language);
    let text = match columns.campaign.scheme {
        Scheme::Iscro => example(&person, columns.campaign.year),
        Scheme::Allowance600 => example_allowance600(&person),
    };
    let entries = Entries::from_document(text.as_bytes()).unwrap_or_default();
    let mandate = language.of(EXAMPLE_MANDATE.0, EXAMPLE_MANDATE.1);
    let cells = columns.fields.iter().map(|field| cell(field, &entries, language));
    let cells: Vec<_> = std::iter::once(mandate.to_owned()).chain(cells).collect();
    let first = line(columns.names(), language);
    let example = line(cells.iter().map(String::as_str), language);
    [BYTE_ORDER_MARK, &first, &example].concat()
}

/// A cell that a spreadsheet leaves as it is: it drops zeros and signs before digits.
fn cell(field: &Field, entries: &Entries, language: Language) -> String {
    let shown = field.shown(entries, language);
    match field.kind {
        Kind::Flag | Kind::Statement | Kind::Choice(_) => written(&shown, language).to_owned(),
        Kind::Year(_) if !shown.is_empty() => language.of("sì", "yes").to_owned(),
        Kind::VatNumber if !shown.is_empty() => format!("IT{shown}"),
        Kind::Phone => match shown.strip_prefix("+39").and_then(|own| own.split_at_checked(2)) {
            Some((area, number)) => format!("{area} {number}"),
            None => shown,
        },
        _ => shown,
    }
}
