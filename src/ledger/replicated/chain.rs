//! The chain of signed rows that one node writes to a table, and how a write gets known.
//!
//! A write is one statement: it adds rows whose numbers are this node's own, and moves the end of the chain. Sent again, it
//! adds nothing that is there and moves the end to where it is, so that its commit makes durable what an attempt before
//! left unknown. The rows of a write never change between its attempts.

use std::{sync::Arc, thread, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    super::{
        audit::{End, Month, WriterState},
        fault::{OpenFault, StorageFault},
        proof::Digest,
    },
    fault::Setback,
    house::{House, HouseLink},
    months::{self, Monthly},
};

/// Pause before a database that did not answer is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// The table of a chain, and what is done with it.
pub(super) struct Table {
    /// What it holds, for the log.
    pub(super) what: &'static str,
    pub(super) monthly: Monthly,
    /// Adds a node; parameters: month and root.
    pub(super) register: &'static str,
    /// Root and signature of the last row of the latest node.
    pub(super) latest: &'static str,
    /// Full months that are kept besides the current one.
    pub(super) months_kept: u64,
}

/// Rows to be added, as the parameters of a statement.
pub(super) trait Rows: Send + Sync + 'static {
    /// Adds them after `place`, durably, and returns a row if the chain ended where it should.
    fn add<'l>(
        &'l self,
        place: &'l Place,
        link: &'l HouseLink,
    ) -> BoxFuture<'l, Result<Vec<Row>, Setback>>;
}

/// Where rows are added.
pub(super) struct Place {
    pub(super) node: i32,
    pub(super) month: Month,
    /// The root before them.
    pub(super) previous: Digest,
    /// The last of them.
    pub(super) end: End,
}

/// The end of a chain that has no row yet.
const NO_ROW: End = End { number: -1, root: [0; 32] };

/// The chain of this node.
pub(super) struct Chain {
    house: House,
    table: Arc<Table>,
    state: Arc<WriterState>,
    node: i32,
    month: Option<Month>,
    /// In which this node was added or wrote last: once that month is too old, other nodes forget this one.
    known_in: Month,
    /// Its last row, which a write moves before it is known.
    pub(super) end: End,
}

impl Chain {
    /// Removes months that are too old, and adds this node, which has no rows yet.
    ///
    /// # Errors
    /// [`OpenFault::Database`], [`OpenFault::OtherKey`] by `is_ours`, which is given the latest root and its signature.
    pub(super) fn open(
        house: House,
        table: Table,
        state: Arc<WriterState>,
        now: Timestamp,
        is_ours: impl FnOnce(&Digest, &str) -> bool,
    ) -> Result<Self, OpenFault> {
        let table = Arc::new(table);
        let of = Arc::clone(&table);
        let opened = house.wait_for(move |link| {
            Box::pin(async move {
                months::retire_before(link, &of.monthly, now, of.months_kept).await?;
                let node = register(link, &of, &Month::of(now)).await?;
                let latest = link.rows(of.latest, &[]).await?;
                let latest = latest.first().map(|row| {
                    let root: &[u8] = row.try_get(0)?;
                    let signature: String = row.try_get(1)?;
                    Ok::<_, Setback>((root.try_into().unwrap_or_default(), signature))
                });
                Ok((node, latest.transpose()?))
            })
        });
        let fault = |setback: Setback| OpenFault::Database { what: setback.to_string() };
        let (node, latest): (i32, Option<(Digest, String)>) = opened.map_err(fault)?;
        if latest.is_some_and(|(root, signature)| !is_ours(&root, &signature)) {
            return Err(OpenFault::OtherKey { path: table.monthly.rows.into() });
        }
        Ok(Self { house, table, state, node, month: None, known_in: Month::of(now), end: NO_ROW })
    }

