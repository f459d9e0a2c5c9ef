//! One batch, one transaction: look up, decide, insert, sign, look at the settings, commit.

use std::sync::Arc;

use futures_util::future::{try_join, try_join4};

use super::{
    super::{fault::Setback, guard::Durability, link::Link},
    blocks::Block,
    counts::Counts,
    found::{Found, FoundRecord},
    rows::{self, CaseColumns, ChangeRow, FilingColumns, RecordColumns},
    statements::{ERASE, Writing},
};
use crate::{
    ledger::{
        book::{
            batch::{Batch, Written},
            change::Change,
            decide::Plan,
            entry::Entry,
            record::Channel,
            sign::{SignedBatch, UnsignedBatch},
        },
        fault::StorageFault,
        position::Position,
        proof::Digest,
        receipt::ReceiptCode,
    },
    schemes::Campaign,
    vault::HouseKeys,
};

/// Who writes: what stays the same from batch to batch.
pub(in super::super) struct Writer {
    pub(in super::super) campaign: Campaign,
    pub(in super::super) keys: Arc<HouseKeys>,
    /// The row of this node.
    pub(in super::super) node: i32,
    pub(in super::super) lease_ms: f64,
}

/// A link that writes.
pub(in super::super) struct WritingLink {
    pub(super) link: Link,
    pub(super) statements: Writing,
}

/// The last attempt of a batch that may have been committed.
pub(in super::super) struct Tried<'b> {
    plan: Plan<'b>,
    signed: Option<Arc<SignedBatch>>,
    root: Digest,
    counts: Counts,
}

/// A batch that is durable.
pub(in super::super) struct Committed {
    pub(in super::super) written: Written,
    /// The counts of this node with it.
    pub(super) counts: Counts,
    /// Positions that it used.
    pub(super) positions: usize,
}

/// The row of a node: its last batch, and its counts.
struct Head {
    batches: i32,
    root: Digest,
    counts: Counts,
}

