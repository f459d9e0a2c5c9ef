//! `sportello verify`: proof that the ledger is whole and holds every receipt of a list.

use std::{
    collections::BTreeMap,
    error::Error,
    fs::File,
    io::{BufRead as _, BufReader, IsTerminal as _, stderr},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;

use super::{Exit, complain, say};
use crate::{
    ledger::{
        Receipt, Tally,
        engines::{files::take_directory, sqlite::file_of},
        keys::HouseKeys,
        verify::{Audit, holds_receipt, proves_itself},
    },
    schemes::{Campaign, Rules},
};

/// Findings that are printed one by one; the rest is counted.
const FINDINGS_SHOWN: usize = 20;
/// Records between two lines of progress.
const PROGRESS_RECORDS: u64 = 100_000;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello verify --data ./data --receipts receipts.ndjson\n\nThe server must not be running on the same data."
)]
pub(super) struct Verify {
    /// The data directory.
    #[arg(long, value_name = "DIR", default_value = "./data")]
    data: PathBuf,
    /// The file with the ledger's secret; `ledger.key` in the data directory if left out.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Receipts that must be there, one JSON document a line, as they were received.
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self) -> Exit {
        match self.verify() {
            Ok(findings) if findings.is_empty() => {
                say("whole: nothing is missing, changed or doubled")
            }
            Ok(findings) => {
                findings.iter().take(FINDINGS_SHOWN).for_each(complain);
                complain(format_args!("{} findings: the ledger is NOT whole", findings.len()));
                Exit::Faults
            }
            Err(fault) => {
                complain(fault);
                Exit::Usage
            }
        }
    }

    fn verify(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let directory = self.data.join("ledger");
        if !directory.is_dir() {
            return Err(format!("{} holds no ledger: is --data right?", self.data.display()).into());
        }
        let key = self.key.clone().unwrap_or_else(|| self.data.join("ledger.key"));
        let keys = Arc::new(HouseKeys::load(&key)?);
        let _taken = take_directory(&directory)?;
        let mut audits = BTreeMap::new();
        let mut findings = Vec::new();
        for window in Rules::builtin().campaigns() {
            let campaign = window.campaign;
            if !file_of(&directory, campaign).exists() {
                continue;
            }
            match Audit::open(&directory, campaign, Arc::clone(&keys)) {
                Ok(audit) => {
                    findings.extend(audit.walk(progress()));
                    tell(campaign, &audit.tally());
                    audits.insert(campaign, audit);
                }
                // The other ledgers are read all the same, and this one's receipts are named.
                Err(fault) if fault.is_damage() => findings.push(fault.to_string()),
                Err(fault) => return Err(fault.into()),
            }
        }
        if let Some(path) = &self.receipts {
            findings.extend(receipts(path, &audits, &keys.public_key())?);
        }
        Ok(findings)
    }
}

fn tell(campaign: Campaign, tally: &Tally) {
    println!(
        "{campaign}: accepted {} = decided {} + undecided {} + withdrawn before a decision {}; withdrawn later {}",
        tally.accepted.iter().sum::<u64>(),
        tally.decided.iter().sum::<u64>(),
        tally.undecided(),
        tally.withdrawn_undecided,
        tally.withdrawn_decided,
    );
}

fn receipts(
    path: &Path,
    audits: &BTreeMap<Campaign, Audit>,
    public_key: &[u8],
) -> Result<Vec<String>, Box<dyn Error>> {
    let file = File::open(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
    let mut findings = Vec::new();
    let mut codes = BTreeMap::new();
    let mut count = 0_u64;
    for (number, line) in (1_u64..).zip(BufReader::new(file).lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        count += 1;
        let at = || format!("{}:{number}", path.display());
        match serde_json::from_str::<Receipt>(&line) {
            Err(fault) => findings.push(format!("{}: is no receipt: {fault}", at())),
            Ok(receipt) if !holds_receipt(audits, &receipt).is_ok_and(|held| held) => {
                findings.push(format!(
                    "{}: LOST: the ledger does not hold {}",
                    at(),
                    receipt.receipt
                ));
            }
            Ok(receipt) if !proves_itself(&receipt, public_key) => {
                findings.push(format!("{}: {} does not prove itself", at(), receipt.receipt));
            }
            Ok(receipt) => {
                if let Some(before) = codes.insert(receipt.receipt, receipt.digest.clone())
                    && before != receipt.digest
                {
                    findings
                        .push(format!("{}: the same receipt was given for two applications", at()));
                }
            }
        }
    }
    println!("receipts: {count} read, {} different", codes.len());
    Ok(findings)
}

/// Tells how far it is, on a terminal, every [`PROGRESS_RECORDS`] records or a batch later.
fn progress() -> impl FnMut(u64) {
    let shown = stderr().is_terminal();
    let mut next = PROGRESS_RECORDS;
    move |records| {
        if shown && records >= next {
            next = records + PROGRESS_RECORDS;
            eprint!("\r{records} records read ");
        }
    }
}
