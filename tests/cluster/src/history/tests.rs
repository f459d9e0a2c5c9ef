//! Histories of a ledger that keeps its promises pass; one with a single corruption does not.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::{Call, DEADLOCK, Expect, Kind, Operation, Outcome, Submission, check, read, write};

const SEEDS: u64 = 150;
const STEPS: u64 = 120;
const CLAIMS: u64 = 12;
const KEYS: u64 = 3;
/// Longest time on either side of the moment at which an operation takes effect; the next one does 10 us later, so
/// that some twenty are under way at a time.
const HALF_US: u64 = 100;
const EXPECT: Expect = Expect { all_decided: true, judges_unseen: false, ended_lasts_us_max: None };

#[derive(Default)]
struct Stored {
    submission: Option<Submission>,
    decisions: Vec<String>,
    withdrawn: bool,
}

/// A ledger that does one thing after the other, and a history of it.
struct Model {
    dice: Rng,
    now_us: u64,
    records: BTreeMap<String, Stored>,
    history: Vec<Operation>,
}

impl Model {
    fn run(seed: u64) -> Vec<Operation> {
        let dice = Rng::with_seed(seed);
        let (records, history) = (BTreeMap::new(), Vec::new());
        let mut model = Self { dice, now_us: 1000, records, history };
        for _ in 0..STEPS {
            model.now_us += 10;
            match model.dice.u8(0..10) {
                0..5 => model.submit(),
                5..7 => model.look(),
                7..9 => model.decide(),
                _ => model.withdraw(),
            }
        }
        model.now_us += 10 * HALF_US;
        while let Some(code) = model.open() {
            model.now_us += 10;
            let verdict = "granted".to_owned();
            model.records.get_mut(&code).unwrap().decisions.push(verdict.clone());
            model.note(Call::Decide { code, verdict }, Outcome::Decided);
        }
        model.now_us += 10 * HALF_US;
        for code in model.records.keys().cloned().collect::<Vec<_>>() {
            model.note_look(code);
        }
        model.dice.shuffle(&mut model.history);
        model.history
    }

    fn note(&mut self, call: Call, outcome: Outcome) {
        let (client, before, after) =
            (self.dice.u32(0..5), self.dice.u64(0..HALF_US), self.dice.u64(0..HALF_US));
        let (invoked_us, returned_us) = (self.now_us - before, self.now_us + after);
        self.history.push(Operation { client, invoked_us, returned_us, call, outcome });
    }

    fn submit(&mut self) {
        let claim = format!("claim {}", self.dice.u64(0..CLAIMS));
        let key = format!("key {}", self.dice.u64(0..KEYS));
        let submission = Submission { body: format!("{claim}, {key}"), claim, key };
        let call = Call::Submit(submission.clone());
        let of = |stored: &Stored| stored.submission.as_ref().unwrap().clone();
        let has_key = |stored: &Stored| of(stored) == submission;
        let holds = |stored: &Stored| of(stored).claim == submission.claim && !stored.withdrawn;
        let code = |found: Option<(&String, &Stored)>| found.map(|(code, _)| code.clone());
        let replayed = code(self.records.iter().find(|(_, stored)| has_key(stored)));
        let holder = code(self.records.iter().find(|(_, stored)| holds(stored)));
        let fate = self.dice.u8(0..20);
        if fate == 0 {
            return self.note(call, Outcome::Refused { reason: "busy".to_owned() });
        }
        let outcome = if let Some(code) = replayed {
            Outcome::Replayed { code }
        } else if let Some(code) = holder {
            Outcome::AlreadyApplied { code: self.dice.bool().then_some(code) }
        } else if fate == 1 {
            return self.note(call, Outcome::Unknown);
        } else {
            let code = format!("code {}", self.dice.u32(..));
            let stored = Stored { submission: Some(submission), ..Stored::default() };
            self.records.insert(code.clone(), stored);
            Outcome::Accepted { code }
        };
        let outcome = if fate == 2 { Outcome::Unknown } else { outcome };
        self.note(call, outcome);
    }

    fn some_code(&mut self) -> Option<String> {
        let codes: Vec<_> = self.records.keys().cloned().collect();
        self.dice.choice(codes)
    }

    fn open(&self) -> Option<String> {
        let open = |stored: &Stored| stored.decisions.is_empty() && !stored.withdrawn;
        self.records.iter().find(|(_, stored)| open(stored)).map(|(code, _)| code.clone())
    }

    fn look(&mut self) {
        match self.some_code().filter(|_| self.dice.u8(0..10) > 0) {
            Some(code) => self.note_look(code),
            None => self.note(Call::Read { code: "code of nobody".to_owned() }, Outcome::Absent),
        }
    }

    fn note_look(&mut self, code: String) {
        let Stored { submission, decisions, withdrawn } = &self.records[&code];
        let (submission, decisions) = (submission.clone().unwrap(), decisions.clone());
        let found = Outcome::Found { submission, decisions, withdrawn: *withdrawn };
        self.note(Call::Read { code }, found);
    }

