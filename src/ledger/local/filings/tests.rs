//! Tests of the index of filings.

use std::{fs, sync::Arc};

use jiff::Timestamp;

use super::*;
use crate::{
    application,
    civic::FiscalCode,
    ledger::{
        book::{
            batch::Batch,
            record::{Channel, Header},
            submission::Submission,
        },
        local::sqlite::{self, Bounds, Opened},
        proof::sha256,
    },
    schemes::{Rules, Scheme},
};

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
const DAY: Date = jiff::civil::date(2024, 9, 16);
const BOUNDS: Bounds = Bounds { wal_bytes_max: 1 << 20, readers_max: 1 };
/// Two batches of three entries.
const TWO_BATCHES: RunBounds = RunBounds { rows_max: 4, entries_max: 1 << 10 };

fn house() -> Arc<HouseKeys> {
    Arc::new(HouseKeys::from_master(&[7; 32]))
}

fn office(n: u8) -> Subject {
    Subject([n; 16])
}

/// Writes a batch with an application that an office handed in for each of two people, and one of a citizen.
fn write(opened: &mut Opened, keys: &HouseKeys, first: u64, principal: Subject) {
    let submission = |n| {
        let person = keys.subject(&FiscalCode::made_up(n));
        let of_office = n < first + 2;
        let header = Header {
            channel: if of_office { Channel::Intermediary } else { Channel::Citizen },
            received_on: DAY,
            subject: person,
            principal: if of_office { principal } else { person },
            actor: person,
        };
        let text = application::example(&FiscalCode::made_up(n), 2024);
        let parsed = application::parse(text.as_bytes(), Rules::builtin()).unwrap();
        let key = keys.key_hash(person, b"chosen", b"key");
        let bytes = text.as_bytes();
        Submission::sealed(keys, &header, key, sha256(bytes), bytes, parsed)
    };
    let submissions = (first..first + 3).map(submission).collect();
    let batch = Batch { submissions, at: Timestamp::UNIX_EPOCH, ..Batch::default() };
    opened.bookkeeper.write(&batch).unwrap();
}

fn open(directory: &Path) -> Opened {
    sqlite::open(directory, CAMPAIGN, house(), BOUNDS).unwrap()
}

/// The people of an office's rows, in the order of receipts; `None` while the index is incomplete.
fn people(index: &FilingIndex, office: Subject) -> Option<Vec<Subject>> {
    match index.rows(office, None, 100) {
        Ok(rows) => {
            assert!(rows.iter().is_sorted_by_key(|row| row.receipt.to_string()));
            assert!(rows.iter().all(|row| row.received_on == DAY));
            Some(rows.iter().map(|row| row.person).collect())
        }
        Err(FilingsFault::Incomplete) => None,
        Err(FilingsFault::Storage(fault)) => panic!("{fault}"),
    }
}

#[test]
fn a_run_is_bounded_and_nothing_is_listed_before_the_index_is_complete() {
    let directory = tempfile::tempdir().unwrap();
    let mut opened = open(directory.path());
    for n in 0..5 {
        write(&mut opened, &house(), n * 10, office(1));
    }
    let index = FilingIndex::new(directory.path(), CAMPAIGN, TWO_BATCHES);
    for _ in 0..2 {
        index.follow(&opened.reader, &house());
        assert_eq!(people(&index, office(1)), None);
    }
    index.follow(&opened.reader, &house());
    assert_eq!(people(&index, office(1)).unwrap().len(), 10);
    assert_eq!(people(&index, office(2)), Some(vec![]));

    // From then on it only lags behind.
    write(&mut opened, &house(), 60, office(2));
    assert_eq!(people(&index, office(2)), Some(vec![]));
    index.follow(&opened.reader, &house());
    assert_eq!(people(&index, office(2)).unwrap().len(), 2);
    let few_entries = RunBounds { rows_max: 100, entries_max: 1 };
    let slow = tempfile::tempdir().unwrap();
    let slow = FilingIndex::new(slow.path(), CAMPAIGN, few_entries);
    for n in 0..6 {
        assert_eq!(people(&slow, office(1)), None, "after {n} runs");
        slow.follow(&opened.reader, &house());
    }
    assert_eq!(people(&slow, office(1)), people(&index, office(1)));
}

