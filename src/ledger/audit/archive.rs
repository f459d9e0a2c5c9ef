//! What commands read of the trail and of the messages of identity providers, wherever they are.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    found::{Line, SearchFault},
    messages::{self, FoundMessages, MessageSearch},
    row::note_command,
    search::{Search, controls, inspect},
};
use crate::{civic::FiscalCode, ledger::fault::OpenFault, schemes::Campaign, vault::HouseKeys};

/// The trail and the messages, for commands; a server may be running. Everything waits for the disk or the database.
pub trait Archive {
    /// What was done to a person's data, oldest first, from the trail and from the ledgers of `campaigns`.
    ///
    /// # Errors
    /// [`SearchFault`].
    fn done_to(
        &self,
        code: &FiscalCode,
        campaigns: Vec<Campaign>,
    ) -> Result<Vec<Line>, SearchFault>;

    /// What a person did to their own data and to others', according to the trail, oldest first.
    ///
    /// # Errors
    /// [`SearchFault`].
    fn done_by(&self, code: &FiscalCode) -> Result<Vec<Line>, SearchFault>;

    /// Every control action, oldest first.
    ///
    /// # Errors
    /// [`SearchFault`].
    fn controls(&self) -> Result<Vec<(Timestamp, String)>, SearchFault>;

    /// The messages that name a person, oldest first.
    ///
    /// # Errors
    /// [`SearchFault`].
    fn messages_of_person(&self, code: &FiscalCode) -> Result<Vec<FoundMessages>, SearchFault>;

    /// The messages of the sign-in from which the session with this handle came.
    ///
    /// # Errors
    /// [`SearchFault`].
    fn messages_of_session(&self, handle: &str) -> Result<Vec<FoundMessages>, SearchFault>;

    /// Records what an operator's command did.
    ///
    /// # Errors
    /// [`OpenFault`].
    fn note_command(&self, now: Timestamp, what: &str) -> Result<(), OpenFault>;

    /// Verifies trail and messages. Returns what is wrong, in words for the operator.
    ///
    /// # Errors
    /// [`SearchFault`].
    fn inspect(&self) -> Result<Vec<String>, SearchFault>;
}

/// Those of this machine.
pub struct LocalArchive {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
}

impl LocalArchive {
    /// Those in the ledgers' directory.
    #[must_use]
    pub fn of(directory: &Path, keys: Arc<HouseKeys>) -> Self {
        Self { directory: directory.to_owned(), keys }
    }

    fn search(&self, code: &FiscalCode) -> Search {
        Search::of(&self.directory, Arc::clone(&self.keys), code)
    }

    fn messages(&self) -> MessageSearch {
        MessageSearch::of(&self.directory, Arc::clone(&self.keys))
    }
}

impl Archive for LocalArchive {
    fn done_to(
        &self,
        code: &FiscalCode,
        campaigns: Vec<Campaign>,
    ) -> Result<Vec<Line>, SearchFault> {
        self.search(code).done_to(campaigns.into_iter())
    }

    fn done_by(&self, code: &FiscalCode) -> Result<Vec<Line>, SearchFault> {
        self.search(code).done_by()
    }

    fn controls(&self) -> Result<Vec<(Timestamp, String)>, SearchFault> {
        controls(&self.directory)
    }

    fn messages_of_person(&self, code: &FiscalCode) -> Result<Vec<FoundMessages>, SearchFault> {
        self.messages().of_person(code)
    }

    fn messages_of_session(&self, handle: &str) -> Result<Vec<FoundMessages>, SearchFault> {
        self.messages().of_session(handle)
    }

    fn note_command(&self, now: Timestamp, what: &str) -> Result<(), OpenFault> {
        note_command(&self.directory, &self.keys, now, what)
    }

    fn inspect(&self) -> Result<Vec<String>, SearchFault> {
        let mut findings = inspect(&self.directory, &self.keys)?;
        findings.extend(messages::inspect(&self.directory, &self.keys)?);
        Ok(findings)
    }
}
