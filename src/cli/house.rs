//! The flags that name the data directory and the key file, the same for every command.

use std::{
    env,
    error::Error,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;

use crate::{
    clock::Clock,
    ledger::audit::note_command,
    vault::{HouseKeys, KeysFault},
};

/// Directory of the ledgers, below the data directory.
pub(super) const LEDGERS: &str = "ledger";

/// Environment variable that holds the secrets themselves, as for the server.
const SECRET: &str = "SPORTELLO_LEDGER_SECRET";

#[derive(Debug, Args)]
pub(super) struct House {
    /// Data directory.
    #[arg(long, value_name = "DIR", default_value = "./data")]
    data: PathBuf,
    /// File with the ledger's secrets [default: `SPORTELLO_LEDGER_SECRET`, else `ledger.key` in the data directory].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl House {
    /// Data directory.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// Records in the audit trail what a command did, and for which user of the system.
    pub(super) fn note(&self, what: &str) -> Result<(), Box<dyn Error>> {
        let now = Clock::system().now();
        let user = fs::metadata("/proc/self").map_or(u32::MAX, |process| process.uid());
        let what = format!("command of user {user}: {what}");
        Ok(note_command(&self.ledgers()?, self.keys()?.as_ref(), now, &what)?)
    }

    /// Directory of the ledgers.
    pub(super) fn ledgers(&self) -> Result<PathBuf, String> {
        let directory = self.data.join(LEDGERS);
        if directory.is_dir() {
            return Ok(directory);
        }
        Err(format!("{}: no ledger in this data directory; check --data", self.data.display()))
    }

    /// File with the secrets.
    pub(super) fn key_file(&self) -> PathBuf {
        self.key.clone().unwrap_or_else(|| self.data.join("ledger.key"))
    }

    pub(super) fn keys(&self) -> Result<Arc<HouseKeys>, KeysFault> {
        let keys = match (env::var(SECRET), &self.key) {
            (Ok(secret), None) => HouseKeys::from_text(&secret),
            _ => HouseKeys::load(&self.key_file()),
        };
        keys.map(Arc::new)
    }
}
