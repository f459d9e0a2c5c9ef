//! The commands for operators on a real database, by the program as operators run it.

mod carrying;
mod exporting;
mod moving;
mod recording;
mod returning;
mod verifying;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sportello::{
    ledger::{
        Ledger, Position, Receipt,
        book::{
            change::Ruling,
            record::Turn,
            submission::{Disposition, Submission},
        },
        proof::sha256,
    },
    private_files::write_private,
    schemes::Outcome,
};
use tempfile::TempDir;

use crate::node::{CAMPAIGN, DAY, body, filing, keys, subject, submission};

/// The secret of [`keys`], as an operator has it.
const SECRET: &str = "0707070707070707070707070707070707070707070707070707070707070707\n";

/// A machine of an operator, with a data directory and the settings of the servers.
struct Desk {
    place: TempDir,
    url: String,
}

impl Desk {
    fn at(url: String) -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("data/ledger")).unwrap();
        write_private(&place.path().join("ledger.key"), SECRET.as_bytes()).unwrap();
        keys().publish(&place.path().join("receipt-key.pub")).unwrap();
        Self { place, url }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Runs a command on the files in a data directory: its exit code, results and complaints.
    fn on_files(&self, data: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = program(arguments);
        command.arg("--data").arg(data).arg("--key").arg(self.path("ledger.key"));
        finished(&mut command)
    }

    /// Runs a command on the database, with settings from the environment.
    fn on_database(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = program(arguments);
        command
            .env("SPORTELLO_LEDGER_ENGINE", "postgres")
            .env("SPORTELLO_POSTGRES_URL", &self.url)
            .arg("--data")
            .arg(self.path("data"))
            .arg("--key")
            .arg(self.path("ledger.key"));
        finished(&mut command)
    }

    /// Moves the ledgers from one place to another.
    fn migrate(&self, from: &str, to: &str) -> (Option<i32>, String, String) {
        let mut command = program(&["migrate", "--from", from, "--to", to]);
        finished(command.arg("--key").arg(self.path("ledger.key")))
    }

    /// Writes receipts as clients keep them, a line each; the path of the file.
    fn keep(&self, receipts: &[Receipt]) -> PathBuf {
        let lines: Vec<_> =
            receipts.iter().map(|receipt| serde_json::to_string(receipt).unwrap() + "\n").collect();
        let path = self.path("receipts.ndjson");
        fs::write(&path, lines.concat()).unwrap();
        path
    }

    /// Asserts that each receipt proves itself without a ledger.
    #[track_caller]
    fn assert_proven(&self, receipts: &[Receipt]) {
        for receipt in receipts {
            let path = self.path("receipt.json");
            fs::write(&path, serde_json::to_string(receipt).unwrap()).unwrap();
            let key = self.path("receipt-key.pub");
            let mut command = program(&["verify-receipt"]);
            let (code, out, told) = finished(command.arg(&path).arg("--key").arg(key));
            assert_eq!(code, Some(0), "{out}{told}");
        }
    }
}

/// The program, without settings.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sportello"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPORTELLO_")) {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

fn finished(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Asserts that a command succeeded; its results.
#[track_caller]
fn done((code, out, told): (Option<i32>, String, String)) -> String {
    assert_eq!(code, Some(0), "{out}{told}");
    out
}

/// Asserts that a command failed with an exit code; its complaints.
#[track_caller]
fn failed((code, out, told): (Option<i32>, String, String), expected: i32) -> String {
    assert_eq!(code, Some(expected), "{out}{told}");
    told
}

/// A ledger that a test writes to, and the runtime on which it waits.
struct Hand<'l> {
    ledger: &'l dyn Ledger,
    runtime: &'l tokio::runtime::Runtime,
}

impl Hand<'_> {
    /// Submits an application of a person, and gives its position and receipt.
    #[track_caller]
    fn apply(&self, person: u64, submission: Submission) -> (Position, Receipt) {
        let answers = self.runtime.block_on(self.ledger.submit(vec![submission])).unwrap();
        let Disposition::Accepted(position, signed, _) = &answers[0] else {
            panic!("person {person} is not accepted")
        };
        let receipt = signed.receipt(*position, DAY, &sha256(body(person, 0).as_bytes()));
        (*position, receipt.unwrap())
    }

    /// Decides an application, and waits until that is written.
    fn decide(&self, person: u64, position: Position, turn: Turn, outcome: Outcome) {
        let text = format!("{{\"outcome\": \"{}\"}}", outcome.as_str());
        let at = (position, turn);
        let decision = keys().seal_decision(CAMPAIGN, subject(person), at, text.as_bytes());
        self.ledger.rule(vec![Ruling { position, turn, outcome, decision }]);
        // It follows the ruling in the queue.
        self.runtime.block_on(self.ledger.submit(Vec::new())).unwrap();
    }

    fn withdraw(&self, position: Position) {
        assert!(self.runtime.block_on(self.ledger.withdraw(position)).unwrap().is_some());
    }

    /// Applications in every state; their receipts.
    fn fill(&self, first: u64) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        let mut apply = |n: u64| {
            let (position, receipt) = self.apply(first + n, submission(first + n, 0, 0));
            receipts.push(receipt);
            position
        };
        let [undecided, granted, pending, again, gone, back] = [0, 1, 2, 3, 4, 5].map(&mut apply);
        assert!(undecided != granted);
        self.decide(first + 1, granted, Turn::First, Outcome::Granted);
        self.decide(first + 2, pending, Turn::First, Outcome::Pending);
        self.decide(first + 3, again, Turn::First, Outcome::Pending);
        self.decide(first + 3, again, Turn::Again, Outcome::Refused);
        self.decide(first + 4, gone, Turn::First, Outcome::Granted);
        self.withdraw(gone);
        self.withdraw(back);
        receipts.push(self.apply(first + 5, submission(first + 5, 1, 0)).1);
        receipts.push(self.apply(first + 6, filing("caf", first + 6, first, 0)).1);
        receipts
    }
}
