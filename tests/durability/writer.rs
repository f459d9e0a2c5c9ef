//! The traced process: through the library, people apply, repeat submissions, withdraw and apply again, and decisions
//! are made.
//!
//! Each answer is written to a file of marks after the person got it, one line in one call.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sportello::{
    application,
    civic::FiscalCode,
    clock::Clock,
    config::{Flags, Settings},
    ledger::{
        Case, Ledger, Position, Receipt, ReceiptCode,
        book::{
            change::Ruling,
            record::{Header, Turn},
            submission::{Disposition, Submission},
        },
        handover::Handover,
        local::LocalEngine,
        proof::sha256,
        shelf::Shelf,
    },
    schemes::{Campaign, Outcome, Rules, Scheme},
    server,
    urn::Urn,
    vault::{HouseKeys, Subject},
};
use tokio::task::{JoinSet, LocalSet};

use crate::dice::Dice;

pub(crate) const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
const DAY: Date = jiff::civil::date(2024, 9, 16);
/// Capacity of an urn from which nothing is drawn: decisions are made here.
const URN_APPLICATIONS: usize = 64;

/// An answer that a person got, or a withdrawal that begins.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Mark {
    Received { visit: Visit, receipt: Receipt },
    Withdrawing { receipt: String },
    Withdrawn { receipt: String },
}

/// One submission of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) person: u64,
    pub(crate) key: u64,
    pub(crate) version: usize,
}

/// The work of one process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) data: PathBuf,
    pub(crate) marks: PathBuf,
    pub(crate) seed: u64,
    /// Numbers of people above this one are used by this process only.
    pub(crate) people_from: u64,
    /// Number of different applications of a person; every seventh is large.
    pub(crate) versions: usize,
    /// Number of times that the ledger is opened and closed.
    pub(crate) sessions: usize,
    /// Number of rounds of submissions while it is open.
    pub(crate) rounds: usize,
}

/// Settings under which every kind of checkpoint happens within seconds.
pub(crate) fn settings(data: &Path) -> Settings {
    let small = [("WAL_BYTES_MAX", "200000"), ("CHECKPOINT_MS", "4"), ("RULING_WAIT_MS", "1")];
    let environment =
        small.map(|(name, value)| (format!("SPORTELLO_LEDGER_{name}"), value.to_owned()));
    let flags = Flags { data: Some(data.to_str().unwrap().to_owned()), ..Flags::default() };
    Settings::gather(None, environment.into_iter(), &flags).unwrap()
}

/// The ledger and its keys, opened as a server opens them.
pub(crate) struct House {
    pub(crate) keys: Arc<HouseKeys>,
    pub(crate) shelf: Shelf,
    pub(crate) ledger: Arc<dyn Ledger>,
    runtime: tokio::runtime::Runtime,
}

impl House {
    pub(crate) fn open(data: &Path) -> Result<Self, server::StartFault> {
        let settings = settings(data);
        server::prepare_data(&settings, true)?;
        let keys = Arc::new(server::house_keys(&settings)?);
        let urn: Arc<Urn<Case>> = Arc::new(Urn::new(URN_APPLICATIONS, 1));
        let clock =
            Clock::standing_at(DAY.at(12, 0, 0, 0).in_tz("Europe/Rome").unwrap().timestamp());
        let engine = LocalEngine::take(
            &data.join("ledger"),
            Arc::clone(&keys),
            urn,
            clock,
            settings.ledger(),
        )?;
        let shelf = Shelf::new(engine);
        shelf.open(CAMPAIGN)?;
        let ledger = shelf.get(CAMPAIGN).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { keys, shelf, ledger, runtime })
    }

    pub(crate) fn subject(&self, visit: Visit) -> Subject {
        self.keys.subject(&FiscalCode::made_up(visit.person))
    }

    pub(crate) fn submission(&self, visit: Visit) -> Submission {
        let (keys, subject, bytes) = (&self.keys, self.subject(visit), body(visit));
        let header = Header::of_citizen(subject, DAY);
        let key = keys.key_hash(subject, b"chosen", &visit.key.to_be_bytes());
        let application = application::parse(bytes.as_bytes(), Rules::builtin()).unwrap();
        let digest = sha256(bytes.as_bytes());
        Submission::sealed(keys, &header, key, digest, bytes.as_bytes(), application)
    }

    /// Waits for an answer of the ledger. Must not be called within a runtime.
    pub(crate) fn wait<T>(&self, answer: futures_util::future::BoxFuture<'_, T>) -> T {
        self.runtime.block_on(answer)
    }

    pub(crate) async fn receipt(&self, disposition: &Disposition, visit: Visit) -> Option<Receipt> {
        match disposition {
            Disposition::Accepted(position, batch, _) => {
                let digest = sha256(body(visit).as_bytes());
                Some(batch.receipt(*position, DAY, &digest).unwrap())
            }
            Disposition::Replayed(position) => self.ledger.receipt(*position).await.ok().flatten(),
            Disposition::KeyReused
            | Disposition::AlreadyApplied(_)
            | Disposition::Exhausted
            | Disposition::NotNew => None,
        }
    }

    fn code(&self, position: Position) -> String {
        ReceiptCode::of(&self.keys, CAMPAIGN, position).to_string()
    }
}

