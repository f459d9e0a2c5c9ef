//! Checks a ledger against the answers that people got.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use sportello::ledger::{
    Receipt, ReceiptCode, State,
    book::submission::Disposition,
    handover::Handover,
    verify::{Inspection, Receipts as _, proves_itself},
};
use tokio::task::LocalSet;

use crate::writer::{CAMPAIGN, House, Mark, Visit, body, outcome_of};

/// A person who has not applied in any run.
const NEWCOMER: Visit = Visit { person: 9_999_999, key: 0, version: 1 };

/// The answers that people got: receipts and withdrawals.
#[derive(Clone, Default)]
pub(crate) struct Promised {
    pub(crate) received: BTreeMap<String, (Visit, Receipt)>,
    withdrawing: BTreeSet<String>,
    withdrawn: BTreeSet<String>,
}

impl Promised {
    pub(crate) fn add<'m>(&mut self, marks: impl Iterator<Item = &'m str>) {
        for mark in marks {
            match serde_json::from_str(mark).unwrap() {
                Mark::Received { visit, receipt } => {
                    let code = receipt.receipt.clone();
                    let answer = (visit, receipt);
                    let before = self.received.insert(code, answer.clone());
                    assert!(
                        before.is_none_or(|before| before == answer),
                        "two receipts with one code"
                    );
                }
                Mark::Withdrawing { receipt } => drop(self.withdrawing.insert(receipt)),
                Mark::Withdrawn { receipt } => drop(self.withdrawn.insert(receipt)),
            }
        }
    }
}

/// Every difference between the data and the answers that people got. Changes the data: a newcomer applies.
pub(crate) fn findings(data: &Path, promised: &Promised) -> Vec<String> {
    let mut findings = Vec::new();
    let house = match House::open(data) {
        Ok(house) => Arc::new(house),
        Err(fault) => return vec![format!("the ledger does not open: {fault}")],
    };
    for (code, (visit, receipt)) in &promised.received {
        if let Err(what) = stands(&house, promised, *visit, receipt) {
            findings.push(format!("{code}: {what}"));
        }
    }
    findings.extend(repeated(&house, promised));
    let public_keys = house.keys.public_keys();
    house.shelf.close();
    let keys = Arc::clone(&house.keys);
    drop(house);
    match Inspection::open(&data.join("ledger"), CAMPAIGN, keys) {
        Err(fault) => findings.push(format!("the ledger cannot be verified: {fault}")),
        Ok(inspection) => {
            findings.extend(inspection.walk(drop));
            for (_, receipt) in promised.received.values() {
                if !inspection.holds(receipt).is_ok_and(|held| held) {
                    findings.push(format!(
                        "{}: the ledger does not hold this receipt",
                        receipt.receipt
                    ));
                }
                if !proves_itself(receipt, &public_keys) {
                    findings.push(format!("{}: the receipt does not verify", receipt.receipt));
                }
            }
        }
    }
    findings
}

/// Checks one receipt: its application byte for byte, its state and its decision.
fn stands(
    house: &House,
    promised: &Promised,
    visit: Visit,
    receipt: &Receipt,
) -> Result<(), String> {
    let code = ReceiptCode::parse(&receipt.receipt).unwrap();
    let ledger = &house.ledger;
    let found = house.wait(ledger.find(code)).map_err(|fault| fault.to_string())?;
    let (position, state) = found.ok_or("LOST")?;
    let subject = house.subject(visit);
    let stored = house.wait(ledger.read(position, subject)).map_err(|fault| fault.to_string())?;
    if stored.application != body(visit).as_bytes() {
        return Err("another application".to_owned());
    }
    let given = house.wait(ledger.receipt(position)).map_err(|fault| fault.to_string())?;
    if given.as_ref() != Some(receipt) {
        return Err("another receipt".to_owned());
    }
    let gone = matches!(state, State::Withdrawn(_));
    if gone != promised.withdrawn.contains(&receipt.receipt)
        && !(gone && promised.withdrawing.contains(&receipt.receipt))
    {
        return Err(format!("{state:?} contradicts the answers to the withdrawal"));
    }
    let expected = match state {
        State::Decided(outcome) | State::Withdrawn(Some(outcome)) => {
            if outcome != outcome_of(&receipt.receipt) {
                return Err("another outcome".to_owned());
            }
            Some(outcome.as_str().as_bytes().to_vec())
        }
        _ => None,
    };
    if stored.decision != expected {
        return Err("another decision".to_owned());
    }
    Ok(())
}

/// Everybody submits again: the same key gets its receipt, another key gets that the person has applied, and a newcomer
/// is accepted.
fn repeated(house: &Arc<House>, promised: &Promised) -> Vec<String> {
    let mut findings = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let handover = Handover::to(&house.ledger);
        let mut sending = tokio::task::JoinSet::new();
        let sent =
            promised.received.values().map(|(visit, receipt)| (*visit, Some(receipt.clone())));
        for (visit, receipt) in sent.chain([(NEWCOMER, None)]) {
            let again = handover.clone();
            let submission = house.submission(visit);
            sending.spawn_local(async move { (visit, receipt, again.submit(submission).await) });
        }
        while let Some(answer) = sending.join_next().await {
            let (visit, receipt, answer) = answer.unwrap();
            let fine = match (&receipt, &answer) {
                (Some(_), Ok(again @ Disposition::Replayed(_))) => {
                    house.receipt(again, visit).await == receipt
                }
                (None, Ok(Disposition::Accepted(..))) => true,
                _ => false,
            };
            if !fine {
                let code = receipt.map_or("newcomer".to_owned(), |receipt| receipt.receipt);
                findings.push(format!("{code}: submitted again, got another answer"));
            }
        }
        let standing =
            promised.received.iter().filter(|(code, _)| !promised.withdrawing.contains(*code));
        for (code, (visit, _)) in standing.take(20) {
            let other = Visit { key: visit.key + 5000, ..*visit };
            let answer = handover.submit(house.submission(other)).await;
            if !matches!(answer, Ok(Disposition::AlreadyApplied(_))) {
                findings.push(format!("{code}: the person could apply twice"));
            }
        }
    });
    findings
}
