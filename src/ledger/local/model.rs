//! Compares the ledger with a model: random people, keys, bodies, decisions, withdrawals and restarts.

use std::{collections::HashSet, path::Path, sync::Arc};

use proptest::prelude::*;

use super::{
    super::{
        book::{
            batch::Batch,
            change::{Change, Ruling, State, Tally},
            decide::APPLICATIONS_MAX,
            record::{Channel, Header, Turn},
            submission::{Disposition, Submission},
        },
        position::Position,
        proof::sha256,
        verify::Inspection,
    },
    index::lock,
    sqlite::{self, Bounds, Opened},
    wal::wal_of,
};
use crate::{
    application,
    civic::FiscalCode,
    schemes::{Campaign, Outcome, Rules, Scheme},
    vault::HouseKeys,
};

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
const DAY: jiff::civil::Date = jiff::civil::date(2024, 9, 16);

/// Whose applications come from the canary: they are kept like the others, and counted apart.
const CANARY: u64 = 3;

/// An event; a batch holds several.
#[derive(Clone, Debug)]
enum Event {
    Submit { person: u64, key: u8, body: u8, may_be_new: bool },
    Decide { nth: usize, outcome: usize },
    DecideAgain { nth: usize, outcome: usize },
    Withdraw { nth: usize },
    Erase { nth: usize },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..4_u64, 0..8_u8, 0..2_u8, prop::bool::weighted(0.8)).prop_map(
            |(person, key, body, may_be_new)| Event::Submit { person, key, body, may_be_new }
        ),
        (0..12_usize, 0..Outcome::ALL.len())
            .prop_map(|(nth, outcome)| Event::Decide { nth, outcome }),
        (0..12_usize, 0..Outcome::ALL.len())
            .prop_map(|(nth, outcome)| Event::DecideAgain { nth, outcome }),
        (0..12_usize).prop_map(|nth| Event::Withdraw { nth }),
        (0..12_usize).prop_map(|nth| Event::Erase { nth }),
    ]
}

/// What the ledger must hold: a list of records without keys, disk or batches.
#[derive(Default)]
struct Model {
    /// Person, key, body and state of each application, in the order of positions.
    records: Vec<(u64, u8, u8, State)>,
    tally: Tally,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Accepted(usize),
    Replayed(usize),
    KeyReused,
    AlreadyApplied(usize),
    Exhausted,
    NotNew,
}

impl Model {
    fn submit(&mut self, person: u64, key: u8, body: u8, may_be_new: bool) -> Expected {
        if let Some(at) =
            self.records.iter().position(|record| (record.0, record.1) == (person, key))
        {
            return if self.records[at].2 == body {
                Expected::Replayed(at)
            } else {
                Expected::KeyReused
            };
        }
        let stands = |record: &&(u64, u8, u8, State)| {
            record.0 == person
                && !matches!(record.3, State::Withdrawn(_) | State::Erased { withdrawn: true })
        };
        if let Some(at) = self.records.iter().position(|record| stands(&record)) {
            return Expected::AlreadyApplied(at);
        }
        let theirs = self.records.iter().filter(|record| record.0 == person).count();
        if theirs >= usize::from(APPLICATIONS_MAX) {
            return Expected::Exhausted;
        }
        if !may_be_new {
            return Expected::NotNew;
        }
        self.records.push((person, key, body, State::Drawn));
        if person == CANARY {
            self.tally.canary += 1;
        } else {
            self.tally.accepted[Channel::Citizen as usize] += 1;
        }
        Expected::Accepted(self.records.len() - 1)
    }

    fn decide(&mut self, at: usize, outcome: Outcome, again: bool) -> bool {
        let Some(record) = self.records.get_mut(at) else { return false };
        let one = u64::from(record.0 != CANARY);
        match (record.3, again) {
            (State::Waiting | State::Drawn, false) => self.tally.decided[outcome as usize] += one,
            (State::Decided(Outcome::Pending), true) if outcome != Outcome::Pending => {
                self.tally.revised[outcome as usize] += one;
            }
            _ => return false,
        }
        record.3 = State::Decided(outcome);
        true
    }

