//! Offline proof that a ledger is whole, and that it holds every receipt of a list.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::{Arc, Mutex},
};

use super::{
    Position, RECEIVED, Receipt, State, Tally,
    engine::{Entry, OpenFault, Reader as _, SignedBatch, StorageFault, StoredBatch},
    engines::sqlite::{self, Bounds},
    index::Index,
    keys::HouseKeys,
    lock,
    proof::{Digest, Proof, content_digest, receipt_leaf, sha256},
    receipt::ReceiptCode,
    record::Header,
};
use crate::schemes::Campaign;

/// Files need few connections when nobody else works.
const BOUNDS: Bounds = Bounds { wal_bytes_max: u64::MAX, readers_max: 1 };

/// What is said of such a batch, and of everybody in it.
const UNSIGNED: &str = "does not match its signed root";

/// One campaign's ledger, opened to be verified; the directory must have been taken before.
pub struct Inspection {
    campaign: Campaign,
    keys: Arc<HouseKeys>,
    reader: sqlite::SqliteReader,
    index: Arc<Mutex<Index>>,
}

/// What is wrong with a ledger, in words for the operator. No personal data.
pub type Finding = String;

impl Inspection {
    /// Opens the ledger of `campaign` in `directory`.
    ///
    /// # Errors
    /// [`OpenFault`], also when the narrow tables contradict each other.
    pub fn open(
        directory: &Path,
        campaign: Campaign,
        keys: Arc<HouseKeys>,
    ) -> Result<Self, OpenFault> {
        let sqlite::Opened { engine, reader, index } =
            sqlite::open(directory, campaign, Arc::clone(&keys), BOUNDS)?;
        drop(engine);
        Ok(Self { campaign, keys, reader, index })
    }

