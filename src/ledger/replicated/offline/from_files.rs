//! Copying a campaign from its file into the database, in one transaction.

use std::collections::BTreeMap;

use futures_util::future::try_join4;

use super::super::{
    campaign::{Writing, counts::Counts, lot},
    fault::Setback,
    link::Link,
};
use crate::{
    ledger::{
        book::{
            change::{Change, State},
            entry::Entry,
            history::History,
            record::{Channel, Header, day_number},
            sign::StoredBatch,
        },
        fault::StorageFault,
        local::{index::Index, sqlite::SqliteReader},
        position::Position,
        proof::Digest,
        receipt::ReceiptCode,
    },
    schemes::{Campaign, Outcome},
    vault::HouseKeys,
};

/// Records that are inserted together, about.
const RECORDS_MAX: usize = 1024;
/// Batches that are inserted together; many have changes only.
const BATCHES_MAX: usize = 1024;

const ADD_NODE: &str = "INSERT INTO nodes (root) VALUES ('') RETURNING node";
const ADD_BATCHES: &str = "INSERT INTO batches (node, number, first, written_at, entries, changes, root, signature) \
    SELECT * FROM unnest($1::integer[], $2::integer[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], \
    $7::bytea[], $8::text[])";
const SET_NODE: &str = "UPDATE nodes SET batches = $2, root = $3, accepted = $4, decided = $5, revised = $6, \
    pending = $7, withdrawn_undecided = $8, withdrawn_decided = $9 WHERE node = $1";

/// A ledger in a file, and what its batches say.
pub(super) struct Source<'s> {
    pub(super) keys: &'s HouseKeys,
    pub(super) campaign: Campaign,
    pub(super) reader: &'s SqliteReader,
    pub(super) index: &'s Index,
    pub(super) history: History,
}

/// The row of a node, which takes over a chain.
struct Node {
    id: i32,
    batches: i32,
    root: Digest,
    counts: Counts,
}

/// Rows that are inserted together, a list a column.
#[derive(Default)]
struct Columns {
    nodes: Vec<i32>,
    numbers: Vec<i32>,
    firsts: Vec<Option<i64>>,
    written: Vec<i64>,
    entries: Vec<Vec<u8>>,
    changes: Vec<Vec<u8>>,
    roots: Vec<Vec<u8>>,
    signatures: Vec<String>,
    records: Records,
    changed: Changed,
    filings: Filings,
}

#[derive(Default)]
struct Records {
    positions: Vec<i64>,
    claims: Vec<Vec<u8>>,
    nths: Vec<i16>,
    keys: Vec<Vec<u8>>,
    digests: Vec<Vec<u8>>,
    channels: Vec<i16>,
    sealed: Vec<Vec<u8>>,
    lots: Vec<i64>,
    undecided: Vec<i64>,
    pending: Vec<i64>,
}

#[derive(Default)]
struct Changed {
    positions: Vec<i64>,
    steps: Vec<i16>,
    codes: Vec<i16>,
    decisions: Vec<Option<Vec<u8>>>,
}

#[derive(Default)]
struct Filings {
    offices: Vec<Vec<u8>>,
    receipts: Vec<Vec<u8>>,
    positions: Vec<i64>,
    people: Vec<Vec<u8>>,
    days: Vec<i32>,
}

impl<'s> Source<'s> {
    /// Reads what the batches say.
    ///
    /// # Errors
    /// [`StorageFault`].
    pub(super) fn read(
        keys: &'s HouseKeys,
        campaign: Campaign,
        (reader, index): (&'s SqliteReader, &'s Index),
    ) -> Result<Self, StorageFault> {
        let mut history = History::default();
        for number in 1..=reader.batches()? {
            let batch = reader.batch(number)?.ok_or(StorageFault::Damaged)?;
            for (position, entry) in batch.positions() {
                history.write(position, entry.channel);
            }
            for &(position, change) in &batch.changes {
                history.change(position, change);
            }
        }
        Ok(Self { keys, campaign, reader, index, history })
    }

    /// Copies everything into the empty tables of the campaign. Calls `progress` with the number of records.
    ///
    /// # Errors
    /// [`Setback`]. After any of them, whether it was copied is unknown: it was as a whole, or not at all.
    pub(super) async fn copy(
        &self,
        link: &Link,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Setback> {
        let statements = Writing::prepare(link).await?;
        link.batch_execute("BEGIN").await?;
        let mut nodes: BTreeMap<u32, Node> = BTreeMap::new();
        let (mut columns, mut copied) = (Columns::default(), 0);
        let linked = self.reader.linked()?;
        for number in 1..=self.reader.batches()? {
            let batch = self.reader.batch(number)?.ok_or(StorageFault::Damaged)?;
            let (chain, number) = self.reader.link(number)?.unwrap_or_else(|| (0, number - linked));
            let node = match nodes.entry(chain) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(new) => {
                    new.insert(Node::new(link.query_one(ADD_NODE, &[]).await?.try_get(0)?))
                }
            };
            copied += batch.entries.len() as u64;
            self.add(&mut columns, node, (number, &batch))?;
            if columns.is_full() {
                std::mem::take(&mut columns).insert(link, &statements).await?;
                progress(copied);
            }
        }
        columns.insert(link, &statements).await?;
        for node in nodes.values() {
            node.set(link).await?;
        }
        let next = i64::from(self.history.end());
        link.execute("UPDATE positions SET next = $1", &[&next]).await?;
        link.commit().await
    }

