//! Finding the messages of a person or of a session, and verifying the chain of all.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rusqlite::Params;

use super::{
    super::{
        found::SearchFault,
        stored::{months, rows_where},
        whole,
    },
    attempt::HEADER,
    file::MessageRow,
};
use crate::{
    civic::FiscalCode,
    vault::{HouseKeys, Place},
};

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
        self.select("owner = ?1 AND number > 0", [owner.0])
    }

    /// The messages of the sign-in from which the session with this handle came.
    ///
    /// # Errors
    /// [`SearchFault`].
    pub fn of_session(&self, handle: &str) -> Result<Vec<FoundMessages>, SearchFault> {
        self.select("handle = ?1 AND number > 0", [handle])
    }

    fn select<P: Params + Copy>(
        &self,
        condition: &str,
        wanted: P,
    ) -> Result<Vec<FoundMessages>, SearchFault> {
        let mut found = Vec::new();
        for month in months::<MessageRow>(&self.directory)? {
            let rows = rows_where(&self.directory, &month, condition, wanted)?;
            for row in rows {
                let row: MessageRow = row;
                let damaged = SearchFault::Damaged { month: month.to_string(), row: row.number };
                found.push(row.opened(&self.keys).ok_or(damaged)?);
            }
        }
        found.sort_by_key(|found| found.at);
        Ok(found)
    }
}

/// Verifies all messages: every row matches its root, every root is signed, every month continues an earlier one, every chain of
/// a node ends where it did. Returns what is wrong, in words for the operator.
///
/// # Errors
/// [`SearchFault`].
pub fn inspect(directory: &Path, keys: &HouseKeys) -> Result<Vec<String>, SearchFault> {
    let (findings, _) = whole::walk::<MessageRow>(directory, keys, |_| {})?;
    Ok(findings)
}
