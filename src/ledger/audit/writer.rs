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
    row::TrailRow,
    stored::{self, Stored as _},
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
        let previous = || stored::last_root::<TrailRow>(directory, &month);
        let opened = stored::open::<TrailRow>(directory, &month, (&keys, now), previous);
        let ((connection, end), names) = (opened?, Names::default());
        let directory = directory.to_owned();
        Ok(Self { directory, keys, config, month, connection, end, names })
    }

    fn turn_to(&mut self, now: Timestamp) -> Result<(), OpenFault> {
        let (month, previous) = (Month::of(now), self.end.root);
        let previous = || Ok(previous);
        let opened =
            stored::open::<TrailRow>(&self.directory, &month, (&self.keys, now), previous)?;
        (self.connection, self.end) = opened;
        (self.month, self.names) = (month, Names::default());
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
    let months = stored::months::<TrailRow>(directory)?;
    for month in months.into_iter().filter(|month| *month < oldest) {
        month.remove(directory, TrailRow::PREFIX)?;
        tracing::info!(%month, "a month of the audit trail is older than the retention: removed");
    }
    Ok(())
}