    fn add(
        &self,
        columns: &mut Columns,
        node: &mut Node,
        (number, batch): (u32, &StoredBatch),
    ) -> Result<(), StorageFault> {
        let number = i32::try_from(number).map_err(|_| StorageFault::Full)?;
        if number > node.batches {
            (node.batches, node.root) = (number, batch.root);
        }
        columns.nodes.push(node.id);
        columns.numbers.push(number);
        columns.firsts.push((!batch.entries.is_empty()).then(|| batch.first.0.into()));
        columns.written.push(batch.written_at);
        columns.entries.push(Entry::encode_all(&batch.entries));
        columns.changes.push(Change::encode_all(&batch.changes));
        columns.roots.push(batch.root.to_vec());
        columns.signatures.push(batch.signature.clone());
        for (position, entry) in batch.positions() {
            node.counts.accept(entry.channel);
            self.add_record(columns, position, entry)?;
        }
        for &(position, change) in &batch.changes {
            let (step, before) = self.history.before(position, change);
            if !self.history.is_of_canary(position) {
                node.counts.change(before, change);
            }
            let decision = change.turn().map(|turn| self.reader.decision_of(position, turn));
            columns.changed.positions.push(position.0.into());
            columns.changed.steps.push(step);
            columns.changed.codes.push(change.code().into());
            columns.changed.decisions.push(decision.transpose()?.flatten());
        }
        Ok(())
    }

    fn add_record(
        &self,
        Columns { records, filings, .. }: &mut Columns,
        position: Position,
        entry: &Entry,
    ) -> Result<(), StorageFault> {
        let sealed = self.reader.record(position)?.ok_or(StorageFault::Damaged)?;
        let of_claim = self.index.of_claim(&entry.claim);
        let nth = of_claim.iter().position(|(at, _)| *at == position);
        let nth = nth.and_then(|nth| i16::try_from(nth).ok()).ok_or(StorageFault::Damaged)?;
        let state = self.history.state(position).ok_or(StorageFault::Damaged)?;
        let code = ReceiptCode::of(self.keys, self.campaign, position);
        let at = i64::from(position.0);
        match state {
            State::Waiting => {
                records.lots.push(lot(&code));
                records.undecided.push(at);
            }
            State::Decided(Outcome::Pending) => records.pending.push(at),
            _ => {}
        }
        // What was erased has no header.
        let is_by_office = !matches!(entry.channel, Channel::Citizen | Channel::Canary);
        if is_by_office && let Ok(header) = Header::decode(&sealed) {
            filings.offices.push(header.principal.0.to_vec());
            filings.receipts.push(code.block_bytes().to_vec());
            filings.positions.push(at);
            filings.people.push(header.subject.0.to_vec());
            filings.days.push(day_number(entry.received_on));
        }
        records.positions.push(at);
        records.claims.push(entry.claim.0.to_vec());
        records.nths.push(nth);
        records.keys.push(entry.key.0.to_vec());
        records.digests.push(entry.digest.to_vec());
        records.channels.push(entry.channel as i16);
        records.sealed.push(sealed);
        Ok(())
    }
}

impl Columns {
    fn is_full(&self) -> bool {
        self.records.positions.len() >= RECORDS_MAX || self.nodes.len() >= BATCHES_MAX
    }

    async fn insert(self, link: &Link, statements: &Writing) -> Result<(), Setback> {
        let Self { nodes, numbers, firsts, written, entries, changes, roots, signatures, .. } =
            &self;
        let Records { positions, claims, nths, keys, digests, channels, sealed, .. } =
            &self.records;
        let Changed { positions: changed, steps, codes, decisions } = &self.changed;
        let Filings { offices, receipts, positions: filed, people, days } = &self.filings;
        let Records { lots, undecided, pending, .. } = &self.records;
        let (leased, lease_ms) = (vec![false; lots.len()], 0.0_f64);
        let (.., added, changes_added) = try_join4(
            link.execute(
                ADD_BATCHES,
                &[nodes, numbers, firsts, written, entries, changes, roots, signatures],
            ),
            link.execute(&statements.add_filings, &[offices, receipts, filed, people, days]),
            link.execute(
                &statements.add_records,
                &[positions, claims, nths, keys, digests, channels, sealed],
            ),
            link.execute(&statements.add_changes, &[changed, steps, codes, decisions]),
        )
        .await?;
        link.execute(&statements.add_undecided, &[lots, undecided, &leased, &lease_ms]).await?;
        link.execute(&statements.add_pending, &[pending]).await?;
        // Nothing conflicts with anything in empty tables, unless the file contradicts itself.
        if (added, changes_added) != (positions.len() as u64, changed.len() as u64) {
            return Err(Setback::Storage(StorageFault::Damaged));
        }
        Ok(())
    }
}

impl Node {
    fn new(id: i32) -> Self {
        let of = |length| vec![0; length];
        let counts = Counts {
            accepted: of(Channel::OF_PEOPLE.len()),
            decided: of(Outcome::ALL.len()),
            revised: of(Outcome::ALL.len()),
            ..Counts::default()
        };
        Self { id, batches: 0, root: Digest::default(), counts }
    }

    async fn set(&self, link: &Link) -> Result<(), Setback> {
        let Self { id, batches, root, counts } = self;
        let Counts { accepted, decided, revised, pending, withdrawn_undecided, withdrawn_decided } =
            counts;
        link.execute(
            SET_NODE,
            &[
                id,
                batches,
                &root.as_slice(),
                accepted,
                decided,
                revised,
                pending,
                withdrawn_undecided,
                withdrawn_decided,
            ],
        )
        .await?;
        Ok(())
    }
}
