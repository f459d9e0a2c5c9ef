//! Input: a receipt code as a person types it. Any text is refused, or prints as the code that was parsed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sportello::{ledger::ReceiptCode, vault::HouseKeys};

static KEYS: LazyLock<HouseKeys> = LazyLock::new(|| HouseKeys::from_master(&[7; 32]));

fuzz_target!(|text: &str| {
    let Some(code) = ReceiptCode::parse(text) else { return };
    let printed = code.to_string();
    assert_eq!(ReceiptCode::parse(&printed), Some(code), "{text:?}");
    assert_eq!(printed.len(), text.len(), "codes of different lengths");
    if let Some(position) = code.position(&KEYS) {
        assert_eq!(
            ReceiptCode::of(&KEYS, code.campaign(), position),
            code,
            "two codes for a position"
        );
    }
});
