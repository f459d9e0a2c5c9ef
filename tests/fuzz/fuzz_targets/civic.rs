//! Input: an identifier, amount or date. A parsed value prints as its text, and only one check digit is valid.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sportello::{
    civic::{
        Euro, FiscalCode, Iban, VatNumber,
        calendar::{Written, parse_date},
        euro::AMOUNT_CENTS_MAX,
        fiscal_code::FISCAL_CODE_CHARS,
        iban::IBAN_CHARS,
        vat_number::VAT_NUMBER_DIGITS,
    },
    schemes::Campaign,
};

fuzz_target!(|text: &str| {
    if let Ok(amount) = Euro::parse(text) {
        assert_eq!(Euro::parse(&amount.to_string()), Ok(amount), "{text:?}");
        assert!(amount.cents().abs() <= AMOUNT_CENTS_MAX);
    }
    if let Some(day) = parse_date(text) {
        assert_eq!(Written(day).to_string(), text);
    }
    if let Some(campaign) = Campaign::from_name(text) {
        assert_eq!(campaign.to_string(), text);
    }
    // Each is also tried with every other check digit: so valid ones occur, and at most one may pass.
    let all_but_last = || text.char_indices().next_back().map_or("", |(at, _)| &text[..at]);
    match text.len() {
        FISCAL_CODE_CHARS => {
            let others = ('A'..='Z').map(|letter| format!("{}{letter}", all_but_last()));
            at_most_one(text, others, |text| {
                FiscalCode::parse(text).ok().map(|code| {
                    assert!(
                        !format!("{code:?}").contains(&text[3..14]),
                        "Debug shows the fiscal code"
                    );
                    code.as_str().to_owned()
                })
            });
        }
        VAT_NUMBER_DIGITS => {
            let others = (0..10).map(|digit| format!("{}{digit}", all_but_last()));
            at_most_one(text, others, |text| {
                VatNumber::parse(text).ok().map(|number| number.as_str().to_owned())
            });
        }
        IBAN_CHARS => {
            let account = text.get(4..).unwrap_or_default();
            let others = (0..100).map(|check| format!("IT{check:02}{account}"));
            at_most_one(text, others, |text| {
                Iban::parse(text).ok().map(|iban| iban.as_str().to_owned())
            });
        }
        _ => {
            assert!(FiscalCode::parse(text).is_err());
            assert!(VatNumber::parse(text).is_err());
            assert!(Iban::parse(text).is_err());
        }
    }
});

fn at_most_one(
    text: &str,
    others: impl Iterator<Item = String>,
    read: impl Fn(&str) -> Option<String>,
) {
    if let Some(printed) = read(text) {
        assert_eq!(printed, text);
    }
    let passed: Vec<String> = others.filter_map(|other| read(&other)).collect();
    assert!(passed.len() <= 1, "more than one check digit passes: {passed:?}");
}
