//! Input: an identity token without a valid signature. Every text is refused.
#![no_main]

use std::sync::LazyLock;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use sportello::identity::{demo::Minter, token::Verifier};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let data = tempfile::tempdir().expect("a temporary directory");
    Minter::load_or_create(data.path()).expect("the demo's key").verifier()
});

fuzz_target!(|token: &str| {
    let now = Timestamp::constant(1_726_500_600, 0);
    assert!(VERIFIER.verify(token, now).is_err(), "a forged token is accepted");
});
