//! `sportello verify`: proves that the ledger is whole and holds every receipt of a list.

use std::{
    collections::{BTreeMap, HashSet},
    error::Error,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    Exit, complain,
    ledgers::{Ledgers, Place},
    progress, say,
};
use crate::{
    ledger::{
        OpenFault, Receipt, ReceiptCode, Tally,
        local::take_directory,
        tools::{Checked, Inspected, Tools},
        verify::{Prover, Receipts},
    },
    schemes::{Campaign, Rules},
};

/// The inspected ledgers.
type Inspections = BTreeMap<Campaign, Box<dyn Receipts>>;

/// Findings that are printed; the others are only counted.
const FINDINGS_SHOWN: usize = 20;
/// Records between two updates of the progress display.
const PROGRESS_RECORDS: u64 = 100_000;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello verify --data ./data --receipts receipts.ndjson\n\nStop the server first, or verify a backup. Servers whose ledgers are in a database may run. Exit code 0: the ledger is whole and holds every receipt of the list."
)]
pub(super) struct Verify {
    #[command(flatten)]
    ledgers: Ledgers,
    /// Receipts that the ledger must hold, one per line: JSON as the server sent it, or the code alone.
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(self) -> Exit {
        let Self { ledgers, receipts } = self;
        match ledgers
            .find()
            .map_err(Into::into)
            .and_then(|place| verify(&place, receipts.as_deref()))
        {
            Ok((findings, faulty)) => conclude(&findings, faulty),
            Err(fault) => {
                complain(fault);
                Exit::Usage
            }
        }
    }
}

/// The findings, and how many of them are about the list.
fn verify(place: &Place, list: Option<&Path>) -> Result<(Vec<String>, usize), Box<dyn Error>> {
    let (tools, keys) = (place.tools()?, place.house.keys()?);
    let at = |path: &Path, fault| format!("{}: {fault}", path.display());
    // Before the long part, so that a wrong name is reported at once.
    let list = match list {
        Some(path) => Some((path, File::open(path).map_err(|fault| at(path, fault))?)),
        None => None,
    };
    let _taken =
        if place.is_local() { Some(take_directory(&place.house.ledgers()?)?) } else { None };
    let (inspections, mut findings) = inspect(&*tools)?;
    let Some((path, file)) = list else { return Ok((findings, 0)) };
    let listed = receipts(path, file, &inspections, &keys.public_keys())?;
    // If it fails, so does the conclusion, which sets the exit code.
    say(format_args!(
        "receipts: {} read, {} distinct, {} lost, {} faulty",
        listed.read,
        listed.codes.len(),
        listed.lost,
        listed.faulty
    ));
    findings.extend(listed.findings);
    Ok((findings, listed.faulty))
}

/// Prints what was found, at most [`FINDINGS_SHOWN`] findings, and concludes. `faulty` of the findings are about the list
/// of receipts and not about the ledger.
pub(super) fn conclude(findings: &[String], faulty: usize) -> Exit {
    if findings.is_empty() {
        return say("whole: nothing is missing, altered or duplicated");
    }
    findings.iter().take(FINDINGS_SHOWN).for_each(complain);
    if findings.len() > FINDINGS_SHOWN {
        complain(format_args!("and {} more findings", findings.len() - FINDINGS_SHOWN));
    }
    if findings.len() == faulty {
        complain(format_args!("the ledger is whole; faulty lines in the list: {faulty}"));
    } else {
        complain(format_args!("the ledger is NOT whole; findings: {}", findings.len() - faulty));
    }
    Exit::Faults
}

/// Inspects every ledger and what else the tools find, and prints the counts.
pub(super) fn inspect(tools: &dyn Tools) -> Result<(Inspections, Vec<String>), Box<dyn Error>> {
    let mut inspections = BTreeMap::new();
    let mut findings = Vec::new();
    for window in Rules::builtin().campaigns() {
        let campaign = window.campaign;
        match tools.inspect(campaign, &mut watch()) {
            Ok(Some(Inspected { tally, findings: found, receipts })) => {
                findings.extend(found);
                tell(campaign, &tally);
                inspections.insert(campaign, receipts);
            }
            Ok(None) => {}
            // The other ledgers are inspected nevertheless, and every receipt of this one is reported as lost.
            Err(fault) if fault.is_damage() => findings.push(fault.to_string()),
            Err(fault) => return Err(fault.into()),
        }
    }
    for Checked { counted, findings: found } in tools.check_stores() {
        findings.extend(found);
        if let Some((what, count)) = counted.filter(|(_, count)| *count > 0) {
            // If it fails, so does the conclusion, which sets the exit code.
            say(format_args!("{what}: {count}"));
        }
    }
    if !tools.not_covered().is_empty() {
        complain(format_args!("not verified: {}", tools.not_covered().join(", ")));
    }
    Ok((inspections, findings))
}