    fn decide(&mut self) {
        let Some(code) = self.open() else { return };
        let (fate, verdict) = (self.dice.u8(0..10), format!("verdict {}", self.dice.u8(..)));
        if fate > 0 {
            self.records.get_mut(&code).unwrap().decisions.push(verdict.clone());
        }
        let outcome = if fate > 1 { Outcome::Decided } else { Outcome::Unknown };
        self.note(Call::Decide { code, verdict }, outcome);
    }

    fn withdraw(&mut self) {
        let Some(code) = self.some_code() else { return };
        let fate = self.dice.u8(0..10);
        let stored = self.records.get_mut(&code).unwrap();
        let outcome = match fate {
            0 => Outcome::Unknown,
            _ if stored.withdrawn => Outcome::Refused { reason: "withdrawn".to_owned() },
            _ => {
                stored.withdrawn = true;
                if fate > 1 { Outcome::Withdrawn } else { Outcome::Unknown }
            }
        };
        self.note(Call::Withdraw { code }, outcome);
    }
}

fn accepted(history: &[Operation]) -> Vec<(usize, Submission, String)> {
    let one = |(at, operation): (usize, &Operation)| match (&operation.call, &operation.outcome) {
        (Call::Submit(submission), Outcome::Accepted { code }) => {
            Some((at, submission.clone(), code.clone()))
        }
        _ => None,
    };
    history.iter().enumerate().filter_map(one).collect()
}

/// The last look for each code, and the other operations on it.
fn last_look(history: &[Operation], code: &str) -> usize {
    let looks =
        |operation: &Operation| matches!(&operation.call, Call::Read { code: its } if its == code);
    let looks = (0..history.len()).filter(|at| looks(&history[*at]));
    looks.max_by_key(|at| history[*at].invoked_us).unwrap()
}

fn withdrawals(history: &[Operation]) -> BTreeSet<String> {
    let one = |operation: &Operation| match &operation.call {
        Call::Withdraw { code } => Some(code.clone()),
        _ => None,
    };
    history.iter().filter_map(one).collect()
}

fn reads(call: &Call) -> Option<&String> {
    if let Call::Read { code } = call { Some(code) } else { None }
}

fn decides(call: &Call) -> Option<&String> {
    if let Call::Decide { code, .. } = call { Some(code) } else { None }
}