/// The body of a submission. Every seventh version fills several pages of a file.
pub(crate) fn body(visit: Visit) -> String {
    let mail = format!("mail{}-{}@example.it", visit.version, visit.key);
    let text = application::example(&FiscalCode::made_up(visit.person), CAMPAIGN.year)
        .replace("mario@example.it", &mail);
    let length = if visit.version.is_multiple_of(7) { 20_000 } else { 0 };
    format!("{text}{}", " ".repeat(length))
}

/// The outcome of an application, derived from its receipt, so that exchanged decisions would be noticed.
pub(crate) fn outcome_of(receipt: &str) -> Outcome {
    let sum: usize = receipt.bytes().map(usize::from).sum();
    Outcome::ALL[sum % Outcome::ALL.len()]
}

/// Runs a task. The ledger is closed properly after each session.
pub(crate) fn run(task: &Task) {
    run_and_look(task, || {});
}

/// The same; calls `look` before the ledger is closed.
pub(crate) fn run_and_look(task: &Task, mut look: impl FnMut()) {
    let mut people = People {
        next: task.people_from,
        dice: Dice::new(task.seed),
        versions: task.versions,
        ..People::default()
    };
    for _ in 0..task.sessions {
        let house = Arc::new(House::open(&task.data).unwrap());
        let marks = fs::OpenOptions::new().append(true).create(true).open(&task.marks).unwrap();
        let marks = Arc::new(Mutex::new(marks));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let handover = Handover::to(&house.ledger);
            for _ in 0..task.rounds {
                people.round(&house, &handover, &marks).await;
            }
        });
        drop(runtime);
        look();
        house.shelf.close();
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new(0)
    }
}

#[derive(Default)]
struct People {
    dice: Dice,
    next: u64,
    versions: usize,
    /// Each person's last submission, and its position in the ledger.
    last: BTreeMap<u64, (Visit, Position)>,
    withdrawn: Vec<Visit>,
}

impl People {
    /// Some concurrent submissions, some decisions and perhaps a withdrawal.
    async fn round(
        &mut self,
        house: &Arc<House>,
        handover: &Handover,
        marks: &Arc<Mutex<fs::File>>,
    ) {
        let mut sending = JoinSet::new();
        for _ in 0..=self.dice.below(8) {
            let visit = self.visit();
            // One of ten people submits twice at once.
            for _ in 0..=usize::from(self.dice.chance(10)) {
                let (house, handover, marks) =
                    (Arc::clone(house), handover.clone(), Arc::clone(marks));
                sending.spawn_local(send(house, handover, marks, visit));
            }
        }
        let standing: Vec<_> = self.last.values().copied().collect();
        if self.dice.chance(50) {
            let decided = (0..3).filter_map(|_| self.dice.pick(&standing).copied());
            house.ledger.rule(decided.map(|case| ruling(house, case)).collect());
        }
        if self.dice.chance(40)
            && let Some((visit, position)) = self.dice.pick(&standing).copied()
        {
            let receipt = house.code(position);
            write(marks, &Mark::Withdrawing { receipt: receipt.clone() });
            house.ledger.withdraw(position).await.unwrap();
            write(marks, &Mark::Withdrawn { receipt });
            self.last.remove(&visit.person);
            self.withdrawn.push(visit);
        }
        while let Some(sent) = sending.join_next().await {
            if let Some((visit, position)) = sent.unwrap() {
                self.last.insert(visit.person, (visit, position));
            }
        }
    }

    fn visit(&mut self) -> Visit {
        let known: Vec<_> = self.last.values().map(|(visit, _)| *visit).collect();
        match (self.dice.below(10), self.dice.pick(&known).copied()) {
            (0, Some(visit)) => visit,
            (1, Some(visit)) => Visit { key: visit.key + 1000, ..visit },
            _ => {
                if let Some(visit) = self.withdrawn.pop() {
                    return Visit { key: visit.key + 1, ..visit };
                }
                self.next += 1;
                Visit { person: self.next, key: 0, version: 1 + self.dice.below(self.versions) }
            }
        }
    }
}

fn ruling(house: &House, (visit, position): (Visit, Position)) -> Ruling {
    let outcome = outcome_of(&house.code(position));
    let subject = house.subject(visit);
    let decision = outcome.as_str().as_bytes();
    let decision = house.keys.seal_decision(CAMPAIGN, subject, (position, Turn::First), decision);
    Ruling { position, turn: Turn::First, outcome, decision }
}

async fn send(
    house: Arc<House>,
    handover: Handover,
    marks: Arc<Mutex<fs::File>>,
    visit: Visit,
) -> Option<(Visit, Position)> {
    let disposition = handover.submit(house.submission(visit)).await.unwrap();
    let receipt = house.receipt(&disposition, visit).await?;
    write(&marks, &Mark::Received { visit, receipt });
    match disposition {
        Disposition::Accepted(position, ..) => Some((visit, position)),
        _ => None,
    }
}

fn write(marks: &Mutex<fs::File>, mark: &Mark) {
    let line = serde_json::to_string(mark).unwrap() + "\n";
    marks.lock().unwrap().write_all(line.as_bytes()).unwrap();
}
