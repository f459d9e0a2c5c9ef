//! Walking over the batches of all nodes: signatures, chains, and what they say about every application.

use std::collections::BTreeMap;

use tokio_postgres::{Row, Transaction};

use super::{
    super::{
        campaign::counts::{self, Counts},
        fault::Setback,
    },
    rows::Rows,
};
use crate::{
    ledger::{
        book::{
            change::Change, entry::Entry, history::History, record::Channel, sign::StoredBatch,
        },
        position::Position,
        proof::Digest,
        receipt::ReceiptCode,
        verify::{Finding, UNSIGNED},
    },
    schemes::{Campaign, Outcome},
    vault::HouseKeys,
};

/// Batches in memory at a time.
pub(super) const BATCHES_MAX: i32 = 64;

/// What was found in a campaign so far.
pub(super) struct Walk<'k> {
    pub(super) keys: &'k HouseKeys,
    pub(super) campaign: Campaign,
    pub(super) findings: Vec<Finding>,
    /// What the batches say.
    pub(super) history: History,
    /// Whether a batch is signed with these keys, if there are any.
    pub(super) is_ours: Option<bool>,
    /// The sum of the counts of all nodes, from their batches.
    pub(super) counts: Counts,
    pub(super) of_canary: u64,
    chains: BTreeMap<i32, Chain>,
}

/// What the batches of a node, and its own row, say about its chain.
struct Chain {
    batches: i32,
    last: i32,
    root: Digest,
    counts: Counts,
    /// The number of its batches, the root and the counts in its row.
    told: Option<(i32, Option<Digest>, Counts)>,
}

impl<'k> Walk<'k> {
    pub(super) fn new(keys: &'k HouseKeys, campaign: Campaign) -> Self {
        Self {
            keys,
            campaign,
            findings: Vec::new(),
            history: History::default(),
            is_ours: None,
            counts: none(),
            of_canary: 0,
            chains: BTreeMap::new(),
        }
    }

    /// The code of the application at a position.
    pub(super) fn code(&self, position: Position) -> ReceiptCode {
        ReceiptCode::of(self.keys, self.campaign, position)
    }

    /// Notes that something is wrong with an application.
    pub(super) fn find(&mut self, position: Position, what: &str) {
        let code = self.code(position);
        self.findings.push(format!("{code}: {what}"));
    }

