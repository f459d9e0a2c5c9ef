//! What the journal keeps over a kill and over a power cut, and how it fails.

use std::{fs, io::Write as _};

use super::*;
use crate::{
    ledger::journal::{Joined, Seated},
    vault::Subject,
};

fn keys() -> Arc<HouseKeys> {
    Arc::new(HouseKeys::from_master(&[7; 32]))
}

fn clock(second: i64) -> Clock {
    Clock::standing_at(at(second))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ended(n: u8) -> Event {
    Event::Ended { visit: Subject([n; 16]) }
}

/// Opens the journal at a second; returns what it held and until which second it is whole.
fn open(directory: &Path, second: i64) -> (LocalJournal, Vec<Event>, i64) {
    let mut held = Vec::new();
    let opened = LocalJournal::open(directory, keys(), clock(second), |event| held.push(event));
    let (journal, until) = opened.unwrap();
    (journal, held, until.as_second())
}

fn files_in(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_synced_or_closed_is_there_again_in_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, held, until) = open(directory.path(), 100);
    assert_eq!((held.len(), until), (0, 101));
    let joined = Event::Joined(Joined {
        who: Seated { person: [5; 8], for_office: true },
        round: 7,
        number: [9; 8],
    });
    journal.note(ended(1));
    journal.note(joined);
    journal.synced().blocking_recv().unwrap();
    // As a kill leaves it: the file is read while its writer lives.
    let (second, held, _) = open(directory.path(), 200);
    assert_eq!(held, [ended(1), joined]);
    drop(second);
    journal.note(ended(2));
    journal.close();
    journal.note(ended(3));
    assert!(journal.synced().blocking_recv().is_err());
    let (_, held, until) = open(directory.path(), 300);
    assert_eq!((held, until), (vec![ended(1), joined, ended(2)], 98));
}

#[test]
fn a_torn_end_is_cut_off_and_what_comes_after_it_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, ..) = open(directory.path(), 100);
    journal.note(ended(1));
    journal.close();
    let path = directory.path().join("journal-000001.sealed");
    let whole = fs::read(&path).unwrap();
    for garbage in [&[0; 3][..], &[0; 40], &[0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8], &whole[..99]] {
        fs::write(&path, &whole).unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(garbage).unwrap();
        let (journal, held, _) = open(directory.path(), 200);
        assert_eq!(held[0], ended(1));
        journal.note(ended(2));
        journal.close();
        let (_, held, _) = open(directory.path(), 300);
        assert_eq!((held[0], held[held.len() - 1]), (ended(1), ended(2)), "{garbage:?}");
    }
    let other = Arc::new(HouseKeys::from_master(&[8; 32]));
    let opened = LocalJournal::open(directory.path(), other, clock(1), |_| ());
    assert!(matches!(opened, Err(OpenFault::OtherKey { .. })));
}

#[test]
fn a_file_lasts_a_day_and_two_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let day = files::FILE_SECONDS;
    for n in 0..4 {
        let (journal, held, _) = open(directory.path(), i64::from(n) * day);
        assert_eq!(held.len(), usize::from(n.min(2)), "{held:?}");
        journal.note(ended(n));
    }
    assert_eq!(files_in(directory.path()), ["journal-000003.sealed", "journal-000004.sealed"]);
    let (_, held, _) = open(directory.path(), 4 * day);
    assert_eq!(held, [ended(2), ended(3)]);
}

#[test]
fn a_journal_that_fails_is_removed_so_that_nobody_who_left_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, ..) = open(directory.path(), 0);
    journal.note(ended(1));
    journal.synced().blocking_recv().unwrap();
    drop(journal);
    // The next write begins a file, whose name is taken by a directory.
    let taken = directory.path().join("journal-000002.sealed.new");
    fs::create_dir(&taken).unwrap();
    let (journal, ..) = open(directory.path(), files::FILE_SECONDS);
    journal.note(ended(2));
    assert!(journal.synced().blocking_recv().is_err());
    journal.note(ended(3));
    assert!(journal.synced().blocking_recv().is_err());
    fs::remove_dir(&taken).unwrap();
    assert_eq!(files_in(directory.path()), Vec::<String>::new());
    let (_, held, until) = open(directory.path(), 500);
    assert_eq!((held.len(), until), (0, 501), "nothing from before is known");
}