impl Writer {
    /// Writes `batch`. `tried` is what an earlier attempt left unknown; it is replaced by this attempt once the other is
    /// known to have failed. `urn_room`: how many of its applications this node keeps for its own judges.
    ///
    /// # Panics
    /// Never; an attempt is where it was put.
    ///
    /// # Errors
    /// [`Setback::Raced`]: nothing was written, the link can be used again. Otherwise drop the link, and if `tried` is set,
    /// the outcome is unknown.
    pub(in super::super) async fn write<'b>(
        &self,
        WritingLink { link, statements }: &WritingLink,
        batch: &'b Batch,
        block: &mut Block,
        urn_room: usize,
        tried: &mut Option<Tried<'b>>,
    ) -> Result<Committed, Setback> {
        let next = block.first_of(batch.submissions.len(), link, statements).await?;
        let (head, found) = self.look_up(link, statements, batch, next).await?;
        if let Some(landed) = tried.take_if(|tried| tried.is_last(&head)) {
            // Visible is not replicated: a commit after the look-up makes both durable.
            let confirmed = self.finish(link, statements, &head).await;
            return match confirmed {
                Ok(()) => Ok(landed.committed(batch)),
                Err(setback) => {
                    *tried = Some(landed);
                    Err(setback)
                }
            };
        }
        // The lock of its row was free, so the attempt before has ended without a commit.
        *tried = None;
        let attempt = match self.insert(link, statements, batch, (&head, found), urn_room).await {
            Err(Setback::Raced) => {
                link.batch_execute("ROLLBACK").await?;
                return Err(Setback::Raced);
            }
            attempt => attempt?,
        };
        let head = Head {
            batches: head.batches + i32::from(attempt.signed.is_some()),
            root: attempt.root,
            counts: attempt.counts.clone(),
        };
        // From here on nobody knows, if this future is dropped or fails.
        *tried = Some(attempt);
        self.finish(link, statements, &head).await?;
        Ok(tried.take().expect("it was put there above").committed(batch))
    }

    /// Begins the transaction, locks the row of this node, and finds what the batch may concern, in one round trip.
    async fn look_up(
        &self,
        link: &Link,
        statements: &Writing,
        batch: &Batch,
        next: Position,
    ) -> Result<(Head, Found), Setback> {
        let claims: Vec<&[u8]> =
            batch.submissions.iter().map(|submission| submission.claim.0.as_slice()).collect();
        let office_keys: Vec<&[u8]> = batch
            .submissions
            .iter()
            .filter(|submission| submission.channel != Channel::Citizen)
            .map(|submission| submission.key.0.as_slice())
            .collect();
        let rulings = batch.rulings.iter().map(|ruling| ruling.position);
        let changed = rulings.chain(batch.withdrawals.iter().copied());
        let positions: Vec<i64> = changed
            .chain(batch.erasures.iter().copied())
            .map(|position| i64::from(position.0))
            .collect();
        let begin_and_head = async {
            let ((), head) = try_join(
                link.batch_execute("BEGIN"),
                link.query_opt(&statements.head, &[&self.node]),
            )
            .await?;
            Ok(head)
        };
        let (head, of_claims, of_keys, of_positions) = try_join4(
            begin_and_head,
            link.query(&statements.of_claims, &[&claims]),
            link.query(&statements.of_office_keys, &[&office_keys]),
            link.query(&statements.of_positions, &[&positions]),
        )
        .await?;
        let head = head.ok_or(StorageFault::Damaged)?;
        let root: &[u8] = head.try_get(1)?;
        let head = Head {
            batches: head.try_get(0)?,
            root: root.try_into().map_err(|_| StorageFault::Damaged)?,
            counts: Counts::read(&head, 2)?,
        };
        let rows = of_claims.iter().chain(&of_keys).chain(&of_positions);
        let records = rows.map(FoundRecord::read).collect::<Result<Vec<_>, _>>()?;
        Ok((head, Found::new(records.into_iter(), next)))
    }

    /// Decides, inserts what is new, signs it, and inserts the batch.
    async fn insert<'b>(
        &self,
        link: &Link,
        statements: &Writing,
        batch: &'b Batch,
        (head, mut found): (&Head, Found),
        urn_room: usize,
    ) -> Result<Tried<'b>, Setback> {
        let plan = Plan::decide(batch, &mut found);
        let changes = rows::changes(batch, &plan, &found);
        let records = RecordColumns::of(&plan, &found);
        try_join(add_records(link, statements, &records), add_changes(link, statements, &changes))
            .await?;
        erase(link, &changes).await?;
        let mut counts = head.counts.clone();
        for new in &plan.fresh {
            counts.accept(new.channel);
        }
        for row in changes.iter().filter(|row| !row.of_canary) {
            counts.change(row.before, row.change);
        }
        if plan.fresh.is_empty() && changes.is_empty() {
            return Ok(Tried { plan, signed: None, root: head.root, counts });
        }
        let signed = self.sign(link, statements, batch, (head, &plan)).await?;
        try_join(
            self.add_work(link, statements, &plan, signed.codes(), urn_room),
            self.settle_work(link, statements, &changes),
        )
        .await?;
        Ok(Tried { plan, root: signed.root(), signed: Some(Arc::new(signed)), counts })
    }

    /// Signs what was inserted, and adds the batch to the chain of this node.
    async fn sign(
        &self,
        link: &Link,
        statements: &Writing,
        batch: &Batch,
        (head, plan): (&Head, &Plan<'_>),
    ) -> Result<SignedBatch, Setback> {
        let entries: Vec<Entry> = plan.fresh.iter().map(|fresh| Entry::from(*fresh)).collect();
        let unsigned = UnsignedBatch {
            first: plan.first,
            entries: &entries,
            encoded: &Entry::encode_all(&entries),
            changes: &Change::encode_all(&plan.changes(batch)),
            written_at: batch.at.as_second(),
            previous_root: &head.root,
        };
        let signed = SignedBatch::sign(&self.keys, self.campaign, &unsigned);
        let first = (!entries.is_empty()).then_some(i64::from(plan.first.0));
        link.execute(
            &statements.add_batch,
            &[
                &self.node,
                &(head.batches + 1),
                &first,
                &unsigned.written_at,
                &unsigned.encoded,
                &unsigned.changes,
                &signed.root().as_slice(),
                &signed.signature(),
            ],
        )
        .await?;
        Ok(signed)
    }

    /// Adds new cases for judges, and what offices handed in.
    async fn add_work(
        &self,
        link: &Link,
        statements: &Writing,
        plan: &Plan<'_>,
        codes: &[ReceiptCode],
        urn_room: usize,
    ) -> Result<(), Setback> {
        if codes.is_empty() {
            return Ok(());
        }
        let CaseColumns { lots, positions, leased } = CaseColumns::of(plan.first, codes, urn_room);
        link.execute(&statements.add_undecided, &[&lots, &positions, &leased, &self.lease_ms])
            .await?;
        let FilingColumns { offices, receipts, positions, people, days } =
            FilingColumns::of(plan, codes);
        if !offices.is_empty() {
            link.execute(
                &statements.add_filings,
                &[&offices, &receipts, &positions, &people, &days],
            )
            .await?;
        }
        Ok(())
    }

    /// Takes what was decided or withdrawn off the work lists.
    async fn settle_work(
        &self,
        link: &Link,
        statements: &Writing,
        changes: &[ChangeRow<'_>],
    ) -> Result<(), Setback> {
        let of = |row: &ChangeRow<'_>| i64::from(row.position.0);
        let lot_of = |row: &ChangeRow<'_>| {
            rows::lot(&ReceiptCode::of(&self.keys, self.campaign, row.position))
        };
        let settled = || changes.iter().filter(|row| row.settles());
        let lots: Vec<i64> = settled().map(lot_of).collect();
        if !lots.is_empty() {
            let positions: Vec<i64> = settled().map(of).collect();
            link.execute(&statements.take_undecided, &[&lots, &positions]).await?;
        }
        let pending: Vec<i64> = changes.iter().filter(|row| row.leaves_pending()).map(of).collect();
        if !pending.is_empty() {
            link.execute(&statements.add_pending, &[&pending]).await?;
        }
        // After those that are added: a batch may decide and withdraw the same application.
        let no_more: Vec<i64> = changes.iter().filter(|row| row.was_pending()).map(of).collect();
        if !no_more.is_empty() {
            link.execute(&statements.take_pending, &[&no_more]).await?;
        }
        Ok(())
    }

    /// Writes the row of this node, looks at the settings of the primary, and commits.
    async fn finish(
        &self,
        link: &Link,
        statements: &Writing,
        Head { batches, root, counts }: &Head,
    ) -> Result<(), Setback> {
        let row = link
            .query_one(
                &statements.move_head,
                &[
                    &self.node,
                    batches,
                    &root.as_slice(),
                    &counts.accepted,
                    &counts.decided,
                    &counts.revised,
                    &counts.pending,
                    &counts.withdrawn_undecided,
                    &counts.withdrawn_decided,
                ],
            )
            .await?;
        link.check(&Durability::read(&row)?)?;
        link.commit().await
    }
}

