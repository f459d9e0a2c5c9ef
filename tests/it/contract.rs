//! The contract of a ledger, on any engine: random people, keys, bodies, decisions and withdrawals, compared with a model
//! across restarts.

use std::{
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use jiff::civil::Date;
use sportello::{
    application,
    civic::FiscalCode,
    ledger::{
        Ledger, Position, Receipt, State, Tally,
        book::{
            change::{Change, Ruling},
            record::{Channel, Header, Turn},
            submission::{Disposition, Submission},
        },
        proof::sha256,
        shelf::Engine,
    },
    schemes::{Campaign, Outcome, Rules, Scheme},
    vault::{HouseKeys, Subject},
};

use crate::dice::{self, Dice};

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
const DAY: Date = jiff::civil::date(2024, 9, 16);
/// Times that the ledger is opened, and batches in each.
const SESSIONS: usize = 3;
const BATCHES: usize = 12;
const PEOPLE: usize = 5;
/// Applications of one person in a campaign.
const APPLICATIONS_MAX: usize = 5;

/// The secrets of every engine that is tested.
fn keys() -> Arc<HouseKeys> {
    Arc::new(HouseKeys::from_master(&[7; 32]))
}

/// An application as the ledger must hold it.
struct Kept {
    person: u64,
    key: u64,
    body: u64,
    state: State,
    position: Position,
    receipt: Receipt,
}

#[derive(Default)]
struct Model {
    kept: Vec<Kept>,
    tally: Tally,
}

/// What must become of a submission; the place of the application that it names.
#[derive(Debug, PartialEq)]
enum Expected {
    Accepted,
    Replayed(usize),
    KeyReused,
    AlreadyApplied(usize),
    Exhausted,
    NotNew,
}

/// Asserts that the engine does what the model does. `open` opens the same ledgers again in each session.
pub(crate) fn holds(open: &dyn Fn(usize) -> Box<dyn Engine>) {
    let mut dice = Dice::new(dice::seed());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut model = Model::default();
    for session in 0..SESSIONS {
        let engine = open(session);
        let ledger = engine.open(CAMPAIGN).unwrap();
        runtime.block_on(model.agrees_with(&*ledger));
        for _ in 0..BATCHES {
            runtime.block_on(model.submit_some(&*ledger, &mut dice));
            model.decide_some(&*ledger, &mut dice);
            runtime.block_on(model.withdraw_one(&*ledger, &mut dice));
        }
        runtime.block_on(model.agrees_with(&*ledger));
        ledger.close();
    }
    assert!(engine_holds(open));
    assert!(model.kept.len() > PEOPLE, "somebody applied again");
}

fn engine_holds(open: &dyn Fn(usize) -> Box<dyn Engine>) -> bool {
    let engine = open(SESSIONS);
    engine.holds(CAMPAIGN) && !engine.holds(Campaign { year: 2022, ..CAMPAIGN })
}

impl Model {
    async fn submit_some(&mut self, ledger: &dyn Ledger, dice: &mut Dice) {
        let mut batch = Vec::new();
        let mut people: Vec<(u64, u64, u64, bool)> = Vec::new();
        for _ in 0..=dice.below(4) {
            let person = dice.below(PEOPLE) as u64;
            // One batch holds a person once, so that the model needs no order within it.
            if people.iter().any(|(one, ..)| *one == person) {
                continue;
            }
            let (key, body) = (dice.below(8) as u64, dice.below(2) as u64);
            let may_be_new = dice.chance(85);
            people.push((person, key, body, may_be_new));
            batch.push(Submission { may_be_new, ..submission(person, key, body) });
        }
        let dispositions = ledger.submit(batch).await.unwrap();
        assert_eq!(dispositions.len(), people.len());
        for ((person, key, body, may_be_new), disposition) in people.into_iter().zip(dispositions) {
            let expected = self.expected(person, key, body, may_be_new);
            let at = |position: &Position| {
                self.kept.iter().position(|kept| kept.position == *position).unwrap_or(usize::MAX)
            };
            let found = match &disposition {
                Disposition::Accepted(..) => Expected::Accepted,
                Disposition::Replayed(position) => Expected::Replayed(at(position)),
                Disposition::KeyReused => Expected::KeyReused,
                Disposition::AlreadyApplied(position) => Expected::AlreadyApplied(at(position)),
                Disposition::Exhausted => Expected::Exhausted,
                Disposition::NotNew => Expected::NotNew,
            };
            assert_eq!(found, expected, "person {person}, key {key}, body {body}");
            if let Disposition::Accepted(position, signed, principal) = disposition {
                assert_eq!(principal, subject(person));
                let digest = sha256(text(person, body).as_bytes());
                let receipt = signed.receipt(position, DAY, &digest).unwrap();
                let state = State::Waiting;
                self.kept.push(Kept { person, key, body, state, position, receipt });
                self.tally.accepted[Channel::Citizen as usize] += 1;
            }
        }
    }

    fn expected(&self, person: u64, key: u64, body: u64, may_be_new: bool) -> Expected {
        let theirs = || self.kept.iter().enumerate().filter(|(_, kept)| kept.person == person);
        if let Some((at, kept)) = theirs().find(|(_, kept)| kept.key == key) {
            return if kept.body == body { Expected::Replayed(at) } else { Expected::KeyReused };
        }
        if let Some((at, _)) = theirs().find(|(_, kept)| kept.state.stands()) {
            return Expected::AlreadyApplied(at);
        }
        match may_be_new {
            _ if theirs().count() >= APPLICATIONS_MAX => Expected::Exhausted,
            true => Expected::Accepted,
            false => Expected::NotNew,
        }
    }

    /// Rules on some applications, also on those that are decided, pending or withdrawn.
    #[expect(clippy::disallowed_methods, reason = "a test waits for a committer")]
    fn decide_some(&mut self, ledger: &dyn Ledger, dice: &mut Dice) {
        if self.kept.is_empty() {
            return;
        }
        let at = dice.below(self.kept.len());
        let (turn, outcome) = (
            if dice.chance(60) { Turn::First } else { Turn::Again },
            Outcome::ALL[dice.below(Outcome::ALL.len())],
        );
        let Kept { person, position, ref mut state, .. } = self.kept[at];
        let decision = keys().seal_decision(
            CAMPAIGN,
            subject(person),
            (position, turn),
            outcome.as_str().as_bytes(),
        );
        match (*state, turn) {
            (State::Waiting, Turn::First) => {
                self.tally.decided[outcome as usize] += 1;
                self.tally.pending += u64::from(outcome == Outcome::Pending);
                *state = State::Decided(outcome);
            }
            (State::Decided(Outcome::Pending), Turn::Again) if outcome != Outcome::Pending => {
                self.tally.revised[outcome as usize] += 1;
                self.tally.pending -= 1;
                *state = State::Decided(outcome);
            }
            _ => {}
        }
        ledger.rule(vec![Ruling { position, turn, outcome, decision }]);
        let started = Instant::now();
        while ledger.tally() != self.tally {
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "{:?}, not {:?}",
                ledger.tally(),
                self.tally
            );
            sleep(Duration::from_millis(2));
        }
    }

    async fn withdraw_one(&mut self, ledger: &dyn Ledger, dice: &mut Dice) {
        if self.kept.is_empty() || dice.chance(40) {
            return;
        }
        let at = dice.below(self.kept.len());
        let Kept { position, ref mut state, .. } = self.kept[at];
        let expected = match *state {
            State::Waiting => Some(None),
            State::Decided(outcome) => Some(Some(outcome)),
            _ => None,
        };
        let change = ledger.withdraw(position).await.unwrap();
        assert_eq!(change, expected.map(Change::Withdrawn));
        if let Some(outcome) = expected {
            self.tally.pending -= u64::from(outcome == Some(Outcome::Pending));
            match outcome {
                Some(_) => self.tally.withdrawn_decided += 1,
                None => self.tally.withdrawn_undecided += 1,
            }
            *state = State::Withdrawn(outcome);
        }
    }

    /// Asserts that the ledger shows exactly what the model holds.
    async fn agrees_with(&self, ledger: &dyn Ledger) {
        let seen = |state: State| if state == State::Drawn { State::Waiting } else { state };
        for kept in &self.kept {
            let code = sportello::ledger::ReceiptCode::parse(&kept.receipt.receipt).unwrap();
            let found = ledger.find(code).await.unwrap();
            assert_eq!(
                found.map(|(position, state)| (position, seen(state))),
                Some((kept.position, kept.state))
            );
            assert_eq!(ledger.receipt(kept.position).await.unwrap().as_ref(), Some(&kept.receipt));
            assert_eq!(ledger.header(kept.position).await.unwrap().subject, subject(kept.person));
            let contents = ledger.read(kept.position, subject(kept.person)).await.unwrap();
            assert_eq!(contents.application, text(kept.person, kept.body).as_bytes());
            let decided = match kept.state {
                State::Decided(outcome) | State::Withdrawn(Some(outcome)) => Some(outcome),
                _ => None,
            };
            let decision = decided.map(|outcome| outcome.as_str().as_bytes().to_vec());
            assert_eq!(contents.decision, decision);
            assert!(ledger.read(kept.position, subject(kept.person + 1)).await.is_err());
        }
        for person in 0..PEOPLE as u64 {
            let claim = keys().claim(subject(person), CAMPAIGN);
            let found = ledger.of_claim(claim).await.unwrap();
            let found: Vec<_> =
                found.into_iter().map(|(position, state)| (position, seen(state))).collect();
            let theirs = self.kept.iter().filter(|kept| kept.person == person);
            let theirs: Vec<_> = theirs.map(|kept| (kept.position, kept.state)).collect();
            assert_eq!(found, theirs, "the applications of {person}");
        }
        let pending =
            self.kept.iter().filter(|kept| kept.state == State::Decided(Outcome::Pending));
        let mut walked = Vec::new();
        let mut from = None;
        loop {
            let page = ledger.pending(from, 2);
            walked.extend(page.cases.iter().map(|case| case.position));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(walked.len(), pending.clone().count());
        assert!(pending.clone().all(|kept| walked.contains(&kept.position)));
    }
}

fn subject(person: u64) -> Subject {
    keys().subject(&FiscalCode::made_up(person))
}

fn text(person: u64, version: u64) -> String {
    application::example(&FiscalCode::made_up(person), 2024)
        .replace("mario", &format!("mail{version}"))
}

fn submission(person: u64, key: u64, version: u64) -> Submission {
    let (keys, subject, bytes) = (keys(), subject(person), text(person, version));
    let header = Header::of_citizen(subject, DAY);
    let key = keys.key_hash(subject, b"chosen", &key.to_be_bytes());
    let application = application::parse(bytes.as_bytes(), Rules::builtin()).unwrap();
    let digest = sha256(bytes.as_bytes());
    Submission::sealed(&keys, &header, key, digest, bytes.as_bytes(), application)
}
