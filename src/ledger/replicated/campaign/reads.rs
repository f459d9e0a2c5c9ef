//! The reading side of one campaign.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use deadpool::managed::Pool;
use tokio_postgres::Row;

use super::{
    super::{
        fault::Setback,
        link::Link,
        pool::{self, Prepared, Primary},
    },
    counts::Counts,
    found::{FoundRecord, state_after},
    statements::Reading,
};
use crate::{
    ledger::{
        Contents,
        book::{
            change::{Change, State},
            entry::Entry,
            record::{Header, RecordFault, Turn, day_of},
            sign::{SignedBatch, StoredBatch},
        },
        case::{PendingCases, StoredCase},
        fault::{CommitFault, ReadFault, StorageFault},
        filings::{Filing, FilingPage},
        position::Position,
        receipt::{BLOCK_BYTES, Receipt, ReceiptCode},
    },
    schemes::Campaign,
    vault::{Claim, HouseKeys, Subject, fill_random},
};

/// A link that reads a campaign.
pub(super) struct ReadingLink {
    pub(super) link: Link,
    pub(super) statements: Reading,
}

impl Prepared for ReadingLink {
    async fn prepare(link: Link) -> Result<Self, Setback> {
        let statements = Reading::prepare(&link).await?;
        Ok(Self { link, statements })
    }

    fn link(&self) -> &Link {
        &self.link
    }
}

/// Reads from the primary. What it returns is visible, and may not be replicated yet.
pub(super) struct Reader {
    pub(super) campaign: Campaign,
    pub(super) keys: Arc<HouseKeys>,
    pub(super) node: i32,
    pub(super) pool: Pool<Primary<ReadingLink>>,
    pub(super) lease_ms: f64,
    /// The last batch of each node that is known to be on a majority of servers.
    pub(super) durable: Mutex<HashMap<i32, i32>>,
}

/// A receipt, and the batch that must be durable before it is shown.
pub(super) struct FoundReceipt {
    pub(super) receipt: Receipt,
    pub(super) node: i32,
    pub(super) number: i32,
}

impl Reader {
    pub(super) async fn find(
        &self,
        code: ReceiptCode,
    ) -> Result<Option<(Position, State)>, ReadFault> {
        let Some(position) = code.position(&self.keys) else { return Ok(None) };
        let link = self.link().await?;
        let rows = link
            .link
            .query(&link.statements.of_positions, &[&vec![i64::from(position.0)]])
            .await
            .map_err(away)?;
        Ok(standing(&rows)?.into_iter().next())
    }

    pub(super) async fn of_claim(
        &self,
        Claim(claim): Claim,
    ) -> Result<Vec<(Position, State)>, ReadFault> {
        let link = self.link().await?;
        let claims = vec![claim.as_slice()];
        let rows = link.link.query(&link.statements.of_claims, &[&claims]).await.map_err(away)?;
        Ok(standing(&rows)?)
    }

    pub(super) async fn filings(
        &self,
        office: Subject,
        after: Option<ReceiptCode>,
        most: usize,
    ) -> Result<FilingPage, StorageFault> {
        let link = self.link().await?;
        let after = after.map(|code| code.block_bytes().to_vec()).unwrap_or_default();
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = link
            .link
            .query(&link.statements.filings, &[&office.0.as_slice(), &after, &limit])
            .await
            .map_err(away)?;
        let filings = rows.iter().map(|row| self.filing(row)).collect::<Result<Vec<_>, _>>()?;
        let next = filings.last().filter(|_| filings.len() == most).map(|filing| filing.receipt);
        let shown = filings.into_iter().filter(|filing| !is_erased(filing.state));
        Ok(FilingPage { filings: shown.collect(), next })
    }

    fn filing(&self, row: &Row) -> Result<Filing, StorageFault> {
        let read = || -> Result<_, tokio_postgres::Error> {
            let (receipt, person): (&[u8], &[u8]) = (row.try_get(0)?, row.try_get(1)?);
            let (day, codes): (i32, Vec<i16>) = (row.try_get(2)?, row.try_get(3)?);
            Ok((receipt, person, day, codes))
        };
        let (receipt, person, day, codes) = read().map_err(away)?;
        let block: Option<[u8; BLOCK_BYTES]> = receipt.try_into().ok();
        let filing = || {
            Some(Filing {
                receipt: ReceiptCode::from_block(self.campaign, block?),
                person: Subject(person.try_into().ok()?),
                received_on: day_of(day)?,
                state: state_after(&codes)?,
            })
        };
        filing().ok_or(StorageFault::Damaged)
    }

