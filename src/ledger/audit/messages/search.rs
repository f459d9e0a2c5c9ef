//! Finding the messages of a person or of a session, and verifying the chain of all.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rusqlite::{Params, params};

use super::{
    super::{chain::Walk, found::SearchFault, month::Month},
    attempt::HEADER,
    file::{self, MessageRow},
};
use crate::{
    civic::FiscalCode,
    vault::{HouseKeys, Place},
};

/// Rows verified in one transaction, so that the writer's checkpoints are not delayed for long.
const ROWS_AT_A_TIME: i64 = 512;

/// The messages of one attempt to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundMessages {
    /// When they were recorded.
    pub at: Timestamp,
    /// The handle of the session that began with it.
    pub handle: String,
    /// The messages, as JSON.
    pub content: Vec<u8>,
}

impl MessageRow {
    /// The messages; `None` if they do not open.
    pub(in crate::ledger) fn opened(self, keys: &HouseKeys) -> Option<FoundMessages> {
        let Self { written_at, handle, owner, sealed, .. } = self;
        let content = keys.open(Place::Messages, owner, HEADER.len(), &sealed).ok()?;
        let at = Timestamp::from_second(written_at).unwrap_or_default();
        Some(FoundMessages { at, handle, content })
    }
}

/// Finds messages; a server may be running.
pub struct MessageSearch {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
}

impl MessageSearch {
    /// A search in the ledgers' directory.
    #[must_use]
    pub fn of(directory: &Path, keys: Arc<HouseKeys>) -> Self {
        Self { directory: directory.to_owned(), keys }
    }

    /// The messages that name this person, oldest first.
    ///
    /// # Errors
    /// [`SearchFault`].
    pub fn of_person(&self, code: &FiscalCode) -> Result<Vec<FoundMessages>, SearchFault> {
        let owner = self.keys.subject(code);
        self.select("SELECT * FROM message WHERE owner = ?1 ORDER BY number", &[owner.0])
    }

    /// The messages of the sign-in from which the session with this handle came.
    ///
    /// # Errors
    /// [`SearchFault`].
    pub fn of_session(&self, handle: &str) -> Result<Vec<FoundMessages>, SearchFault> {
        let sql = "SELECT * FROM message WHERE handle = ?1 AND number > 0 ORDER BY number";
        self.select(sql, &[handle])
    }

    fn select<P: Params + Clone>(
        &self,
        sql: &str,
        wanted: &P,
    ) -> Result<Vec<FoundMessages>, SearchFault> {
        let mut found = Vec::new();
        for month in &file::months(&self.directory)? {
            let rows = file::read(&self.directory, month).and_then(|connection| {
                let mut select = connection.prepare(sql)?;
                select
                    .query_map(wanted.clone(), MessageRow::from_row)?
                    .collect::<Result<Vec<_>, _>>()
            });
            for row in rows.map_err(|source| fault(month, source))? {
                let damaged = SearchFault::Damaged { month: month.to_string(), row: row.number };
                found.push(row.opened(&self.keys).ok_or(damaged)?);
            }
        }
        Ok(found)
    }
}

/// Verifies all messages: every row matches its root, every root is signed, every month continues an earlier one. Returns
/// what is wrong, in words for the operator.
///
/// # Errors
/// [`SearchFault`].
pub fn inspect(directory: &Path, keys: &HouseKeys) -> Result<Vec<String>, SearchFault> {
    let mut walk = Walk::new(keys);
    for month in file::months(directory)? {
        walk.begin(format!("messages of {month}"), true);
        each_row_of(directory, &month, |row| {
            walk.row(&row);
            Ok(())
        })?;
    }
    Ok(walk.findings())
}

/// Reads the rows of a month in short transactions.
pub(in crate::ledger) fn each_row_of(
    directory: &Path,
    month: &Month,
    mut look: impl FnMut(MessageRow) -> Result<(), SearchFault>,
) -> Result<(), SearchFault> {
    let connection = file::read(directory, month).map_err(|source| fault(month, source))?;
    let mut from = i64::MIN;
    loop {
        let sql = "SELECT * FROM message WHERE number >= ?1 ORDER BY number LIMIT ?2";
        let rows = connection.prepare_cached(sql).and_then(|mut select| {
            let rows = select.query_map(params![from, ROWS_AT_A_TIME], MessageRow::from_row)?;
            rows.collect::<Result<Vec<_>, _>>()
        });
        let rows = rows.map_err(|source| fault(month, source))?;
        let Some(last) = rows.last() else { return Ok(()) };
        from = last.number + 1;
        rows.into_iter().try_for_each(&mut look)?;
    }
}

fn fault(month: &Month, source: rusqlite::Error) -> SearchFault {
    SearchFault::Month { month: month.to_string(), source: source.into() }
}
