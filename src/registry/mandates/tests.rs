//! Which files of mandates are loaded, which are refused and why, and who is found in them.

use std::sync::Arc;

use jiff::civil::{Date, date};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::civic::FiscalCode;
use crate::schemes::Scheme;
use crate::vault::HouseKeys;

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

fn keys() -> HouseKeys {
    HouseKeys::from_master(&[7; 32])
}

fn person(n: u64) -> Subject {
    keys().subject(&FiscalCode::made_up(n))
}

fn written(reference: &str, n: u64, office: &str) -> Value {
    json!({
        "reference": reference,
        "grantor": FiscalCode::made_up(n).as_str(),
        "office": office,
        "clerk": FiscalCode::made_up(0).as_str(),
        "scheme": "iscro",
        "year": 2024,
        "signedOn": "2024-09-01",
        "expiresOn": "2024-12-31",
        "document": document_digest(b"signed"),
    })
}

fn with(mut line: Value, member: &str, value: impl Into<Value>) -> Value {
    line[member] = value.into();
    line
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| line.to_string() + "\n").collect()
}

fn loaded(text: impl AsRef<[u8]>) -> MandateTable {
    load(text.as_ref(), &keys()).unwrap_or_else(|fault| panic!("{fault}"))
}

fn refused(text: impl AsRef<[u8]>) -> String {
    load(text.as_ref(), &keys()).map(|_| ()).unwrap_err().to_string()
}

fn covers(table: &MandateTable, office: &str, n: u64, campaign: Campaign, day: Date) -> bool {
    let office = keys().office(office);
    table
        .of_person(person(n), None)
        .any(|held| held.office() == office && held.campaign() == campaign && held.holds_on(day))
}

#[test]
fn a_mandate_holds_from_its_first_day_to_its_last_or_until_its_revocation() {
    let table = loaded(text(&[
        written("A", 1, "a"),
        with(written("B", 2, "a"), "revokedOn", "2024-10-01"),
        with(written("C", 3, "b"), "revokedOn", Value::Null),
    ]));
    let day = date(2024, 9, 16);
    assert!(covers(&table, "a", 1, CAMPAIGN, day) && covers(&table, "b", 3, CAMPAIGN, day));
    assert!(!covers(&table, "b", 1, CAMPAIGN, day) && !covers(&table, "a", 3, CAMPAIGN, day));
    assert!(!covers(&table, "c", 1, CAMPAIGN, day) && !covers(&table, "a", 4, CAMPAIGN, day));
    for other in
        [Campaign { year: 2025, ..CAMPAIGN }, Campaign { scheme: Scheme::Allowance600, ..CAMPAIGN }]
    {
        assert!(!covers(&table, "a", 1, other, day));
    }
    for (n, day, expected) in [
        (1, date(2024, 8, 31), false),
        (1, date(2024, 9, 1), true),
        (1, date(2024, 12, 31), true),
        (1, date(2025, 1, 1), false),
        (2, date(2024, 9, 30), true),
        (2, date(2024, 10, 1), false),
    ] {
        assert_eq!(covers(&table, "a", n, CAMPAIGN, day), expected, "{n} {day}");
        let mandate = table.of_person(person(n), None).next().unwrap().mandate();
        assert_eq!(mandate.holds_on(day), expected, "{n} {day}");
    }
}

#[test]
fn a_later_line_renews_the_days_of_the_same_mandate_and_of_no_other() {
    let first = written("A", 1, "a");
    let revoked = with(first.clone(), "revokedOn", "2024-09-10");
    let day = date(2024, 9, 16);
    let table = loaded(text(&[first.clone(), written("B", 2, "a"), revoked.clone()]));
    assert_eq!(table.len(), 2);
    assert!(!covers(&table, "a", 1, CAMPAIGN, day) && covers(&table, "a", 2, CAMPAIGN, day));
    let longer = with(first.clone(), "expiresOn", "2025-12-31");
    let table = loaded(text(&[first.clone(), revoked, longer]));
    assert!(covers(&table, "a", 1, CAMPAIGN, date(2025, 6, 1)));
    for other in [
        written("A", 2, "a"),
        written("A", 1, "b"),
        with(first.clone(), "year", 2025),
        with(first.clone(), "scheme", "allowance600"),
        with(first.clone(), "signedOn", "2024-09-02"),
    ] {
        let told = refused(text(&[written("B", 3, "a"), first.clone(), other]));
        assert!(told.ends_with("line 3: the reference is that of another mandate, in line 2"));
    }
}

#[test]
fn every_broken_line_is_named_by_its_number_and_never_quoted() {
    let good = || written("A", 1, "a");
    let without = |member: &str| {
        let mut line = good();
        line.as_object_mut().unwrap().remove(member);
        line
    };
    let lines = [
        good(),
        without("document"),
        without("year"),
        with(good(), "reference", "two words"),
        with(good(), "reference", "x".repeat(65)),
        with(good(), "grantor", "RSSMRA80A01H501A"),
        with(good(), "clerk", "somebody"),
        with(good(), "office", "a b"),
        with(good(), "scheme", "secret"),
        with(good(), "signedOn", "2024-13-01"),
        with(good(), "revokedOn", "soon"),
        with(good(), "expiresOn", "2024-08-31"),
        with(good(), "document", "sha-256=:secret:"),
        with(good(), "secret", 1),
        with(good(), "year", "2024"),
        json!([]),
    ];
    let whole = text(&lines) + &"x".repeat(2_000) + "\n\n";
    let told = refused(&whole);
    assert!(told.starts_with(
        "the file of mandates has 17 faulty lines: line 2: document is missing; line 3: year is"
    ));
    for part in [
        "line 4: reference must have 1 to 64 visible ASCII characters",
        "line 6: grantor: the check letter does not match",
        "line 8: office: the name of an office has",
        "line 9: scheme is unknown",
        "line 10: signedOn must be a date, YYYY-MM-DD",
        "line 11: revokedOn must be",
        "line 12: expiresOn is before signedOn",
        "line 13: document must be sha-256=:BASE64:",
        "line 14: not a mandate in JSON, at column ",
        "line 17: longer than 1024 bytes",
        "line 18: not a mandate in JSON",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("secret"), "{told}");
    let mut bytes = text(&[good()]).into_bytes();
    bytes[15] = 0xff;
    assert!(refused(bytes).ends_with("1 faulty lines: line 1: not UTF-8"));
}