    fn withdraw(&mut self, at: usize) -> bool {
        let Some(record) = self.records.get_mut(at) else { return false };
        let one = u64::from(record.0 != CANARY);
        record.3 = match record.3 {
            State::Withdrawn(_) | State::Erased { .. } => return false,
            State::Decided(outcome) => {
                self.tally.withdrawn_decided += one;
                State::Withdrawn(Some(outcome))
            }
            State::Waiting | State::Drawn => {
                self.tally.withdrawn_undecided += one;
                State::Withdrawn(None)
            }
        };
        true
    }

    fn erase(&mut self, at: usize) -> bool {
        let Some(record) = self.records.get_mut(at) else { return false };
        record.3 = match record.3 {
            State::Decided(_) => State::Erased { withdrawn: false },
            State::Withdrawn(_) => State::Erased { withdrawn: true },
            State::Waiting | State::Drawn | State::Erased { .. } => return false,
        };
        true
    }

    fn tally(&self) -> Tally {
        let pending = |record: &&(u64, u8, u8, State)| {
            record.0 != CANARY && record.3 == State::Decided(Outcome::Pending)
        };
        Tally { pending: self.records.iter().filter(pending).count() as u64, ..self.tally }
    }
}

fn open(directory: &Path) -> Opened {
    let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
    sqlite::open(directory, CAMPAIGN, keys, Bounds { wal_bytes_max: 1 << 20, readers_max: 1 })
        .unwrap()
}

fn body(person: u64, body: u8) -> String {
    application::example(&FiscalCode::made_up(person), 2024)
        .replace("mario", &format!("mail{body}"))
}

pub(super) fn submission(keys: &HouseKeys, person: u64, key: u8, version: u8) -> Submission {
    let subject = keys.subject(&FiscalCode::made_up(person));
    let bytes = body(person, version);
    let channel = if person == CANARY { Channel::Canary } else { Channel::Citizen };
    let header = Header { channel, ..Header::of_citizen(subject, DAY) };
    let key = keys.key_hash(subject, b"chosen", &[key]);
    let application = application::parse(bytes.as_bytes(), Rules::builtin()).unwrap();
    let digest = sha256(bytes.as_bytes());
    Submission::sealed(keys, &header, key, digest, bytes.as_bytes(), application)
}

/// Applies events in the order of a batch: submissions, rulings, withdrawals; erasures come in a batch of their own.
fn apply(model: &mut Model, opened: &mut Opened, keys: &HouseKeys, events: &[Event]) {
    let mut batch = Batch::default();
    let (mut dispositions, mut rulings, mut withdrawals) = (Vec::new(), Vec::new(), Vec::new());
    let durable = model.records.len();
    let at = |nth: usize| Position(u32::try_from(nth % durable.max(1)).unwrap());
    for event in events {
        if let Event::Submit { person, key, body, may_be_new } = *event {
            batch
                .submissions
                .push(Submission { may_be_new, ..submission(keys, person, key, body) });
            dispositions.push(model.submit(person, key, body, may_be_new));
        }
    }
    let mut ruled = HashSet::new();
    for event in events.iter().filter(|_| durable > 0) {
        let (nth, outcome, turn) = match *event {
            Event::Decide { nth, outcome } => (nth, outcome, Turn::First),
            Event::DecideAgain { nth, outcome } => (nth, outcome, Turn::Again),
            _ => continue,
        };
        let (position, outcome) = (at(nth), Outcome::ALL[outcome]);
        let subject = keys.subject(&FiscalCode::made_up(model.records[position.0 as usize].0));
        let text = outcome.as_str().as_bytes();
        let decision = keys.seal_decision(CAMPAIGN, subject, (position, turn), text);
        batch.rulings.push(Ruling { position, turn, outcome, decision });
        // Within one batch an application is ruled on once.
        let counts = !ruled.contains(&position)
            && model.decide(position.0 as usize, outcome, turn == Turn::Again);
        if counts {
            ruled.insert(position);
        }
        rulings.push(counts);
    }
    for event in events.iter().filter(|_| durable > 0) {
        if let Event::Withdraw { nth } = *event {
            batch.withdrawals.push(at(nth));
            withdrawals.push(model.withdraw(at(nth).0 as usize));
        }
    }
    let written = opened.bookkeeper.write(&batch).unwrap();
    let erasing = Batch {
        erasures: events
            .iter()
            .filter_map(
                |event| if let Event::Erase { nth } = *event { Some(at(nth)) } else { None },
            )
            .filter(|_| durable > 0)
            .collect(),
        ..Batch::default()
    };
    let erasures: Vec<_> =
        erasing.erasures.iter().map(|position| model.erase(position.0 as usize)).collect();
    let erased = opened.bookkeeper.write(&erasing).unwrap();
    let expected = |disposition: &Disposition| match disposition {
        Disposition::Accepted(position, ..) => Expected::Accepted(position.0 as usize),
        Disposition::Replayed(position) => Expected::Replayed(position.0 as usize),
        Disposition::KeyReused => Expected::KeyReused,
        Disposition::AlreadyApplied(position) => Expected::AlreadyApplied(position.0 as usize),
        Disposition::Exhausted => Expected::Exhausted,
        Disposition::NotNew => Expected::NotNew,
    };
    let changed =
        |changes: &[Option<Change>]| changes.iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(written.dispositions.iter().map(expected).collect::<Vec<_>>(), dispositions);
    assert_eq!(changed(&written.rulings), rulings);
    assert_eq!(changed(&written.withdrawals), withdrawals);
    assert_eq!(changed(&erased.erasures), erasures);
}