impl Tried<'_> {
    /// Whether it is the last batch of this node. One that wrote none must decide again: what it saw may be lost.
    fn is_last(&self, head: &Head) -> bool {
        self.signed.is_some() && self.root == head.root
    }

    fn committed(self, batch: &Batch) -> Committed {
        let positions = self.plan.fresh.len();
        let written = self.plan.settle(batch, self.signed.as_ref());
        Committed { written, counts: self.counts, positions }
    }
}

/// Adds new records.
///
/// # Errors
/// [`Setback::Raced`] if another node has added one of their claims since they were looked up.
async fn add_records(
    link: &Link,
    statements: &Writing,
    columns: &RecordColumns<'_>,
) -> Result<(), Setback> {
    let RecordColumns { positions, claims, nths, keys, digests, channels, sealed } = columns;
    if positions.is_empty() {
        return Ok(());
    }
    let added = link
        .execute(
            &statements.add_records,
            &[positions, claims, nths, keys, digests, channels, sealed],
        )
        .await?;
    if added == positions.len() as u64 { Ok(()) } else { Err(Setback::Raced) }
}

/// Empties the contents of what is erased.
async fn erase(link: &Link, rows: &[ChangeRow<'_>]) -> Result<(), Setback> {
    let erased = rows.iter().filter(|row| row.change == Change::Erased);
    let positions: Vec<i64> = erased.map(|row| i64::from(row.position.0)).collect();
    if positions.is_empty() {
        return Ok(());
    }
    for statement in ERASE {
        link.execute(statement, &[&positions]).await?;
    }
    Ok(())
}

/// Adds changes.
///
/// # Errors
/// [`Setback::Raced`] if another node has changed one of the applications since they were looked up.
async fn add_changes(
    link: &Link,
    statements: &Writing,
    rows: &[ChangeRow<'_>],
) -> Result<(), Setback> {
    if rows.is_empty() {
        return Ok(());
    }
    let positions: Vec<i64> = rows.iter().map(|row| i64::from(row.position.0)).collect();
    let steps: Vec<i16> = rows.iter().map(|row| row.step).collect();
    let codes: Vec<i16> = rows.iter().map(|row| i16::from(row.change.code())).collect();
    let decisions: Vec<Option<&[u8]>> = rows.iter().map(|row| row.decision).collect();
    let added =
        link.execute(&statements.add_changes, &[&positions, &steps, &codes, &decisions]).await?;
    if added == rows.len() as u64 { Ok(()) } else { Err(Setback::Raced) }
}
