//! `sportello verify`: proof that the ledger is whole and holds every receipt of a list.

use std::{
    collections::BTreeMap,
    error::Error,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;

use super::{Exit, complain, house::House, progress, say};
use crate::{
    ledger::{
        Receipt, Tally, audit,
        engines::{files::take_directory, sqlite::file_of},
        keys::HouseKeys,
        verify::{Inspection, Prover, holds_receipt},
    },
    schemes::{Campaign, Rules},
};

/// The ledgers that were inspected.
type Inspections = BTreeMap<Campaign, Inspection>;

/// Findings that are printed one by one; the rest is counted.
const FINDINGS_SHOWN: usize = 20;
/// Records between two lines of progress.
const PROGRESS_RECORDS: u64 = 100_000;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello verify --data ./data --receipts receipts.ndjson\n\nThe server must not be running on the same data."
)]
pub(super) struct Verify {
    #[command(flatten)]
    house: House,
    /// Receipts that must be there, one JSON document a line, as they were received.
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self) -> Exit {
        match self.verify() {
            Ok(findings) => conclude(&findings),
            Err(fault) => {
                complain(fault);
                Exit::Usage
            }
        }
    }

    fn verify(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let directory = self.house.ledgers()?;
        let keys = self.house.keys()?;
        let _taken = take_directory(&directory)?;
        let (inspections, mut findings) = inspect(&directory, &keys)?;
        if let Some(path) = &self.receipts {
            findings.extend(receipts(path, &inspections, &keys.public_keys())?);
        }
        Ok(findings)
    }
}

/// Says whether the ledger is whole, and what is not.
pub(super) fn conclude(findings: &[String]) -> Exit {
    if findings.is_empty() {
        return say("whole: nothing is missing, changed or doubled");
    }
    findings.iter().take(FINDINGS_SHOWN).for_each(complain);
    complain(format_args!("{} findings: the ledger is NOT whole", findings.len()));
    Exit::Faults
}

/// Inspects every ledger and the audit trail in a directory that was taken; tells the counts on the way.
pub(super) fn inspect(
    directory: &Path,
    keys: &Arc<HouseKeys>,
) -> Result<(Inspections, Vec<String>), Box<dyn Error>> {
    let mut inspections = BTreeMap::new();
    let mut findings = Vec::new();
    for window in Rules::builtin().campaigns() {
        let campaign = window.campaign;
        if !file_of(directory, campaign).exists() {
            continue;
        }
        match Inspection::open(directory, campaign, Arc::clone(keys)) {
            Ok(inspection) => {
                findings.extend(inspection.walk(watch()));
                tell(campaign, &inspection.tally());
                inspections.insert(campaign, inspection);
            }
            // The other ledgers are read all the same, and this one's receipts are named.
            Err(fault) if fault.is_damage() => findings.push(fault.to_string()),
            Err(fault) => return Err(fault.into()),
        }
    }
    match audit::inspect(directory, keys) {
        Ok(found) => findings.extend(found),
        Err(fault) => findings.push(fault.to_string()),
    }
    Ok((inspections, findings))
}

fn tell(campaign: Campaign, tally: &Tally) {
    // Should it fail, so does the verdict, which sets the exit code.
    say(format_args!(
        "{campaign}: accepted {} = decided {} + undecided {} + withdrawn before a decision {}; withdrawn later {}",
        tally.accepted.iter().sum::<u64>(),
        tally.decided.iter().sum::<u64>(),
        tally.undecided(),
        tally.withdrawn_undecided,
        tally.withdrawn_decided,
    ));
}

fn receipts(
    path: &Path,
    inspections: &Inspections,
    public_keys: &[Vec<u8>],
) -> Result<Vec<String>, Box<dyn Error>> {
    let file = File::open(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
    let mut findings = Vec::new();
    let mut codes = BTreeMap::new();
    let mut count = 0_u64;
    let (mut prover, mut watch) = (Prover::with(public_keys), watch());
    for (number, line) in (1_u64..).zip(BufReader::new(file).lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        count += 1;
        watch(count);
        let at = || format!("{}:{number}", path.display());
        match serde_json::from_str::<Receipt>(&line) {
            Err(fault) => findings.push(format!("{}: is no receipt: {fault}", at())),
            Ok(receipt) if !holds_receipt(inspections, &receipt).is_ok_and(|held| held) => {
                findings.push(format!(
                    "{}: LOST: the ledger does not hold {}",
                    at(),
                    receipt.receipt
                ));
            }
            Ok(receipt) if !prover.proves(&receipt) => {
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
    say(format_args!("receipts: {count} read, {} different", codes.len()));
    Ok(findings)
}

/// Shows progress every [`PROGRESS_RECORDS`] records, or a batch later.
fn watch() -> impl FnMut(u64) {
    let mut next = PROGRESS_RECORDS;
    move |records| {
        if records >= next {
            next = records + PROGRESS_RECORDS;
            progress(format_args!("{records} read"));
        }
    }
}
