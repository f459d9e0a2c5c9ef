//! Input: a CSV table of applications. Each row below the header becomes one JSON document, or its first faulty cell is
//! reported.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sportello::{
    application::{Columns, HeaderFault, ParseError, parse_submitted},
    schemes::Rules,
};

fuzz_target!(|table: &[u8]| {
    let lines = table.split(|byte| *byte == b'\n');
    let mut rows = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let header = rows.next().unwrap_or_default();
    let columns = match Columns::parse(header) {
        Ok(columns) => columns,
        Err(fault) => {
            if let HeaderFault::Name(column) | HeaderFault::Twice(column) = fault {
                assert!((1..=header.len() + 1).contains(&column), "{fault}");
            }
            return;
        }
    };
    let mut json = b"what was there before".to_vec();
    for row in rows {
        match columns.to_json(row, &mut json) {
            Ok(()) => is_what_the_row_says(header, row, &json),
            Err(fault) => assert!((1..=row.len() + 2).contains(&fault.cell), "{fault:?}"),
        }
    }
});

fn is_what_the_row_says(header: &[u8], row: &[u8], json: &[u8]) {
    let document: Value = serde_json::from_slice(json).expect("a row becomes a JSON document");
    assert!(document.is_object());
    let parsed = parse_submitted(json, Rules::builtin());
    assert!(!matches!(parsed, Err(ParseError::Malformed { .. })), "{parsed:?}");
    let header = std::str::from_utf8(header).expect("the header was parsed");
    let row = std::str::from_utf8(row).expect("the row was parsed");
    let mut said = Vec::new();
    leaves(&document, &mut said);
    for text in &said {
        let is_in =
            |cells: &str| cells.contains(text) || cells.contains(&text.replace('"', "\"\""));
        // The years of incomes are in the header.
        assert!(is_in(row) || is_in(header), "{text:?} is not in the table");
    }
    if !row.contains('"') {
        let separator = if header.contains(';') { ";" } else { "," };
        let filled = row.split(separator).filter(|cell| !cell.is_empty()).count();
        assert!(said.len() >= filled, "a cell is lost");
        assert!(said.len() == filled || header.contains("incomes"), "a cell is invented");
        let quoted: Vec<_> = row.split(separator).map(|cell| format!("\"{cell}\"")).collect();
        let columns = Columns::parse(header.as_bytes()).expect("the header was parsed before");
        let mut again = Vec::new();
        let result = columns.to_json(quoted.join(separator).as_bytes(), &mut again);
        assert_eq!((result, again.as_slice()), (Ok(()), json), "quoting changes the document");
    }
}

/// Every string, number, boolean and null of the document.
fn leaves(value: &Value, said: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, said)),
        Value::Array(elements) => elements.iter().for_each(|element| leaves(element, said)),
        Value::String(text) => said.push(text.clone()),
        other => said.push(other.to_string()),
    }
}
