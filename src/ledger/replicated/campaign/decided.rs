//! What one transaction writes, decided by what it has found. No input or output.

use std::sync::Arc;

use super::{
    counts::Counts,
    found::Found,
    rows::{
        self, CaseColumns, ChangeColumns, ChangeRow, FilingColumns, RecordColumns, WorkColumns,
    },
};
use crate::{
    ledger::{
        book::{
            batch::Batch,
            change::Change,
            decide::Plan,
            entry::Entry,
            sign::{SignedBatch, UnsignedBatch},
        },
        proof::Digest,
        receipt::ReceiptCode,
    },
    schemes::Campaign,
    vault::HouseKeys,
};

/// The row of a node: its last batch, and its counts.
pub(super) struct Head {
    pub(super) batches: i32,
    pub(super) root: Digest,
    pub(super) counts: Counts,
}

/// The rows of a batch.
pub(super) struct Decided<'b> {
    pub(super) plan: Plan<'b>,
    pub(super) records: RecordColumns<'b>,
    pub(super) changes: ChangeColumns<'b>,
    pub(super) work: WorkColumns,
    /// `None` if nothing is new.
    pub(super) signed: Option<Signed<'b>>,
    /// The row of the node with it.
    pub(super) head: Head,
}

/// What exists once the codes of new applications do.
pub(super) struct Signed<'b> {
    /// The next of the node's chain.
    pub(super) batch: BatchRow,
    pub(super) cases: CaseColumns,
    pub(super) filings: FilingColumns<'b>,
}

/// What the chain of a node says of a batch.
pub(super) struct BatchRow {
    pub(super) first: Option<i64>,
    pub(super) written_at: i64,
    pub(super) entries: Vec<u8>,
    pub(super) changes: Vec<u8>,
    pub(super) root: Vec<u8>,
    pub(super) signature: String,
    pub(super) signed: Arc<SignedBatch>,
}

/// Decides, counts and signs a batch that comes after `head`. `urn_room`: how many of its applications this node keeps for
/// its own judges.
pub(super) fn decide<'b>(
    (keys, campaign): (&HouseKeys, Campaign),
    batch: &'b Batch,
    head: &Head,
    mut found: Found,
    urn_room: usize,
) -> Decided<'b> {
    let plan = Plan::decide(batch, &mut found);
    let records = RecordColumns::of(&plan, &found);
    let changes = rows::changes(batch, &plan, &found);
    let counts = count(head.counts.clone(), &plan, &changes);
    let lot_of = |position| rows::lot(&ReceiptCode::of(keys, campaign, position));
    let work = WorkColumns::of(&changes, lot_of);
    let is_new = !plan.fresh.is_empty() || !changes.is_empty();
    let signed = is_new.then(|| {
        let row = sign((keys, campaign), batch, &plan, &head.root);
        let cases = CaseColumns::of(plan.first, row.signed.codes(), urn_room);
        let filings = FilingColumns::of(&plan, row.signed.codes());
        Signed { batch: row, cases, filings }
    });
    let (batches, root) = match &signed {
        Some(signed) => (head.batches + 1, signed.batch.signed.root()),
        None => (head.batches, head.root),
    };
    let changes = ChangeColumns::of(&changes);
    Decided { plan, records, changes, work, signed, head: Head { batches, root, counts } }
}

fn count(mut counts: Counts, plan: &Plan<'_>, changes: &[ChangeRow<'_>]) -> Counts {
    for new in &plan.fresh {
        counts.accept(new.channel);
    }
    for row in changes.iter().filter(|row| !row.of_canary) {
        counts.change(row.before, row.change);
    }
    counts
}

/// Signs a batch as the one after `previous_root`.
fn sign(
    (keys, campaign): (&HouseKeys, Campaign),
    batch: &Batch,
    plan: &Plan<'_>,
    previous_root: &Digest,
) -> BatchRow {
    let of_chain: Vec<Entry> = plan.fresh.iter().map(|fresh| Entry::from(*fresh)).collect();
    let entries = Entry::encode_all(&of_chain);
    let changes = Change::encode_all(&plan.changes(batch));
    let written_at = batch.at.as_second();
    let unsigned = UnsignedBatch {
        first: plan.first,
        entries: &of_chain,
        encoded: &entries,
        changes: &changes,
        written_at,
        previous_root,
    };
    let signed = Arc::new(SignedBatch::sign(keys, campaign, &unsigned));
    let first = (!of_chain.is_empty()).then_some(i64::from(plan.first.0));
    let (root, signature) = (signed.root().to_vec(), signed.signature().to_owned());
    BatchRow { first, written_at, entries, changes, root, signature, signed }
}