    pub(super) async fn header(&self, position: Position) -> Result<Header, ReadFault> {
        let link = self.link().await?;
        let row = link
            .link
            .query_opt(&link.statements.sealed, &[&i64::from(position.0)])
            .await
            .map_err(away)?;
        let row = row.ok_or(RecordFault::Format)?;
        Ok(Header::decode(present(row.try_get(0).map_err(away)?)?)?)
    }

    pub(super) async fn read(
        &self,
        position: Position,
        subject: Subject,
    ) -> Result<Contents, ReadFault> {
        let link = self.link().await?;
        let row = link
            .link
            .query_opt(&link.statements.contents, &[&i64::from(position.0)])
            .await
            .map_err(away)?;
        let row = row.ok_or(RecordFault::Format)?;
        let sealed = present(row.try_get(0).map_err(away)?)?;
        let application = self.keys.open_record(self.campaign, subject, sealed)?;
        let code: Option<i16> = row.try_get(1).map_err(away)?;
        let decision: Option<&[u8]> = row.try_get(2).map_err(away)?;
        let decision = code.zip(decision).map(|(code, sealed)| {
            let turn = turn_of(code).ok_or(RecordFault::Format)?;
            self.keys.open_decision(self.campaign, subject, (position, turn), sealed)
        });
        Ok(Contents { application, decision: decision.transpose()? })
    }

    pub(super) async fn receipt(
        &self,
        position: Position,
    ) -> Result<Option<FoundReceipt>, StorageFault> {
        let link = self.link().await?;
        let row = link
            .link
            .query_opt(&link.statements.batch, &[&i64::from(position.0)])
            .await
            .map_err(away)?;
        let Some(row) = row else { return Ok(None) };
        let (node, number, stored) = stored_batch(&row)?;
        let place = (position.0 - stored.first.0) as usize;
        // A gap between two batches: nobody was given this position.
        let Some(entry) = stored.entries.get(place).copied() else { return Ok(None) };
        let root = stored.root;
        let batch = SignedBatch::restored(&self.keys, self.campaign, stored);
        // A receipt that does not prove itself is worse than none.
        if !batch.is_genuine(&self.keys, &root) {
            return Err(StorageFault::Damaged);
        }
        let receipt = batch.receipt(position, entry.received_on, &entry.digest);
        Ok(receipt.map(|receipt| FoundReceipt { receipt, node, number }))
    }

    /// Whether a batch is known to be on a majority of servers.
    pub(super) fn is_durable(&self, node: i32, number: i32) -> bool {
        let durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        durable.get(&node).is_some_and(|&last| last >= number)
    }

    /// Notes that a commit followed the look-up of a batch: it and those before it are durable.
    pub(super) fn set_durable(&self, node: i32, number: i32) {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let last = durable.entry(node).or_default();
        *last = number.max(*last);
    }

    /// Leases up to `most` cases, from a place in the work list that is chosen at random.
    pub(super) async fn lease(&self, most: usize) -> Result<Vec<StoredCase>, StorageFault> {
        let link = self.link().await?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut dice = [0; 8];
        fill_random(&mut dice);
        let mut rows = Vec::new();
        // The end of the list continues at its beginning.
        for from in [i64::from_be_bytes(dice), i64::MIN] {
            if rows.is_empty() {
                rows = link
                    .link
                    .query(&link.statements.lease, &[&from, &most, &self.lease_ms])
                    .await
                    .map_err(away)?;
            }
        }
        self.open_for_judges(&rows)
    }

    pub(super) async fn pending(
        &self,
        from: Option<Position>,
        most: usize,
    ) -> Result<PendingCases, StorageFault> {
        let link = self.link().await?;
        let from = from.map_or(0, |from| i64::from(from.0));
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let rows =
            link.link.query(&link.statements.pending, &[&from, &limit]).await.map_err(away)?;
        let last = rows.last().filter(|_| rows.len() == most).map(position_of).transpose()?;
        let next = last.and_then(|last| last.0.checked_add(1)).map(Position);
        Ok(PendingCases { cases: self.open_for_judges(&rows)?, next })
    }

