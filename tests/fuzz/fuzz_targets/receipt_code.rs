//! A receipt code as a person types it: any text is refused, or prints as it was parsed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sportello::{ledger::ReceiptCode, vault::HouseKeys};

static KEYS: LazyLock<HouseKeys> = LazyLock::new(|| HouseKeys::from_master(&[7; 32]));

fuzz_target!(|text: &str| {
    let Some(code) = ReceiptCode::parse(text) else { return };
    let printed = code.to_string();
    assert_eq!(ReceiptCode::parse(&printed), Some(code), "{text:?}");
    assert_eq!(printed.len(), text.len(), "a code has one length");
    if let Some(position) = KEYS.position(code) {
        assert_eq!(KEYS.receipt(code.campaign(), position), code, "two codes for a position");
    }
});