    /// Its counts.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.index).tally()
    }

    /// Reads every record and decision: each opens for its subject, has the digest that was signed, stands under its batch's
    /// root, and each batch under the next one's. What cannot be read is found too, and does not keep the rest from being
    /// read. `progress` is told how many records were read.
    pub fn walk(&self, mut progress: impl FnMut(u64)) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut previous_root = Some(Digest::default());
        let mut next = 0;
        let (mut standing, mut keys) = (HashSet::new(), HashSet::new());
        let batches = self.reader.batches().unwrap_or_else(|fault| {
            findings.push(format!("{}: its batches cannot be read: {fault}", self.campaign));
            0
        });
        for number in 1..=batches {
            let Some(batch) = self.batch(number, &mut findings) else {
                previous_root = None;
                continue;
            };
            findings.extend(self.unread(next..batch.first.0));
            if previous_root.is_some_and(|root| root != batch.previous_root) {
                findings
                    .push(format!("{}: the chain is broken before batch {number}", self.campaign));
            }
            let signed = batch.tree(&self.keys, self.campaign).root() == batch.root
                && self.keys.signed_root(&batch.root, &batch.signature);
            if !signed {
                findings.push(format!("{}: batch {number} {UNSIGNED}", self.campaign));
            }
            for (offset, entry) in (0..).zip(&batch.entries) {
                let position = Position(batch.first.0 + offset);
                let code = || self.keys.receipt(self.campaign, position);
                if !signed {
                    findings.push(format!("{}: its batch {UNSIGNED}", code()));
                }
                if let Some(what) = self.examine(position, entry) {
                    findings.push(format!("{}: {what}", code()));
                }
                let state = lock(&self.index).durable_state(position);
                if state.is_some_and(State::stands) && !standing.insert(entry.claim) {
                    findings.push(format!("{}: a second application of the same person", code()));
                }
                if !keys.insert(entry.key) {
                    findings.push(format!("{}: its idempotency key was used before", code()));
                }
            }
            previous_root = Some(batch.root);
            next = batch.first.0.saturating_add(u32::try_from(batch.entries.len()).unwrap_or(0));
            progress(next.into());
        }
        findings.extend(self.unread(next..u32::try_from(lock(&self.index).len()).unwrap_or(next)));
        findings
    }

    fn batch(&self, number: u32, findings: &mut Vec<Finding>) -> Option<StoredBatch> {
        let what = match self.reader.batch(number) {
            Ok(Some(batch)) => return Some(batch),
            Ok(None) => "is missing".to_owned(),
            Err(fault) => format!("cannot be read: {fault}"),
        };
        findings.push(format!("{}: batch {number} {what}", self.campaign));
        None
    }

    /// Everybody whose batch could not be read.
    fn unread(&self, positions: std::ops::Range<u32>) -> impl Iterator<Item = Finding> {
        positions.map(|position| {
            let code = self.keys.receipt(self.campaign, Position(position));
            format!("{code}: its batch is missing or cannot be read")
        })
    }

    fn examine(&self, position: Position, entry: &Entry) -> Option<String> {
        match self.difference(position, entry) {
            Ok(difference) => difference.map(str::to_owned),
            Err(fault) => Some(format!("it cannot be read: {fault}")),
        }
    }

    fn difference(
        &self,
        position: Position,
        entry: &Entry,
    ) -> Result<Option<&'static str>, StorageFault> {
        let Some(stored) = self.reader.record(position)? else {
            return Ok(Some("the record is missing"));
        };
        let state = lock(&self.index).durable_state(position);
        if matches!(state, Some(State::Erased { .. })) {
            let erased = stored.is_empty() && self.reader.decision(position)?.is_none();
            return Ok((!erased).then_some("it was erased, but something of it is there"));
        }
        let Ok(header) = Header::decode(&stored) else {
            return Ok(Some("the record cannot be read"));
        };
        let Ok(application) = self.keys.open_record(self.campaign, header.subject, &stored) else {
            return Ok(Some("the record does not open for its subject"));
        };
        if sha256(&application) != entry.digest || header.received_on != entry.received_on {
            return Ok(Some("the record is not the one that was signed"));
        }
        if self.keys.claim(header.subject, self.campaign) != entry.claim {
            return Ok(Some("the record is another person's"));
        }
        let decided = matches!(state, Some(State::Decided(_) | State::Withdrawn(Some(_))));
        Ok(match self.reader.decision(position)? {
            None => decided.then_some("the decision is missing"),
            Some(_) if !decided => Some("there is a decision that nobody recorded"),
            Some((turn, sealed)) => {
                let at = (position, turn);
                let opened = self.keys.open_decision(self.campaign, header.subject, at, &sealed);
                opened.is_err().then_some("the decision does not open for its subject")
            }
        })
    }

    /// Whether the ledger holds this receipt, to the letter.
    ///
    /// # Errors
    /// [`StorageFault`] when the disk does not answer.
    pub fn holds(&self, receipt: &Receipt) -> Result<bool, StorageFault> {
        let Some(position) = ReceiptCode::parse(&receipt.receipt)
            .and_then(|code| self.keys.position(code))
            .filter(|position| lock(&self.index).durable_state(*position).is_some())
        else {
            return Ok(false);
        };
        let Some(batch) = self.reader.batch_of(position)? else { return Ok(false) };
        let Some(entry) = batch.entries.get((position.0 - batch.first.0) as usize).copied() else {
            return Ok(false);
        };
        let leaf = self.keys.leaf(self.campaign, position, &entry);
        let proof = SignedBatch::restored(&self.keys, self.campaign, batch).proof(&leaf);
        Ok(receipt.digest == content_digest(&entry.digest)
            && receipt.received_on == entry.received_on.to_string()
            && proof.as_ref() == Some(&receipt.proof))
    }
}

/// Verifies receipts against their campaign's ledgers.
///
/// # Errors
/// [`StorageFault`] when the disk does not answer.
pub fn holds_receipt(
    inspections: &BTreeMap<Campaign, Inspection>,
    receipt: &Receipt,
) -> Result<bool, StorageFault> {
    match ReceiptCode::parse(&receipt.receipt).and_then(|code| inspections.get(&code.campaign())) {
        Some(inspection) => inspection.holds(receipt),
        None => Ok(false),
    }
}

/// Whether a receipt proves itself under one of the house's published keys: no ledger is needed.
#[must_use]
pub fn proves_itself(receipt: &Receipt, public_keys: &[Vec<u8>]) -> bool {
    if receipt.state != RECEIVED {
        return false;
    }
    let Some(digest) = parse_content_digest(&receipt.digest) else { return false };
    let leaf = receipt_leaf(&receipt.receipt, &receipt.received_on, &digest);
    let proof: &Proof = &receipt.proof;
    proof.holds_for(leaf, public_keys)
}

fn parse_content_digest(text: &str) -> Option<Digest> {
    use base64::Engine as _;
    let encoded = text.strip_prefix("sha-256=:")?.strip_suffix(':')?;
    base64::engine::general_purpose::STANDARD.decode(encoded).ok()?.try_into().ok()
}
