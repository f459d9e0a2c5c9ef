//! The flags `--data` and `--key`, which all commands on stored data share.

use std::{
    error::Error,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;

use crate::{
    clock::Clock,
    config::{DATA_VARIABLE, KeySource, Settings, ledgers_in},
    ledger::audit::note_command,
    vault::{HouseKeys, KeysFault},
};

/// The data directory that no source names.
const DATA: &str = "./data";

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct House {
    /// Data directory [default: ./data].
    #[arg(long, value_name = "DIR", env = DATA_VARIABLE)]
    data: Option<PathBuf>,
    /// File with the ledger's secrets [default: `SPORTELLO_LEDGER_SECRET`, else `ledger.key` in the data directory].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl House {
    /// A data directory and, perhaps, a file of secrets.
    pub(super) fn at(data: PathBuf, key: Option<PathBuf>) -> Self {
        Self { data: Some(data), key }
    }

    /// What the flags and, where they say nothing, the settings of a server name.
    pub(super) fn of_server(self, settings: &Settings) -> Self {
        let key = self.key.or_else(|| match settings.ledger_key() {
            KeySource::File(path) => Some(path),
            KeySource::Environment(_) => None,
        });
        Self { data: Some(settings.data()), key }
    }

    /// The data directory.
    pub(super) fn data(&self) -> &Path {
        self.data.as_deref().unwrap_or_else(|| Path::new(DATA))
    }

    /// The data directory, if a flag or the environment names one.
    pub(super) fn named_data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// Records in the audit trail what a command did, and which system user ran it.
    pub(super) fn note(&self, what: &str) -> Result<(), Box<dyn Error>> {
        let (now, what) = (Clock::system().now(), as_done(what));
        Ok(note_command(&self.ledgers()?, self.keys()?.as_ref(), now, &what)?)
    }

    /// The directory of the ledgers; a message for the operator if it does not exist.
    pub(super) fn ledgers(&self) -> Result<PathBuf, String> {
        let directory = ledgers_in(self.data());
        if directory.is_dir() {
            return Ok(directory);
        }
        Err(format!("{}: no ledger in this data directory; check --data", self.data().display()))
    }

    /// Where the secrets come from.
    pub(super) fn key_source(&self) -> KeySource {
        KeySource::of_command(self.key.clone(), self.data())
    }

    /// Loads the secrets.
    pub(super) fn keys(&self) -> Result<Arc<HouseKeys>, KeysFault> {
        self.key_source().load().map(Arc::new)
    }
}

/// What a command did, and which system user ran it.
pub(super) fn as_done(what: &str) -> String {
    let user = fs::metadata("/proc/self").map_or(u32::MAX, |process| process.uid());
    format!("command of user {user}: {what}")
}