/// Asserts that the ledger holds exactly what the model holds.
fn agree(model: &Model, opened: &Opened, keys: &HouseKeys) {
    let index = lock(&opened.index);
    assert_eq!(index.tally(), model.tally());
    assert_eq!(index.len(), model.records.len());
    for person in model.records.iter().map(|record| record.0) {
        let claim = keys.claim(keys.subject(&FiscalCode::made_up(person)), CAMPAIGN);
        let theirs = (0..).map(Position).zip(&model.records).filter(|(_, kept)| kept.0 == person);
        let found = index.of_claim(&claim).into_iter().map(|(position, _)| position);
        assert!(found.eq(theirs.map(|(position, _)| position)), "the applications of {person}");
    }
    for (position, (person, _, version, state)) in (0..).map(Position).zip(&model.records) {
        let undecided = |state: &State| matches!(state, State::Waiting | State::Drawn);
        let found = index.durable_state(position).unwrap();
        assert!(
            found == *state || undecided(&found) && undecided(state),
            "{found:?} for {state:?}"
        );
        let subject = keys.subject(&FiscalCode::made_up(*person));
        let stored = opened.reader.record(position).unwrap().unwrap();
        if let Some(fresh) = opened.fresh.find(position) {
            assert_eq!(*fresh.sealed, *stored);
            let decision = fresh.decision.map(|(turn, sealed)| (turn, sealed.to_vec()));
            assert_eq!(decision, opened.reader.decision(position).unwrap());
        }
        if matches!(state, State::Erased { .. }) {
            assert!(stored.is_empty());
            assert_eq!(opened.reader.decision(position).unwrap(), None);
            continue;
        }
        assert_eq!(
            keys.open_record(CAMPAIGN, subject, &stored).unwrap(),
            body(*person, *version).as_bytes()
        );
        let decided = match state {
            State::Decided(outcome) | State::Withdrawn(Some(outcome)) => {
                Some(outcome.as_str().as_bytes().to_vec())
            }
            _ => None,
        };
        let sealed = opened.reader.decision(position).unwrap();
        assert_eq!(
            sealed.map(|(turn, sealed)| keys
                .open_decision(CAMPAIGN, subject, (position, turn), &sealed)
                .unwrap()),
            decided
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..crate::properties::config() })]

    #[test]
    fn the_ledger_does_what_the_model_does_across_restarts(
        sessions in prop::collection::vec(prop::collection::vec(prop::collection::vec(event(), 1..8), 1..6), 1..4),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let keys = HouseKeys::from_master(&[7; 32]);
        let mut model = Model::default();
        for batches in sessions {
            let mut opened = open(directory.path());
            agree(&model, &opened, &keys);
            for events in &batches {
                apply(&mut model, &mut opened, &keys, events);
                agree(&model, &opened, &keys);
            }
        }
        agree(&model, &open(directory.path()), &keys);
        let inspection = Inspection::open(directory.path(), CAMPAIGN, Arc::new(keys)).unwrap();
        prop_assert_eq!(inspection.walk(|_| {}), Vec::<String>::new());
    }
}