    /// Reads the rows of all nodes.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn nodes(&mut self, snapshot: &Transaction<'_>) -> Result<(), Setback> {
        let sql = format!("SELECT node, batches, root, {} FROM nodes", counts::COLUMNS);
        let mut rows = Rows::of(snapshot, &sql, BATCHES_MAX).await?;
        while let Some(row) = rows.next(snapshot).await? {
            let (node, batches): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
            let root: &[u8] = row.try_get(2)?;
            let told = (batches, root.try_into().ok(), Counts::read(&row, 3)?);
            self.chains.entry(node).or_default().told = Some(told);
        }
        Ok(())
    }

    /// Checks every batch against its signature and the batch before it.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn batches(&mut self, snapshot: &Transaction<'_>) -> Result<(), Setback> {
        const ALL: &str = "SELECT b.node, b.number, b.first, b.written_at, b.entries, b.changes, b.root, b.signature, p.root \
            FROM batches b LEFT JOIN batches p ON p.node = b.node AND p.number = b.number - 1 \
            ORDER BY b.first NULLS LAST, b.node, b.number";
        let mut rows = Rows::of(snapshot, ALL, BATCHES_MAX).await?;
        while let Some(row) = rows.next(snapshot).await? {
            self.batch(&row)?;
        }
        Ok(())
    }

    fn batch(&mut self, row: &Row) -> Result<(), Setback> {
        let (node, number): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
        let name = format!("{}: batch {number} of chain {node}", self.campaign);
        let before: Option<&[u8]> = row.try_get(8)?;
        if before.is_none() && number != 1 {
            self.findings
                .push(format!("{}: chain {node} is broken before batch {number}", self.campaign));
        }
        let chain = self.chains.entry(node).or_default();
        chain.batches += 1;
        let Some(batch) = decode(row)? else {
            self.findings.push(format!("{name} cannot be read"));
            return Ok(());
        };
        if number > chain.last {
            (chain.last, chain.root) = (number, batch.root);
        }
        let unsigned = batch.tree(self.keys, self.campaign).0.root() != batch.root
            || !self.keys.has_signed(&batch.root, &batch.signature);
        self.is_ours = Some(self.is_ours.unwrap_or_default() || !unsigned);
        if unsigned {
            self.findings.push(format!("{name} {UNSIGNED}"));
        }
        for (position, entry) in batch.positions() {
            self.accept(node, entry.channel);
            if unsigned {
                self.find(position, &format!("its batch {UNSIGNED}"));
            }
            if !self.history.write(position, entry.channel) {
                self.find(position, "two batches hold it");
            }
        }
        for &(position, change) in &batch.changes {
            if !self.history.change(position, change) {
                self.find(position, "two batches record the same change of it");
            }
        }
        Ok(())
    }

    fn accept(&mut self, node: i32, channel: Channel) {
        self.of_canary += u64::from(channel == Channel::Canary);
        self.chains.entry(node).or_default().counts.accept(channel);
    }

    /// Compares each node's row with its batches, once all batches are known.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn compare_nodes(
        &mut self,
        snapshot: &Transaction<'_>,
    ) -> Result<(), Setback> {
        const CHANGES: &str = "SELECT node, changes FROM batches WHERE length(changes) > 0";
        let mut rows = Rows::of(snapshot, CHANGES, BATCHES_MAX).await?;
        while let Some(row) = rows.next(snapshot).await? {
            let changes: &[u8] = row.try_get(1)?;
            let chain = self.chains.entry(row.try_get(0)?).or_default();
            for (position, change) in Change::decode_all(changes).unwrap_or_default() {
                if !self.history.is_of_canary(position) {
                    chain.counts.change(self.history.before(position, change).1, change);
                }
            }
        }
        for (node, chain) in &self.chains {
            self.counts.add(&chain.counts);
            let name = format!("{}: chain {node}", self.campaign);
            let Some((batches, root, counts)) = &chain.told else {
                self.findings.push(format!("{name} has batches, and its node has no row"));
                continue;
            };
            if (chain.batches, chain.last) != (*batches, *batches) || Some(chain.root) != *root {
                let found = chain.batches;
                self.findings.push(format!(
                    "{name} has {found} batches and not the {batches} up to the root in the row of its node"
                ));
            }
            if chain.counts != *counts {
                self.findings
                    .push(format!("{name}: the counts of its node are not those of its batches"));
            }
        }
        Ok(())
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self { batches: 0, last: 0, root: Digest::default(), counts: none(), told: None }
    }
}

/// Counts of nothing.
fn none() -> Counts {
    let of = |length| vec![0; length];
    Counts {
        accepted: of(Channel::OF_PEOPLE.len()),
        decided: of(Outcome::ALL.len()),
        revised: of(Outcome::ALL.len()),
        ..Counts::default()
    }
}

/// A batch, which has no position of its own if it has changes only; `None` if it is damaged.
fn decode(row: &Row) -> Result<Option<StoredBatch>, Setback> {
    let (first, written_at): (Option<i64>, i64) = (row.try_get(2)?, row.try_get(3)?);
    let (entries, changes): (&[u8], &[u8]) = (row.try_get(4)?, row.try_get(5)?);
    let (root, signature): (&[u8], String) = (row.try_get(6)?, row.try_get(7)?);
    let previous: Option<&[u8]> = row.try_get(8)?;
    let batch = || {
        let entries = Entry::decode_all(entries)?;
        (first.is_some() != entries.is_empty()).then_some(())?;
        Some(StoredBatch {
            first: Position(u32::try_from(first.unwrap_or_default()).ok()?),
            written_at,
            entries,
            changes: Change::decode_all(changes)?,
            previous_root: previous.map_or(Some(Digest::default()), |root| root.try_into().ok())?,
            root: root.try_into().ok()?,
            signature,
        })
    };
    Ok(batch())
}