#[test]
fn an_unfinished_last_line_is_left_out_and_a_whole_one_needs_no_end() {
    let whole = text(&[written("A", 1, "a"), written("B", 2, "a")]);
    let line = whole.lines().next().unwrap().len() + 1;
    for cut in 0..whole.len() {
        let table = loaded(&whole[..cut]);
        let complete = usize::from(cut + 1 >= line) + usize::from(cut + 1 >= whole.len());
        assert_eq!(table.len(), complete, "{cut}");
        let is_between = cut == 0 || cut + 1 == line || cut == line || cut + 1 == whole.len();
        assert_eq!(table.is_unfinished(), !is_between, "{cut}");
    }
    assert!(refused(whole.replacen('}', "", 1)).contains("line 1: not a mandate"));
}

#[test]
fn a_person_has_a_bounded_number_of_mandates() {
    let lines = |count| (0..count).map(|n| written(&format!("M-{n}"), 1, "a"));
    let most: Vec<_> = lines(PERSON_MANDATES_MAX).collect();
    assert_eq!(loaded(text(&most)).len(), PERSON_MANDATES_MAX);
    let more: Vec<_> = lines(PERSON_MANDATES_MAX + 1).collect();
    assert!(refused(text(&more)).ends_with("line 257: the person has more than 256 mandates"));
}

#[test]
fn a_mandate_takes_44_bytes_and_its_reference() {
    let lines: Vec<_> = (0..1_000).map(|n| written(&format!("M-{n:04}"), n, "a")).collect();
    assert_eq!(loaded(text(&lines)).bytes(), 1_000 * (44 + 4 + 6));
    assert!(loaded("").is_empty());
}

#[test]
fn a_changed_file_takes_over_and_a_broken_one_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mandates.ndjson");
    let write = |lines: &[Value]| std::fs::write(&path, text(lines)).unwrap();
    write(&[written("A", 1, "a")]);
    let file = MandateFile::open(&path, Arc::new(keys())).unwrap();
    assert!(file.reload().unwrap().is_none());
    write(&[written("A", 1, "a"), written("B", 2, "a")]);
    assert_eq!((file.current().len(), file.reload().unwrap().unwrap().len()), (1, 2));
    write(&[json!({})]);
    assert!(matches!(file.reload(), Err(MandatesFault::Broken { count: 1, .. })));
    assert!(file.reload().unwrap().is_none(), "refused once");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(file.reload(), Err(MandatesFault::Read(_))));
    assert_eq!(file.current().len(), 2);
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn each_person_and_office_finds_its_own_mandates_in_order_after_any(
        given in prop::collection::btree_map("[!-~]{1,6}", (0..4_u64, 0..3_usize), 0..40),
        after in "[!-~]{0,6}",
    ) {
        let offices = ["a", "b", "c"];
        let lines = given.iter().rev();
        let lines = lines.map(|(reference, (n, office))| written(reference, *n, offices[*office]));
        let table = loaded(text(&lines.collect::<Vec<_>>()));
        let named = |held: Held<'_>| held.reference().to_owned();
        for n in 0..5 {
            let theirs = given.iter().filter(|(_, (of, _))| *of == n).map(|(one, _)| one.clone());
            let later: Vec<_> = theirs.clone().filter(|one| *one > after).collect();
            prop_assert_eq!(table.of_person(person(n), None).map(named).collect::<Vec<_>>(), theirs.collect::<Vec<_>>());
            prop_assert_eq!(table.of_person(person(n), Some(&after)).map(named).collect::<Vec<_>>(), later);
        }
        for (place, office) in offices.into_iter().enumerate() {
            let office = keys().office(office);
            let theirs = given.iter().filter(|(_, (_, of))| *of == place).map(|(one, _)| one.clone());
            let later: Vec<_> = theirs.clone().filter(|one| *one > after).collect();
            prop_assert_eq!(table.of_office(office, Some(&after)).map(named).collect::<Vec<_>>(), later);
            for (reference, (n, of)) in &given {
                let found = table.named(office, reference);
                prop_assert_eq!(found.is_some(), *of == place);
                prop_assert!(found.is_none_or(|held| held.grantor() == person(*n)));
            }
        }
        prop_assert!(table.named(keys().office("d"), &after).is_none());
    }

    #[test]
    fn any_line_is_a_mandate_or_is_refused_by_its_number(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assume!(!bytes.contains(&b'\n') && !bytes.is_empty());
        match load([&bytes[..], b"\n"].concat().as_slice(), &keys()) {
            Err(MandatesFault::Broken { count: 1, faults }) => prop_assert_eq!(faults[0].0, 1),
            _ => prop_assert!(false),
        }
    }
}
