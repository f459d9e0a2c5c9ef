//! One batch, one transaction, three round trips: look up; insert and look at the settings; commit.

use std::sync::Arc;

use futures_util::future::{join, try_join, try_join4};
use tokio_postgres::{Row, Statement, types::ToSql};

use super::{
    super::{fault::Setback, guard::Durability, link::Link},
    blocks::Block,
    counts::Counts,
    decided::{BatchRow, Decided, Head, Signed, decide},
    found::{Found, FoundRecord},
    round_trip::{Parameter, RoundTrip},
    rows::{CaseColumns, ChangeColumns, FilingColumns, RecordColumns, WorkColumns},
    statements::Writing,
};
use crate::{
    ledger::{
        book::{
            batch::{Batch, Written},
            decide::Plan,
            record::Channel,
            sign::SignedBatch,
        },
        fault::StorageFault,
        position::Position,
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
    /// The row of the node with it.
    head: Head,
}

/// A batch that is durable.
pub(in super::super) struct Committed {
    pub(in super::super) written: Written,
    /// The counts of this node with it.
    pub(super) counts: Counts,
    /// Positions that it used.
    pub(super) positions: usize,
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
            let confirmed = async {
                self.move_head(link, statements, &head).await?;
                link.commit().await
            };
            return match confirmed.await {
                Ok(()) => Ok(landed.committed(batch)),
                Err(setback) => {
                    *tried = Some(landed);
                    Err(setback)
                }
            };
        }
        // The lock of its row was free, so the attempt before has ended without a commit.
        *tried = None;
        let house = (&*self.keys, self.campaign);
        let decided = decide(house, batch, &head, found, urn_room);
        match self.insert(link, statements, &decided).await {
            Err(Setback::Raced) => {
                link.batch_execute("ROLLBACK").await?;
                return Err(Setback::Raced);
            }
            inserted => inserted?,
        }
        let Decided { plan, signed, head, .. } = decided;
        let signed = signed.map(|signed| signed.batch.signed);
        // From here on nobody knows, if this future is dropped or fails.
        *tried = Some(Tried { plan, signed, head });
        link.commit().await?;
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
            find(link, &statements.of_claims, &claims),
            find(link, &statements.of_office_keys, &office_keys),
            find(link, &statements.of_positions, &positions),
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

    /// Writes everything but the commit, in one round trip.
    ///
    /// # Errors
    /// [`Setback::Raced`] if another node was first with something of the batch.
    async fn insert(
        &self,
        link: &Link,
        statements: &Writing,
        Decided { records, changes, work, signed, head, .. }: &Decided<'_>,
    ) -> Result<(), Setback> {
        let RecordColumns { positions: new, claims, nths, keys, digests, channels, sealed } =
            records;
        let record = [new as Parameter<'_>, claims, nths, keys, digests, channels, sealed];
        let ChangeColumns { positions: changed, steps, codes, decisions, erased } = changes;
        let mut trip = RoundTrip::on(link)
            .write(&statements.add_records, new.len(), record)
            .write(&statements.add_changes, changed.len(), [changed, steps, codes, decisions])
            .run(&statements.erase_records, erased.len(), [erased])
            .run(&statements.erase_changes, erased.len(), [erased])
            .run(&statements.erase_filings, erased.len(), [erased]);
        if let Some(Signed { batch, cases, filings }) = signed {
            let BatchRow { first, written_at, entries, changes, root, signature, .. } = batch;
            let row = [
                &self.node as Parameter<'_>,
                &head.batches,
                first,
                written_at,
                entries,
                changes,
                root,
                signature,
            ];
            let CaseColumns { lots, positions: waiting, leased } = cases;
            let FilingColumns { offices, receipts, positions: filed, people, days } = filings;
            trip = trip
                .run(&statements.add_batch, 1, row)
                .run(&statements.add_undecided, lots.len(), [lots, waiting, leased, &self.lease_ms])
                .run(
                    &statements.add_filings,
                    filed.len(),
                    [offices, receipts, filed, people, days],
                );
        }
        let WorkColumns { settled, lots, pending, no_more_pending } = work;
        let trip = trip
            .run(&statements.take_undecided, lots.len(), [lots, settled])
            .run(&statements.add_pending, pending.len(), [pending])
            // After those that are added: a batch may decide and withdraw the same application.
            .run(&statements.take_pending, no_more_pending.len(), [no_more_pending]);
        let (written, moved) = join(trip.done(), self.move_head(link, statements, head)).await;
        written?;
        moved
    }

    /// Writes the row of this node, and looks at the settings of the primary.
    async fn move_head(
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
        link.check(&Durability::read(&row)?)
    }
}

impl Tried<'_> {
    /// Whether it is the last batch of this node. One that wrote none must decide again: what it saw may be lost.
    fn is_last(&self, head: &Head) -> bool {
        self.signed.is_some() && self.head.root == head.root
    }

    fn committed(self, batch: &Batch) -> Committed {
        let positions = self.plan.fresh.len();
        let written = self.plan.settle(batch, self.signed.as_ref());
        Committed { written, counts: self.head.counts, positions }
    }
}

/// Finds the records of a list, if there is anything on it.
async fn find<T: ToSql + Sync>(
    link: &Link,
    statement: &Statement,
    list: &[T],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    link.query(statement, &[&list]).await
}