/// Changes one thing such that the history has this fault; `None` if it has nothing to change.
#[expect(clippy::too_many_lines, reason = "one arm a kind")]
fn corrupt(kind: Kind, variant: bool, history: &mut Vec<Operation>, dice: &mut Rng) -> Option<()> {
    let all = accepted(history);
    let withdrawn = withdrawals(history);
    let standing: Vec<_> = all.iter().filter(|(_, _, code)| !withdrawn.contains(code)).collect();
    let (at, submission, code) = dice.choice(standing).cloned()?;
    let last = last_look(history, &code);
    let Outcome::Found { decisions, .. } = history[last].outcome.clone() else { return None };
    let found = |submission: &Submission, decisions: &[String], withdrawn| Outcome::Found {
        submission: submission.clone(),
        decisions: decisions.to_vec(),
        withdrawn,
    };
    let of_code = |operation: &Operation, which: fn(&Call) -> Option<&String>| {
        which(&operation.call).is_some_and(|its| *its == code)
    };
    let fresh = || "code of a fault".to_owned();
    match kind {
        Kind::Lost => history[last].outcome = Outcome::Absent,
        Kind::NeverRead => history.retain(|operation| !of_code(operation, reads)),
        Kind::Altered => {
            let altered = if variant {
                Submission { body: "altered".to_owned(), ..submission }
            } else {
                Submission { key: "altered".to_owned(), ..submission }
            };
            history[last].outcome = found(&altered, &decisions, false);
        }
        Kind::Invented if variant => {
            let told = |operation: &Operation| match (&operation.call, &operation.outcome) {
                (Call::Submit(by), Outcome::Unknown) => by.claim == submission.claim,
                (_, Outcome::Replayed { code: its }) => *its == code,
                _ => false,
            };
            if history.iter().any(told) {
                return None;
            }
            history[at].outcome = Outcome::Refused { reason: "busy".to_owned() };
        }
        Kind::Invented => {
            let (claim, key) = ("claim of nobody".to_owned(), "key".to_owned());
            let nobody = Submission { claim, key, body: String::new() };
            let mut look = history[last].clone();
            look.call = Call::Read { code: fresh() };
            look.outcome = found(&nobody, &[], false);
            history.push(look);
        }
        Kind::TwoWinners => {
            let refused = |operation: &Operation| {
                let same =
                    matches!(&operation.call, Call::Submit(by) if by.claim == submission.claim);
                same && matches!(operation.outcome, Outcome::AlreadyApplied { .. })
            };
            let of_claim = |(_, by, its): &(usize, Submission, String)| {
                by.claim == submission.claim && withdrawn.contains(its)
            };
            if all.iter().any(of_claim) {
                return None;
            }
            let refused = history.iter().position(refused)?;
            history[refused].outcome = Outcome::Accepted { code: fresh() };
        }
        Kind::KeyWithTwoReceipts => {
            let replay = Outcome::Replayed { code: code.clone() };
            let replayed = |operation: &Operation| operation.outcome == replay;
            let replayed = history.iter().position(replayed)?;
            history[replayed].outcome = Outcome::Replayed { code: fresh() };
        }
        Kind::ReceiptGivenTwice => {
            let other = all.iter().find(|(_, by, _)| by.claim != submission.claim)?;
            history[at].outcome = Outcome::Accepted { code: other.2.clone() };
        }
        Kind::RefusedForNobody => {
            let (claim, key) = ("claim of nobody".to_owned(), "key".to_owned());
            let mut refused = history[at].clone();
            refused.call = Call::Submit(Submission { claim, key, body: String::new() });
            refused.outcome = Outcome::AlreadyApplied { code: None };
            history.push(refused);
        }
        Kind::DecidedTwice if variant => {
            let two = [&decisions[..], &decisions[..]].concat();
            history[last].outcome = found(&submission, &two, false);
        }
        Kind::DecidedTwice => {
            let decided = |operation: &&Operation| {
                of_code(operation, decides) && operation.outcome == Outcome::Decided
            };
            let again = history.iter().find(decided)?.clone();
            history.push(again);
        }
        Kind::DecidedByNobody => history.retain(|operation| !of_code(operation, decides)),
        Kind::DecisionLost => {
            let decided = |operation: &Operation| {
                of_code(operation, decides) && operation.outcome == Outcome::Decided
            };
            if !history.iter().any(decided) {
                return None;
            }
            let instead = if variant { vec!["another one".to_owned()] } else { Vec::new() };
            history[last].outcome = found(&submission, &instead, false);
        }
        Kind::Undecided => {
            history.retain(|operation| !of_code(operation, decides));
            for operation in history.iter_mut().filter(|operation| of_code(operation, reads)) {
                operation.outcome = found(&submission, &[], false);
            }
        }
        Kind::WithdrawalWrong if variant => {
            history[last].outcome = found(&submission, &decisions, true);
        }
        Kind::WithdrawalWrong => {
            let gone = |operation: &&Operation| operation.outcome == Outcome::Withdrawn;
            let Call::Withdraw { code } = history.iter().find(gone)?.call.clone() else {
                return None;
            };
            let last = last_look(history, &code);
            let Outcome::Found { withdrawn, .. } = &mut history[last].outcome else { return None };
            *withdrawn = false;
        }
        Kind::Deadlocked => {
            let unknown = |operation: &Operation| {
                matches!(operation.call, Call::Submit(_)) && operation.outcome == Outcome::Unknown
            };
            let unknown = history.iter().position(unknown)?;
            history[unknown].outcome = Outcome::Refused { reason: DEADLOCK.to_owned() };
        }
        // The tests of the module `personal` have these.
        Kind::ShownDifferently
        | Kind::DraftLost
        | Kind::DraftInvented
        | Kind::EndedTokenWorks
        | Kind::TokenLost => return None,
    }
    Some(())
}

const KINDS: [Kind; 14] = [
    Kind::Lost,
    Kind::NeverRead,
    Kind::Altered,
    Kind::Invented,
    Kind::TwoWinners,
    Kind::KeyWithTwoReceipts,
    Kind::ReceiptGivenTwice,
    Kind::RefusedForNobody,
    Kind::DecidedTwice,
    Kind::DecidedByNobody,
    Kind::DecisionLost,
    Kind::Undecided,
    Kind::WithdrawalWrong,
    Kind::Deadlocked,
];

#[test]
fn histories_of_a_ledger_that_keeps_its_promises_pass() {
    for seed in 0..SEEDS {
        let history = Model::run(seed);
        let found = check(&history, EXPECT);
        assert!(found.is_empty(), "seed {seed}: {found:#?}");
    }
}

#[test]
fn every_kind_of_single_corruption_is_found() {
    for kind in KINDS {
        for variant in [false, true] {
            let mut found = 0;
            for seed in 0..SEEDS {
                let mut history = Model::run(seed);
                if corrupt(kind, variant, &mut history, &mut Rng::with_seed(seed)).is_none() {
                    continue;
                }
                let told = check(&history, EXPECT);
                let told_so = told.iter().any(|violation| violation.kind == kind);
                assert!(told_so, "{kind:?} in seed {seed} is not found: {told:#?}");
                found += 1;
            }
            assert!(found > SEEDS / 20, "{kind:?}: only {found} histories had something to change");
        }
    }
}

#[test]
fn a_history_is_kept_as_lines_and_read_again_to_the_letter() {
    let history = Model::run(1);
    let mut lines = Vec::new();
    write(&history, &mut lines).unwrap();
    assert_eq!(lines.split(|byte| *byte == b'\n').count() - 1, history.len());
    assert_eq!(read(lines.as_slice()).unwrap(), history);
}
