//! The writer of this machine's trail: one sync for everything that waits, a new file for each month.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    super::{fault::OpenFault, local::sqlite_fault::store_error},
    chain::End,
    config::Config,
    gathered::{Gathered, Names, RowWriter},
    month::Month,
};
use crate::vault::HouseKeys;

pub(super) struct Writer {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    config: Config,
    month: Month,
    connection: Connection,
    end: End,
    names: Names,
}

impl Writer {
    pub(super) fn open(
        directory: &Path,
        keys: Arc<HouseKeys>,
        now: Timestamp,
        config: Config,
    ) -> Result<Self, OpenFault> {
        let month = Month::of(now);
        retire(directory, now, config)?;
        let earlier = Month::all(directory)?.into_iter().rev().find(|earlier| *earlier < month);
        let root =
            earlier.map(|earlier| earlier.last_root(directory)).transpose()?.unwrap_or_default();
        let (connection, end) = month.open(directory, &keys, root, now)?;
        let (directory, names) = (directory.to_owned(), Names::default());
        Ok(Self { directory, keys, config, month, connection, end, names })
    }

    fn turn_to(&mut self, now: Timestamp) -> Result<(), OpenFault> {
        let month = Month::of(now);
        let (connection, end) = month.open(&self.directory, &self.keys, self.end.root, now)?;
        (self.month, self.connection, self.end) = (month, connection, end);
        self.names = Names::default();
        retire(&self.directory, now, self.config)
    }
}

impl RowWriter for Writer {
    fn write(&mut self, gathered: &Gathered) -> Result<(), OpenFault> {
        let Some(now) = gathered.at() else { return Ok(()) };
        if Month::of(now) != self.month {
            self.turn_to(now)?;
        }
        let rows = gathered.rows(&self.keys, now, &mut self.end, &mut self.names);
        let store = |source| store_error(&self.directory.join(self.month.to_string()), source);
        let transaction = self.connection.unchecked_transaction().map_err(store)?;
        rows.iter().try_for_each(|row| row.insert(&transaction)).map_err(store)?;
        transaction.commit().map_err(store)
    }
}

/// Removes the months that are older than the retention.
fn retire(directory: &Path, now: Timestamp, config: Config) -> Result<(), OpenFault> {
    let oldest = Month::before(now, config.months_kept);
    for month in Month::all(directory)?.into_iter().filter(|month| *month < oldest) {
        month.remove(directory)?;
        tracing::info!(%month, "a month of the audit trail is older than the retention: removed");
    }
    Ok(())
}
