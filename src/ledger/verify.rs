//! Verifying offline that a ledger is complete, and that it holds every receipt of a list.

use std::{
    collections::{HashSet, VecDeque},
    num::NonZero,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use crossbeam::channel::{Sender, bounded};

use super::{
    book::{
        change::{State, Tally},
        entry::Entry,
        record::Header,
        sign::StoredBatch,
    },
    fault::{OpenFault, StorageFault},
    local::{
        index::{Index, lock},
        revocations,
        sqlite::{self, Bounds},
        telephone,
    },
    position::Position,
    proof::{Digest, content_digest, receipt_leaf, sha256},
    receipt::{Receipt, ReceiptCode},
};
use crate::{schemes::Campaign, vault::HouseKeys};

/// One connection for each thread that opens records.
const BOUNDS: Bounds = Bounds { wal_bytes_max: u64::MAX, readers_max: 64 };
/// Batches that wait for the threads that open records.
const BATCHES_AHEAD_MAX: usize = 64;
/// Batches cached while receipts are looked up: receipts of a list are often in the same batches.
const BATCHES_CACHED_MAX: usize = 64;

/// The finding on an unsigned batch, and on every record in it.
pub(in crate::ledger) const UNSIGNED: &str = "does not match its signed root";

/// Findings on a record and its decision, in the words of every engine.
pub(in crate::ledger) const NOT_ERASED: &str = "it was erased, but some of its data is still there";
pub(in crate::ledger) const NO_DECISION: &str = "the decision is missing";
pub(in crate::ledger) const UNRECORDED_DECISION: &str =
    "there is a decision that the chain does not record";
pub(in crate::ledger) const SEALED_DECISION: &str = "the decision does not open for its subject";

/// The finding if a thread panicked: then nothing is proven.
const PANICKED: &str =
    "verification stopped unexpectedly: this is a bug in sportello, please report it";

/// One campaign's ledger, opened for verification; its directory must be locked for this process.
pub struct Inspection {
    campaign: Campaign,
    keys: Arc<HouseKeys>,
    reader: sqlite::SqliteReader,
    index: Arc<Mutex<Index>>,
    /// The batches in which receipts were found last.
    cached: Mutex<VecDeque<Arc<StoredBatch>>>,
}

/// Checks the revocations of mandates; returns their number and what is wrong with them.
///
/// # Errors
/// [`OpenFault`].
pub fn revocations(directory: &Path, keys: &HouseKeys) -> Result<(usize, Vec<Finding>), OpenFault> {
    revocations::inspect(directory, keys)
}

/// Checks the mandates that were given by telephone, likewise.
///
/// # Errors
/// [`OpenFault`].
pub fn telephone_mandates(
    directory: &Path,
    keys: &HouseKeys,
) -> Result<(usize, Vec<Finding>), OpenFault> {
    telephone::inspect(directory, keys)
}

/// What is wrong with a ledger, in words for the operator, without personal data.
pub type Finding = String;

impl Inspection {
    /// Opens the ledger of `campaign` in `directory`.
    ///
    /// # Errors
    /// [`OpenFault`]; [`OpenFault::is_damage`] tells a damaged ledger from one that cannot be reached.
    pub fn open(
        directory: &Path,
        campaign: Campaign,
        keys: Arc<HouseKeys>,
    ) -> Result<Self, OpenFault> {
        let sqlite::Opened { reader, index, .. } =
            sqlite::open(directory, campaign, Arc::clone(&keys), BOUNDS)?;
        Ok(Self { campaign, keys, reader, index, cached: Mutex::default() })
    }

    /// Its counts.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.index).tally()
    }

    /// Checks every record and decision: it opens for its subject and has the signed digest; every batch matches its
    /// root, and the roots form a chain. What cannot be read is a finding too, and does not end the check. Calls
    /// `progress` with the number of records read.
    pub fn walk(&self, progress: impl FnMut(u64)) -> Vec<Finding> {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let (batches, waiting) = bounded::<(u32, StoredBatch)>(BATCHES_AHEAD_MAX);
        thread::scope(|scope| {
            let examiners: Vec<_> = (0..threads)
                .map(|_| {
                    let waiting = waiting.clone();
                    scope.spawn(move || {
                        waiting
                            .iter()
                            .flat_map(|(number, batch)| self.examine_all(number, &batch))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            let mut findings = self.walk_chain(&batches, progress);
            drop(batches);
            for examiner in examiners {
                let found = examiner.join();
                findings.extend(found.unwrap_or_else(|_| vec![PANICKED.to_owned()]));
            }
            findings
        })
    }

    /// Checks that the roots form a chain, that no batch is missing, and that no person or key occurs twice. Sends each
    /// batch to the examiners, which check its contents.
    fn walk_chain(
        &self,
        examiners: &Sender<(u32, StoredBatch)>,
        mut progress: impl FnMut(u64),
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut previous_root = Some(Digest::default());
        let mut next = 0;
        let (mut standing, mut keys) = (HashSet::new(), HashSet::new());
        let batches = self.reader.batches().unwrap_or_else(|fault| {
            findings.push(format!("{}: its batches cannot be read: {fault}", self.campaign));
            0
        });
        let linked = self.reader.linked().unwrap_or_default();
        findings.extend(self.broken_chains());
        for number in 1..=batches {
            let Some(batch) = self.batch(number, &mut findings) else {
                previous_root = None;
                continue;
            };
            // Between gathered batches, positions may be vacant, and the chains of several nodes alternate.
            if number > linked {
                findings.extend(self.unread(next..batch.first.0));
            }
            if number > linked + 1 && previous_root.is_some_and(|root| root != batch.previous_root)
            {
                findings
                    .push(format!("{}: the chain is broken before batch {number}", self.campaign));
            }
            for (position, entry) in batch.positions() {
                let state = lock(&self.index).durable_state(position);
                let code = || ReceiptCode::of(&self.keys, self.campaign, position);
                if state.is_some_and(State::stands) && !standing.insert(entry.claim) {
                    findings.push(format!("{}: a second application of the same person", code()));
                }
                if !keys.insert(entry.key) {
                    findings.push(format!("{}: its idempotency key was used before", code()));
                }
            }
            previous_root = Some(batch.root);
            next = batch.first.0.saturating_add(u32::try_from(batch.entries.len()).unwrap_or(0));
            // The receivers live until this function returns, so this cannot fail.
            let _sent = examiners.send((number, batch));
            progress(next.into());
        }
        findings.extend(self.unread(next..u32::try_from(lock(&self.index).len()).unwrap_or(next)));
        findings
    }

    /// Checks a batch against its signed root, and everything in it.
    fn examine_all(&self, number: u32, batch: &StoredBatch) -> Vec<Finding> {
        let unsigned = batch.tree(&self.keys, self.campaign).0.root() != batch.root
            || !self.keys.has_signed(&batch.root, &batch.signature);
        let mut findings = Vec::new();
        if unsigned {
            findings.push(format!("{}: batch {number} {UNSIGNED}", self.campaign));
        }
        for (position, entry) in batch.positions() {
            let code = || ReceiptCode::of(&self.keys, self.campaign, position);
            if unsigned {
                findings.push(format!("{}: its batch {UNSIGNED}", code()));
            }
            if let Some(what) = self.examine(position, entry) {
                findings.push(format!("{}: {what}", code()));
            }
        }
        findings
    }

    fn broken_chains(&self) -> Vec<Finding> {
        let broken = |chain| {
            format!("{}: chain {chain} has not the batches up to its last root", self.campaign)
        };
        match self.reader.broken_chains() {
            Ok(chains) => chains.into_iter().map(broken).collect(),
            Err(fault) => vec![format!("{}: its chains cannot be read: {fault}", self.campaign)],
        }
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

    /// One finding for each position whose batch could not be read.
    fn unread(&self, positions: std::ops::Range<u32>) -> impl Iterator<Item = Finding> {
        positions.map(|position| {
            let code = ReceiptCode::of(&self.keys, self.campaign, Position(position));
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
            return Ok((!erased).then_some(NOT_ERASED));
        }
        let header = match signed_header(&self.keys, self.campaign, &stored, entry) {
            Ok(header) => header,
            Err(difference) => return Ok(Some(difference)),
        };
        let decided = matches!(state, Some(State::Decided(_) | State::Withdrawn(Some(_))));
        Ok(match self.reader.decision(position)? {
            None => decided.then_some(NO_DECISION),
            Some(_) if !decided => Some(UNRECORDED_DECISION),
            Some((turn, sealed)) => {
                let at = (position, turn);
                let opened = self.keys.open_decision(self.campaign, header.subject, at, &sealed);
                opened.is_err().then_some(SEALED_DECISION)
            }
        })
    }

    /// The batch that holds the application of a code, and its position.
    fn find(
        &self,
        code: ReceiptCode,
    ) -> Result<Option<(Arc<StoredBatch>, Position)>, StorageFault> {
        let position = code
            .position(&self.keys)
            .filter(|position| lock(&self.index).durable_state(*position).is_some());
        let Some(position) = position else { return Ok(None) };
        let batch = self.batch_of(position)?.filter(|batch| batch.holds(position));
        Ok(batch.map(|batch| (batch, position)))
    }

    fn batch_of(&self, position: Position) -> Result<Option<Arc<StoredBatch>>, StorageFault> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = cached.iter().find(|batch| batch.holds(position)) {
            return Ok(Some(Arc::clone(batch)));
        }
        let Some(batch) = self.reader.batch_of(position)?.map(Arc::new) else { return Ok(None) };
        if cached.len() == BATCHES_CACHED_MAX {
            cached.pop_front();
        }
        cached.push_back(Arc::clone(&batch));
        Ok(Some(batch))
    }
}

/// Which receipts a ledger holds.
pub trait Receipts {
    /// Whether the ledger holds an application under this code, also if it was withdrawn or erased. What cannot be read is
    /// not held.
    ///
    /// # Errors
    /// [`OpenFault`] if the ledger has gone.
    fn holds_code(&self, code: ReceiptCode) -> Result<bool, OpenFault>;

    /// Whether the ledger holds exactly this receipt, likewise.
    ///
    /// # Errors
    /// As for [`holds_code`](Self::holds_code).
    fn holds(&self, receipt: &Receipt) -> Result<bool, OpenFault>;
}

impl Receipts for Inspection {
    fn holds_code(&self, code: ReceiptCode) -> Result<bool, OpenFault> {
        Ok(self.find(code).is_ok_and(|found| found.is_some()))
    }

    fn holds(&self, receipt: &Receipt) -> Result<bool, OpenFault> {
        let Some(code) = ReceiptCode::parse(&receipt.receipt) else { return Ok(false) };
        let Ok(Some((batch, position))) = self.find(code) else { return Ok(false) };
        Ok(batch.gave(position, code, receipt))
    }
}

impl StoredBatch {
    pub(in crate::ledger) fn positions(&self) -> impl Iterator<Item = (Position, &Entry)> {
        (self.first.0..).map(Position).zip(&self.entries)
    }

    pub(in crate::ledger) fn holds(&self, position: Position) -> bool {
        let offset = position.0.checked_sub(self.first.0);
        offset.is_some_and(|offset| (offset as usize) < self.entries.len())
    }

    /// Whether a receipt is that of its application at a position, to the letter.
    pub(in crate::ledger) fn gave(
        &self,
        position: Position,
        code: ReceiptCode,
        receipt: &Receipt,
    ) -> bool {
        let offset = position.0.checked_sub(self.first.0);
        let entry = offset.and_then(|offset| self.entries.get(offset as usize));
        let proof = &receipt.proof;
        entry.is_some_and(|entry| {
            receipt.digest == content_digest(&entry.digest)
                && receipt.received_on == entry.received_on.to_string()
                && proof.signature == self.signature
                && proof.root_of(entry.leaf(code)) == Some(self.root)
        })
    }
}

/// The header of a stored record, if the record is the one that was signed; otherwise what is wrong with it.
pub(in crate::ledger) fn signed_header(
    keys: &HouseKeys,
    campaign: Campaign,
    stored: &[u8],
    entry: &Entry,
) -> Result<Header, &'static str> {
    let header = Header::decode(stored).map_err(|_| "the record cannot be read")?;
    let application = keys
        .open_record(campaign, header.subject, stored)
        .map_err(|_| "the record does not open for its subject")?;
    if sha256(&application) != entry.digest || header.received_on != entry.received_on {
        return Err("the record is not the one that was signed");
    }
    if keys.claim(header.subject, campaign) != entry.claim {
        return Err("the record is another person's");
    }
    Ok(header)
}

/// Verifies many receipts with the published keys. A signature that many receipts share is verified once.
pub struct Prover<'k> {
    public_keys: &'k [Vec<u8>],
    genuine: HashSet<(Digest, String)>,
}

impl<'k> Prover<'k> {
    /// A prover with these public keys.
    #[must_use]
    pub fn with(public_keys: &'k [Vec<u8>]) -> Self {
        Self { public_keys, genuine: HashSet::new() }
    }

    /// Whether a receipt is genuine; needs no ledger.
    pub fn proves(&mut self, receipt: &Receipt) -> bool {
        self.checked(receipt).unwrap_or(false)
    }

    fn checked(&mut self, receipt: &Receipt) -> Option<bool> {
        if !receipt.is_received() {
            return None;
        }
        let digest = parse_content_digest(&receipt.digest)?;
        let leaf = receipt_leaf(&receipt.receipt, &receipt.received_on, &digest);
        let signed = (receipt.proof.root_of(leaf)?, receipt.proof.signature.clone());
        if self.genuine.contains(&signed) {
            return Some(true);
        }
        let genuine = receipt.proof.is_signed(&signed.0, self.public_keys);
        if genuine {
            self.genuine.insert(signed);
        }
        Some(genuine)
    }
}

/// Whether one receipt is genuine according to one of the published keys.
#[must_use]
pub fn proves_itself(receipt: &Receipt, public_keys: &[Vec<u8>]) -> bool {
    Prover::with(public_keys).proves(receipt)
}

fn parse_content_digest(text: &str) -> Option<Digest> {
    use base64::Engine as _;
    let encoded = text.strip_prefix("sha-256=:")?.strip_suffix(':')?;
    base64::engine::general_purpose::STANDARD.decode(encoded).ok()?.try_into().ok()
}
