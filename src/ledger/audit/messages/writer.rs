//! The writer of this machine's messages: a new file for each month.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    super::{
        super::{fault::OpenFault, local::sqlite_fault::store_error},
        chain::End,
        month::Month,
        stored::Stored as _,
    },
    attempt::{Attempt, MessageWriter},
    file,
};
use crate::{clock::Clock, vault::HouseKeys};

pub(super) struct Writer {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    clock: Clock,
    /// The month that is written; `None` before the first attempt.
    open: Option<OpenMonth>,
}

struct OpenMonth {
    month: Month,
    connection: Connection,
    end: End,
}

impl Writer {
    pub(super) fn open(
        directory: &Path,
        keys: Arc<HouseKeys>,
        clock: Clock,
    ) -> Result<Self, OpenFault> {
        file::retire(directory, clock.now())?;
        Ok(Self { directory: directory.to_owned(), keys, clock, open: None })
    }

    fn turn_to(&mut self, month: Month, now: Timestamp) -> Result<(), OpenFault> {
        let (connection, end) = file::open(&self.directory, &month, &self.keys, now)?;
        self.open = Some(OpenMonth { month, connection, end });
        file::retire(&self.directory, now)
    }
}

impl MessageWriter for Writer {
    fn write(&mut self, attempts: &[Attempt]) -> Result<(), OpenFault> {
        let Some(now) = attempts.iter().map(|attempt| attempt.at).max() else { return Ok(()) };
        let month = Month::of(now);
        if self.open.as_ref().is_none_or(|open| open.month != month) {
            self.turn_to(month, now)?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let store = |source| store_error(&self.directory.join(open.month.to_string()), source);
        let transaction = open.connection.unchecked_transaction().map_err(store)?;
        for attempt in attempts {
            attempt.row(&mut open.end, &self.keys).insert(&transaction).map_err(store)?;
        }
        transaction.commit().map_err(store)
    }

    fn retire(&mut self) -> Result<(), OpenFault> {
        file::retire(&self.directory, self.clock.now())
    }
}