    /// The counts of all other nodes.
    pub(super) async fn others(&self) -> Result<Counts, Setback> {
        let link = pool::take(&self.pool).await?;
        let mut all = Counts::default();
        for row in link.link.query(&link.statements.others, &[&self.node]).await? {
            all.add(&Counts::read(&row, 0)?);
        }
        Ok(all)
    }

    async fn link(&self) -> Result<deadpool::managed::Object<Primary<ReadingLink>>, StorageFault> {
        Ok(pool::take(&self.pool).await?)
    }

    /// Opens applications for judges. One that cannot be read is logged and stays undecided; it costs nobody else their
    /// decision.
    fn open_for_judges(&self, rows: &[Row]) -> Result<Vec<StoredCase>, StorageFault> {
        let mut cases = Vec::with_capacity(rows.len());
        for row in rows {
            let position = position_of(row)?;
            match self.open_for_judge(row.try_get(1).map_err(away)?) {
                Ok((header, application)) => {
                    cases.push(StoredCase { position, header, application });
                }
                Err(fault) => {
                    let receipt = ReceiptCode::of(&self.keys, self.campaign, position);
                    tracing::error!(%receipt, %fault, "an application cannot be read: it stays undecided");
                }
            }
        }
        Ok(cases)
    }

    fn open_for_judge(&self, sealed: &[u8]) -> Result<(Header, Vec<u8>), ReadFault> {
        let header = Header::decode(present(sealed)?)?;
        Ok((header, self.keys.open_record(self.campaign, header.subject, sealed)?))
    }
}

fn away(fault: tokio_postgres::Error) -> StorageFault {
    Setback::from(fault).into()
}

/// The records of some rows whose contents were not erased.
fn standing(rows: &[Row]) -> Result<Vec<(Position, State)>, StorageFault> {
    let records = rows.iter().map(FoundRecord::read).collect::<Result<Vec<_>, _>>()?;
    let found = records.into_iter().map(|record| (record.position, record.state));
    Ok(found.filter(|(_, state)| !is_erased(*state)).collect())
}

fn is_erased(state: State) -> bool {
    matches!(state, State::Erased { .. })
}

fn position_of(row: &Row) -> Result<Position, StorageFault> {
    let position: i64 = row.try_get(0).map_err(away)?;
    u32::try_from(position).map(Position).map_err(|_| StorageFault::Damaged)
}

/// A record that was not erased.
fn present(sealed: &[u8]) -> Result<&[u8], RecordFault> {
    if sealed.is_empty() { Err(RecordFault::Erased) } else { Ok(sealed) }
}

/// Which decision a change is.
fn turn_of(code: i16) -> Option<Turn> {
    Change::from_code(u8::try_from(code).ok()?)?.turn()
}

/// A batch, its node and its number.
pub(in super::super) fn stored_batch(row: &Row) -> Result<(i32, i32, StoredBatch), StorageFault> {
    let read = || -> Result<_, tokio_postgres::Error> {
        let (node, number): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
        let (first, written_at): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
        let (entries, changes): (&[u8], &[u8]) = (row.try_get(4)?, row.try_get(5)?);
        let (root, signature): (&[u8], String) = (row.try_get(6)?, row.try_get(7)?);
        let previous: Option<&[u8]> = row.try_get(8)?;
        let batch = || {
            Some(StoredBatch {
                first: Position(u32::try_from(first).ok()?),
                written_at,
                entries: Entry::decode_all(entries)?,
                changes: Change::decode_all(changes)?,
                previous_root: match previous {
                    Some(previous) => previous.try_into().ok()?,
                    None if number == 1 => Default::default(),
                    None => return None,
                },
                root: root.try_into().ok()?,
                signature,
            })
        };
        Ok((node, number, batch()))
    };
    let (node, number, batch) = read().map_err(away)?;
    Ok((node, number, batch.ok_or(StorageFault::Damaged)?))
}

/// What a reader is told if what it found could not be made sure of.
pub(super) fn unconfirmed(fault: CommitFault) -> StorageFault {
    Setback::Away(fault.to_string()).into()
}
