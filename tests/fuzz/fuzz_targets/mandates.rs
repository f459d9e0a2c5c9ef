//! Input: a file of mandates. It is refused with lines of the file, or each mandate in it is found by its person and by its
//! office, and holds on no day outside its own.
#![no_main]

use std::sync::LazyLock;

use jiff::civil::Date;
use libfuzzer_sys::fuzz_target;
use sportello::{
    registry::mandates::{MandatesFault, load},
    vault::HouseKeys,
};

static KEYS: LazyLock<HouseKeys> = LazyLock::new(|| HouseKeys::from_master(&[7; 32]));

fuzz_target!(|text: &[u8]| {
    let table = match load(text, &KEYS) {
        Ok(table) => table,
        Err(MandatesFault::Broken { count, faults }) => {
            let lines = text.split(|byte| *byte == b'\n').count();
            assert!(count > 0 && !faults.is_empty() && faults.len() <= count);
            assert!(faults.iter().all(|(line, _)| (1..=lines).contains(&(*line as usize))));
            assert!(faults.is_sorted_by_key(|(line, _)| *line));
            return;
        }
        Err(other) => panic!("{other}"),
    };
    let mut found = 0;
    // An unfinished last line is left out.
    let lines = text.split(|byte| *byte == b'\n').count() - usize::from(table.is_unfinished());
    for line in text.split(|byte| *byte == b'\n').take(lines) {
        let Ok(written) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
        let office = KEYS.office(written["office"].as_str().expect("it was accepted"));
        let reference = written["reference"].as_str().expect("it was accepted");
        let held = table.named(office, reference).expect("its office finds it");
        let mandate = held.mandate();
        assert_eq!(mandate.reference, reference);
        assert!(mandate.signed_on <= mandate.expires_on);
        let theirs = table.of_person(mandate.grantor, None);
        assert_eq!(theirs.filter(|one| one.reference() == reference).count(), 1);
        for day in [mandate.signed_on, mandate.expires_on, Date::MIN, Date::MAX] {
            assert_eq!(held.holds_on(day), mandate.holds_on(day), "{day}");
        }
        assert!(mandate.expires_on.tomorrow().is_ok_and(|day| !mandate.holds_on(day)));
        found += 1;
    }
    assert!(found >= table.len());
});