#[test]
fn pages_follow_one_another_in_the_order_of_receipts() {
    let directory = tempfile::tempdir().unwrap();
    let mut opened = open(directory.path());
    write(&mut opened, &house(), 0, office(2));
    for n in 1..5 {
        write(&mut opened, &house(), n * 10, office(1));
    }
    let index = FilingIndex::new(directory.path(), CAMPAIGN, RUN);
    index.follow(&opened.reader, &house());
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = index.rows(office(1), after, 3).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.receipt);
        pages.extend(page.iter().map(|row| row.person));
    }
    assert_eq!(Some(pages), people(&index, office(1)));
}

#[test]
fn a_file_that_is_missing_damaged_or_of_another_history_is_written_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (path, keys) = (file_of(directory.path(), CAMPAIGN), house());
    let mut opened = open(directory.path());
    write(&mut opened, &keys, 0, office(1));
    let followed = |opened: &Opened, directory: &Path| {
        let index = FilingIndex::new(directory, CAMPAIGN, RUN);
        index.follow(&opened.reader, &keys);
        people(&index, office(1)).unwrap()
    };
    let right = followed(&opened, directory.path());
    assert_eq!(right.len(), 2);
    let older = fs::read(&path).unwrap();
    write(&mut opened, &keys, 10, office(1));
    fs::write(&path, &older).unwrap();
    assert_eq!(followed(&opened, directory.path()).len(), 4, "it follows what it lacks");
    for damage in [&b"not a database, but as long as a header of one would be, 100 bytes"[..], b""]
    {
        fs::write(&path, damage).unwrap();
        assert_eq!(followed(&opened, directory.path()).len(), 4);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(followed(&opened, directory.path()).len(), 4);

    // Another ledger takes this one's place, as after a restore.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut other = open(elsewhere.path());
    for n in 2..5 {
        write(&mut other, &keys, n * 10, office(1));
    }
    let people = followed(&other, directory.path());
    assert_eq!(people.len(), 6);
    assert!(right.iter().all(|person| !people.contains(person)));
}

#[test]
fn damage_that_a_reader_finds_is_mended_by_the_next_run() {
    let directory = tempfile::tempdir().unwrap();
    let mut opened = open(directory.path());
    write(&mut opened, &house(), 0, office(1));
    let index = FilingIndex::new(directory.path(), CAMPAIGN, RUN);
    index.follow(&opened.reader, &house());
    assert_eq!(people(&index, office(1)).unwrap().len(), 2);
    files::remove(&file_of(directory.path(), CAMPAIGN)).unwrap();
    index.readers().idle = None;
    assert!(matches!(index.rows(office(1), None, 9), Err(FilingsFault::Storage(_))));
    index.follow(&opened.reader, &house());
    assert_eq!(people(&index, office(1)).unwrap().len(), 2);
}

#[test]
fn what_was_erased_is_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let mut opened = open(directory.path());
    write(&mut opened, &house(), 0, office(1));
    let index = FilingIndex::new(directory.path(), CAMPAIGN, RUN);
    index.follow(&opened.reader, &house());
    let rows = index.rows(office(1), None, 9).unwrap();
    drop(index);
    let path = file_of(directory.path(), CAMPAIGN);
    let holds = |person: Subject| {
        let bytes = fs::read(&path).unwrap();
        bytes.windows(16).any(|window| window == person.0)
    };
    assert!(holds(rows[0].person) && holds(rows[1].person));
    forget(directory.path(), rows[0].receipt).unwrap();
    assert!(!holds(rows[0].person) && holds(rows[1].person));
    fs::write(&path, "damaged").unwrap();
    forget(directory.path(), rows[1].receipt).unwrap();
    assert!(!path.exists());
}
