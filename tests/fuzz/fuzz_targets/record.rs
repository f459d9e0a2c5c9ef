//! Input: a stored record that may be damaged. It decrypts for nobody; XORed onto a genuine record, it makes that one
//! undecryptable unless it changes nothing.
#![no_main]

use std::sync::LazyLock;

use jiff::civil::date;
use libfuzzer_sys::fuzz_target;
use sportello::{
    civic::FiscalCode,
    ledger::book::record::{Channel, Header},
    schemes::{Campaign, Scheme},
    vault::{HouseKeys, Subject},
};

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

const APPLICATION: &[u8] = b"a made-up application";

static KEYS: LazyLock<HouseKeys> = LazyLock::new(|| HouseKeys::from_master(&[7; 32]));
static PEOPLE: LazyLock<[Subject; 2]> =
    LazyLock::new(|| [1, 2].map(|n| KEYS.subject(&FiscalCode::made_up(n))));
static GENUINE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let [subject, principal] = *PEOPLE;
    let received_on = date(2024, 9, 16);
    let channel = Channel::Intermediary;
    let header = Header { channel, received_on, subject, principal, actor: principal };
    KEYS.seal_record(CAMPAIGN, &header, APPLICATION)
});

fuzz_target!(|bytes: &[u8]| {
    let [subject, another] = *PEOPLE;
    assert!(KEYS.open_record(CAMPAIGN, subject, bytes).is_err(), "a forged record decrypts");

    let mut record = GENUINE.clone();
    record.resize(GENUINE.len().max(bytes.len()), 0);
    for (byte, mask) in record.iter_mut().zip(bytes) {
        *byte ^= mask;
    }
    match KEYS.open_record(CAMPAIGN, subject, &record) {
        Ok(application) => {
            assert_eq!(application, APPLICATION);
            assert_eq!(record, *GENUINE, "a changed record decrypts");
        }
        Err(_) => assert_ne!(record, *GENUINE, "the genuine record does not decrypt"),
    }
    assert!(
        KEYS.open_record(CAMPAIGN, another, &record).is_err(),
        "it decrypts for another person"
    );
});
