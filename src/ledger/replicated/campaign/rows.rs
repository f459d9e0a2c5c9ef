//! The rows of one batch, as the parameters of statements.

use std::collections::HashMap;

use super::found::Found;
use crate::{
    ledger::{
        book::{
            batch::Batch,
            change::{Change, State},
            decide::{Claims as _, Plan},
            record::{Channel, day_number},
            submission::Submission,
        },
        position::Position,
        receipt::ReceiptCode,
    },
    schemes::Outcome,
};

const PENDING: State = State::Decided(Outcome::Pending);

/// A change of a stored application.
pub(super) struct ChangeRow<'b> {
    pub(super) position: Position,
    /// How many changes came before.
    pub(super) step: i16,
    pub(super) change: Change,
    /// The sealed decision, if the change is one.
    pub(super) decision: Option<&'b [u8]>,
    pub(super) before: State,
    pub(super) after: State,
    /// Whether the application is the canary's, which is not counted.
    pub(super) of_canary: bool,
}

/// The changes of a batch in the order of positions, so that two nodes never wait for each other.
pub(super) fn changes<'b>(batch: &'b Batch, plan: &Plan<'_>, found: &Found) -> Vec<ChangeRow<'b>> {
    let ruled = batch.rulings.iter().zip(&plan.rulings).filter(|(_, change)| change.is_some());
    // The changes of rulings come first, in the order of the decisions.
    let mut decisions = ruled.map(|(ruling, _)| ruling.decision.as_slice());
    let mut latest = HashMap::new();
    let mut rows = Vec::new();
    for (position, change) in plan.changes(batch) {
        let (state, step) = latest.entry(position).or_insert_with(|| {
            (found.state(position).unwrap_or(State::Waiting), found.steps(position))
        });
        let (before, after) = (*state, state.after(change));
        let decision = decisions.next();
        let of_canary = found.is_of_canary(position);
        rows.push(ChangeRow { position, step: *step, change, decision, before, after, of_canary });
        (*state, *step) = (after, *step + 1);
    }
    rows.sort_unstable_by_key(|row| (row.position.0, row.step));
    rows
}

/// Changes, a list a column.
#[derive(Default)]
pub(super) struct ChangeColumns<'b> {
    pub(super) positions: Vec<i64>,
    pub(super) steps: Vec<i16>,
    pub(super) codes: Vec<i16>,
    pub(super) decisions: Vec<Option<&'b [u8]>>,
    /// What is erased, of these.
    pub(super) erased: Vec<i64>,
}

impl<'b> ChangeColumns<'b> {
    pub(super) fn of(rows: &[ChangeRow<'b>]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            columns.positions.push(i64::from(row.position.0));
            columns.steps.push(row.step);
            columns.codes.push(i16::from(row.change.code()));
            columns.decisions.push(row.decision);
            if row.change == Change::Erased {
                columns.erased.push(i64::from(row.position.0));
            }
        }
        columns
    }
}

/// What changes do to the work lists.
#[derive(Default)]
pub(super) struct WorkColumns {
    /// What a judge need not decide any more, and where it stands.
    pub(super) settled: Vec<i64>,
    pub(super) lots: Vec<i64>,
    pub(super) pending: Vec<i64>,
    pub(super) no_more_pending: Vec<i64>,
}

impl WorkColumns {
    pub(super) fn of(rows: &[ChangeRow<'_>], lot_of: impl Fn(Position) -> i64) -> Self {
        let mut columns = Self::default();
        for row in rows {
            let position = i64::from(row.position.0);
            if matches!(row.before, State::Waiting | State::Drawn) {
                columns.settled.push(position);
                columns.lots.push(lot_of(row.position));
            }
            if row.after == PENDING {
                columns.pending.push(position);
            }
            if row.before == PENDING {
                columns.no_more_pending.push(position);
            }
        }
        columns
    }
}

/// The new records of a batch, a list a column, in the order of their claims: two nodes with the same claims never wait for
/// each other.
#[derive(Default)]
pub(super) struct RecordColumns<'b> {
    pub(super) positions: Vec<i64>,
    pub(super) claims: Vec<&'b [u8]>,
    pub(super) nths: Vec<i16>,
    pub(super) keys: Vec<&'b [u8]>,
    pub(super) digests: Vec<&'b [u8]>,
    pub(super) channels: Vec<i16>,
    pub(super) sealed: Vec<&'b [u8]>,
}

impl<'b> RecordColumns<'b> {
    pub(super) fn of(plan: &Plan<'b>, found: &Found) -> Self {
        let mut sorted: Vec<_> =
            (plan.first.0..).map(Position).zip(plan.fresh.iter().copied()).collect();
        sorted.sort_unstable_by_key(|(position, new)| (new.claim.0, position.0));
        let mut columns = Self::default();
        for (position, new) in sorted {
            columns.positions.push(i64::from(position.0));
            columns.claims.push(&new.claim.0);
            columns.nths.push(found.nth(new, position));
            columns.keys.push(&new.key.0);
            columns.digests.push(&new.digest);
            columns.channels.push(new.channel as i16);
            columns.sealed.push(&new.record);
        }
        columns
    }
}

/// The new cases of a batch. The first ones are leased to this node's own judges, as many as its urn has room for.
pub(super) struct CaseColumns {
    pub(super) lots: Vec<i64>,
    pub(super) positions: Vec<i64>,
    pub(super) leased: Vec<bool>,
}

impl CaseColumns {
    pub(super) fn of(first: Position, codes: &[ReceiptCode], urn_room: usize) -> Self {
        Self {
            lots: codes.iter().map(lot).collect(),
            positions: (i64::from(first.0)..).take(codes.len()).collect(),
            leased: (0..codes.len()).map(|place| place < urn_room).collect(),
        }
    }
}

/// What offices handed in in a batch.
#[derive(Default)]
pub(super) struct FilingColumns<'b> {
    pub(super) offices: Vec<&'b [u8]>,
    pub(super) receipts: Vec<Vec<u8>>,
    pub(super) positions: Vec<i64>,
    pub(super) people: Vec<&'b [u8]>,
    pub(super) days: Vec<i32>,
}

impl<'b> FilingColumns<'b> {
    pub(super) fn of(plan: &Plan<'b>, codes: &[ReceiptCode]) -> Self {
        let mut columns = Self::default();
        for ((position, &new), code) in (i64::from(plan.first.0)..).zip(&plan.fresh).zip(codes) {
            if is_by_office(new) {
                columns.offices.push(&new.principal.0);
                columns.receipts.push(code.block_bytes().to_vec());
                columns.positions.push(position);
                columns.people.push(&new.subject.0);
                columns.days.push(day_number(new.received_on));
            }
        }
        columns
    }
}

/// Where a case stands in the work list: a part of its code, which is a keyed permutation, so that it is no order of arrival.
pub(in super::super) fn lot(code: &ReceiptCode) -> i64 {
    let block = code.block_bytes();
    block.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// Whether somebody else than the person handed it in.
fn is_by_office(submission: &Submission) -> bool {
    !matches!(submission.channel, Channel::Citizen | Channel::Canary)
}