    /// Turns to the month of `now` unless the chain is in it or in a later one. Returns whether it did: then the next row is
    /// the first of a month. A node that wrote nothing for so long that others have forgotten it begins a new chain.
    ///
    /// # Errors
    /// As for [`until_known`](Self::until_known).
    pub(super) fn turn_to(&mut self, now: Timestamp) -> Result<bool, OpenFault> {
        let month = Month::of(now);
        if self.month.as_ref().is_some_and(|current| *current >= month) {
            return Ok(false);
        }
        let is_forgotten = self.known_in < Month::before(now, self.table.months_kept);
        let (table, made) = (Arc::clone(&self.table), month.clone());
        let added = self.until_known(move |link| {
            let (table, made) = (Arc::clone(&table), made.clone());
            Box::pin(async move {
                months::ensure(link, &table.monthly, &made).await?;
                if is_forgotten { register(link, &table, &made).await.map(Some) } else { Ok(None) }
            })
        })?;
        if let Some(node) = added {
            (self.node, self.end) = (node, NO_ROW);
        }
        self.known_in = month.clone();
        if self.month.replace(month).is_some() {
            self.retire(now);
        }
        Ok(true)
    }

    /// Removes months that are too old. What fails is done at the next month's turn.
    pub(super) fn retire(&self, now: Timestamp) {
        let table = Arc::clone(&self.table);
        let retired = self.house.wait_for(move |link| {
            Box::pin(async move {
                months::retire_before(link, &table.monthly, now, table.months_kept).await
            })
        });
        if let Err(setback) = retired {
            let of = self.table.what;
            tracing::warn!(of, %setback, "months that are too old cannot be removed");
        }
    }

    /// Adds rows that lead from the root `previous` to the present end; they are durable when this returns.
    ///
    /// # Errors
    /// As for [`until_known`](Self::until_known), and [`OpenFault::Damaged`] if the chain ends elsewhere in the database.
    pub(super) fn add(&self, rows: impl Rows, previous: Digest) -> Result<(), OpenFault> {
        let Some(month) = self.month.clone() else { return Ok(()) };
        let place = Place { node: self.node, month, previous, end: self.end };
        let rows = Arc::new((rows, place));
        let moved = self.until_known(move |link| {
            let rows = Arc::clone(&rows);
            Box::pin(async move { Ok(rows.0.add(&rows.1, link).await?.len()) })
        })?;
        if moved == 1 { Ok(()) } else { Err(self.damaged()) }
    }

    /// Does something in the database again and again until it is known to be done.
    ///
    /// # Errors
    /// [`OpenFault`], which is final: what is stored contradicts itself, or the store closes while the database is away.
    pub(super) fn until_known<T: Send + 'static>(
        &self,
        work: impl for<'l> FnOnce(&'l HouseLink) -> BoxFuture<'l, Result<T, Setback>>
        + Clone
        + Send
        + 'static,
    ) -> Result<T, OpenFault> {
        let of = self.table.what;
        loop {
            let is_last = self.state.is_closing();
            match self.house.wait_for(work.clone()) {
                Ok(done) => {
                    if self.state.set_away(false) {
                        tracing::info!(of, "the database answers again");
                    }
                    return Ok(done);
                }
                Err(Setback::Storage(_)) => return Err(self.damaged()),
                Err(setback) => {
                    if self.state.set_away(true) {
                        tracing::warn!(of, %setback, "the database does not answer: nothing is shown that cannot be recorded");
                    }
                    if is_last {
                        let what = format!("closing while it does not answer: {setback}");
                        return Err(OpenFault::Database { what });
                    }
                }
            }
            thread::sleep(PAUSE);
        }
    }

    fn damaged(&self) -> OpenFault {
        let what = "its end in the database is not the one that this server wrote".to_owned();
        OpenFault::Damaged { path: self.table.monthly.rows.into(), what }
    }
}

/// Adds a node, which has no rows yet.
async fn register(link: &HouseLink, table: &Table, month: &Month) -> Result<i32, Setback> {
    let root = NO_ROW.root.as_slice();
    let added = link.durably(table.register, &[&month.as_str(), &root]).await?;
    Ok(added.first().ok_or(StorageFault::Damaged)?.try_get(0)?)
}
