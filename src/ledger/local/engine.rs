//! Opening the ledgers of one machine.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    files::take_directory,
    ledger::{Config, LocalLedger},
    sqlite::file_of,
};
use crate::{
    clock::Clock,
    ledger::{Ledger, case::Case, fault::OpenFault, shelf::Engine},
    schemes::Campaign,
    urn::Urn,
    vault::HouseKeys,
};

/// The ledgers in one directory, locked for this process.
pub struct LocalEngine {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    urn: Arc<Urn<Case>>,
    clock: Clock,
    config: Config,
    /// Held until the end, so that no second process writes here.
    _lock: File,
}

impl LocalEngine {
    /// Creates the directory if it is missing, and locks it for this process.
    ///
    /// # Errors
    /// [`OpenFault::InUse`] if another process has locked it.
    pub fn take(
        directory: &Path,
        keys: Arc<HouseKeys>,
        urn: Arc<Urn<Case>>,
        clock: Clock,
        config: Config,
    ) -> Result<Self, OpenFault> {
        let lock = take_directory(directory)?;
        let directory = directory.to_owned();
        Ok(Self { directory, keys, urn, clock, config, _lock: lock })
    }
}

impl Engine for LocalEngine {
    fn open(&self, campaign: Campaign) -> Result<Arc<dyn Ledger>, OpenFault> {
        let (keys, urn) = (Arc::clone(&self.keys), Arc::clone(&self.urn));
        let clock = self.clock.clone();
        let ledger = LocalLedger::open(&self.directory, campaign, keys, urn, clock, self.config)?;
        Ok(Arc::new(ledger))
    }

    fn holds(&self, campaign: Campaign) -> bool {
        file_of(&self.directory, campaign).exists()
    }
}
