//! Input: the body of a form with a file, as a browser posts it. Each part is opened as the file of an office: its rows are
//! applications, or each has a fault.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sportello::{
    application::{
        parse,
        sheet::{Columns, Rows, template},
    },
    civic::Language,
    http::multipart::{boundary, parts},
    schemes::{Campaign, Rules},
};

const CAMPAIGNS: [&str; 2] = ["iscro-2024", "allowance600-2020"];

fuzz_target!(|body: &[u8]| {
    let boundary = boundary("multipart/form-data; boundary=x").expect("a boundary");
    let body = Bytes::copy_from_slice(body);
    let Some(found) = parts(boundary, &body) else { return };
    assert!(found.iter().map(|part| part.content.len()).sum::<usize>() < body.len());
    for part in found {
        let name = part.file_name.unwrap_or_default();
        for campaign in CAMPAIGNS {
            for language in [Language::Italian, Language::English] {
                check(campaign, language, &name, part.content.clone());
                // Below the template's first rows, where a fuzzer gets to the cells.
                let table = template(&columns(campaign, language)).into_bytes();
                check(campaign, language, "", [&table, &part.content[..]].concat().into());
            }
        }
    }
});

fn columns(campaign: &str, language: Language) -> Columns {
    let campaign = Campaign::from_name(campaign).expect("a campaign");
    Columns::of(campaign, Rules::builtin(), language).expect("it has rules")
}

fn check(campaign: &str, language: Language, name: &str, content: Bytes) {
    let lines = content.split(|byte| *byte == b'\n').count();
    let columns = columns(campaign, language);
    let rows = match Rows::open(columns, Rules::builtin(), name, content) {
        Ok(rows) => rows,
        Err(fault) => return assert!(!fault.text(language).is_empty()),
    };
    let mut last = 0;
    for row in rows {
        assert!(last < row.number && row.number <= lines, "{} of {lines}", row.number);
        last = row.number;
        assert!(row.faults.iter().all(|fault| !fault.text.is_empty()));
        if row.faults.is_empty() {
            let application = parse(&row.json, Rules::builtin()).expect("it has no fault");
            assert_eq!(application.mandate.as_deref(), Some(row.mandate.as_str()));
        }
    }
}