fn tell(campaign: Campaign, tally: &Tally) {
    // If it fails, so does the conclusion, which sets the exit code.
    say(format_args!(
        "{campaign}: accepted {} = decided {} + undecided {} + withdrawn before a decision {}; withdrawn later {}",
        tally.accepted.iter().sum::<u64>(),
        tally.decided.iter().sum::<u64>(),
        tally.undecided(),
        tally.withdrawn_undecided,
        tally.withdrawn_decided,
    ));
    if tally.canary > 0 {
        say(format_args!("{campaign}: {} of the canary besides, verified likewise", tally.canary));
    }
}

/// What a list of receipts says about the ledger.
#[derive(Default)]
struct Listed {
    read: u64,
    /// Codes of the receipts that the ledger holds.
    codes: HashSet<ReceiptCode>,
    lost: usize,
    /// Lines that are not a receipt, or not a genuine one.
    faulty: usize,
    findings: Vec<String>,
}

fn receipts(
    path: &Path,
    file: File,
    inspections: &Inspections,
    public_keys: &[Vec<u8>],
) -> Result<Listed, Box<dyn Error>> {
    let mut listed = Listed::default();
    let (mut prover, mut watch) = (Prover::with(public_keys), watch());
    for (number, line) in (1_u64..).zip(BufReader::new(file).split(b'\n')) {
        let line = line.map_err(|fault| format!("{}: {fault}", path.display()))?;
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        listed.read += 1;
        watch(listed.read);
        let what = match parse_line(line) {
            Err(fault) => {
                listed.faulty += 1;
                format!("not a receipt: {fault}")
            }
            Ok((code, whole)) if !is_held(inspections, code, whole.as_ref())? => {
                listed.lost += 1;
                match whole {
                    Some(_) => {
                        format!("LOST: the ledger does not hold {code} as this receipt says")
                    }
                    None => format!("LOST: the ledger does not hold {code}"),
                }
            }
            Ok((code, Some(receipt))) if !prover.proves(&receipt) => {
                listed.faulty += 1;
                format!("the receipt {code} is not genuine")
            }
            Ok((code, _)) => {
                listed.codes.insert(code);
                continue;
            }
        };
        listed.findings.push(format!("{}:{number}: {what}", path.display()));
    }
    Ok(listed)
}

/// A receipt code, and the receipt if the line is a whole one.
fn parse_line(line: &[u8]) -> Result<(ReceiptCode, Option<Receipt>), String> {
    let text = str::from_utf8(line).map_err(|_| "it is not valid UTF-8")?;
    let whole = text.starts_with('{').then(|| serde_json::from_str::<Receipt>(text)).transpose();
    let whole = whole.map_err(|fault| {
        let text = fault.to_string();
        // The line that JSON counts is always the first.
        let what = text.rsplit_once(" at line ").map_or(&*text, |(what, _)| what);
        format!("{what}, column {}", fault.column())
    })?;
    let code = whole.as_ref().map_or(text, |receipt| &receipt.receipt);
    let code =
        ReceiptCode::parse(code).ok_or("no code of the form ISCRO-2024-7K3M-9QXT-B2FD-0YHR")?;
    Ok((code, whole))
}

/// Whether the ledger holds a receipt: to the letter if it is whole, else its code.
fn is_held(
    inspections: &Inspections,
    code: ReceiptCode,
    whole: Option<&Receipt>,
) -> Result<bool, OpenFault> {
    let Some(receipts) = inspections.get(&code.campaign()) else { return Ok(false) };
    match whole {
        Some(receipt) => receipts.holds(receipt),
        None => receipts.holds_code(code),
    }
}

/// Shows the progress about every [`PROGRESS_RECORDS`] records.
fn watch() -> impl FnMut(u64) {
    let mut next = PROGRESS_RECORDS;
    move |records| {
        if records >= next {
            next = records + PROGRESS_RECORDS;
            progress(format_args!("{records} read"));
        }
    }
}