#[test]
fn what_was_just_written_is_in_memory_until_a_restart_and_never_after_an_erasure() {
    let directory = tempfile::tempdir().unwrap();
    let keys = HouseKeys::from_master(&[7; 32]);
    let mut opened = open(directory.path());
    let submissions = vec![submission(&keys, 1, 0, 0), submission(&keys, 2, 0, 0)];
    opened.bookkeeper.write(&Batch { submissions, ..Batch::default() }).unwrap();
    let are_fresh = |opened: &Opened| [0, 1].map(|at| opened.fresh.find(Position(at)).is_some());
    assert_eq!(are_fresh(&opened), [true, true]);
    drop(opened);
    let mut opened = open(directory.path());
    assert_eq!(are_fresh(&opened), [false, false]);
    for batch in [
        Batch { submissions: vec![submission(&keys, 3, 0, 0)], ..Batch::default() },
        Batch { withdrawals: vec![Position(1)], ..Batch::default() },
        Batch { erasures: vec![Position(1)], ..Batch::default() },
    ] {
        opened.bookkeeper.write(&batch).unwrap();
    }
    assert!(opened.fresh.find(Position(2)).is_none());
}

/// The largest size of the log, in multiples of its bound, while batches of eight submissions are written.
/// `with_thread`: a checkpoint follows each request for one, as the checkpoint thread would do.
fn longest_log(with_thread: bool) -> u64 {
    const BOUND: u64 = 1 << 20;
    let directory = tempfile::tempdir().unwrap();
    let keys = HouseKeys::from_master(&[7; 32]);
    let mut opened = open(directory.path());
    let log = wal_of(&sqlite::file_of(directory.path(), CAMPAIGN));
    let mut longest = 0;
    for people in (0..4096).step_by(8) {
        let submissions = (people..people + 8).map(|person| submission(&keys, person, 0, 0));
        let batch = Batch { submissions: submissions.collect(), ..Batch::default() };
        opened.bookkeeper.write(&batch).unwrap();
        if opened.bookkeeper.tidy().unwrap() && with_thread {
            opened.checkpointer.checkpoint().unwrap();
        }
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
    }
    longest.div_ceil(BOUND)
}

#[test]
fn a_log_begins_again_near_its_bound_and_without_the_checkpoint_thread_at_four_times_that() {
    assert_eq!(longest_log(true), 2);
    assert_eq!(longest_log(false), 5);
}

#[test]
fn a_person_who_withdraws_again_and_again_is_sent_to_an_officer_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let keys = HouseKeys::from_master(&[7; 32]);
    let mut opened = open(directory.path());
    let submit = |opened: &mut Opened, person, key| {
        let submissions = vec![submission(&keys, person, key, 0)];
        let batch = Batch { submissions, ..Batch::default() };
        opened.bookkeeper.write(&batch).unwrap().dispositions.remove(0)
    };
    for key in 0..APPLICATIONS_MAX {
        let Disposition::Accepted(position, ..) = submit(&mut opened, 1, key) else {
            panic!("{key}")
        };
        let batch = Batch { withdrawals: vec![position], ..Batch::default() };
        opened.bookkeeper.write(&batch).unwrap();
    }
    assert!(matches!(submit(&mut opened, 1, APPLICATIONS_MAX), Disposition::Exhausted));
    drop(opened);
    let mut opened = open(directory.path());
    assert!(matches!(submit(&mut opened, 1, APPLICATIONS_MAX), Disposition::Exhausted));
    assert!(matches!(submit(&mut opened, 1, 0), Disposition::Replayed(_)), "earlier receipts hold");
    assert!(matches!(submit(&mut opened, 2, 0), Disposition::Accepted(..)));
}
