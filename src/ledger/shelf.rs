//! The ledgers of all campaigns, one file set each, opened when their campaign opens.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    Case, Config, Ledger,
    engine::OpenFault,
    engines::{files::take_directory, sqlite::file_of},
    keys::HouseKeys,
};
use crate::{clock::Clock, schemes::Campaign, urn::Urn};

/// The open ledgers. The lock guards the map alone; a ledger is handed out as an `Arc`.
pub struct Shelf {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    urn: Arc<Urn<Case>>,
    clock: Clock,
    config: Config,
    ledgers: RwLock<BTreeMap<Campaign, Arc<Ledger>>>,
    /// Held until the end, so that no second process writes here.
    _taken: File,
}

impl Shelf {
    /// Takes the directory for this process; no ledger is open yet.
    ///
    /// # Errors
    /// [`OpenFault::InUse`] when another process holds it.
    pub fn take(
        directory: &Path,
        keys: Arc<HouseKeys>,
        urn: Arc<Urn<Case>>,
        clock: Clock,
        config: Config,
    ) -> Result<Self, OpenFault> {
        let taken = take_directory(directory)?;
        let directory = directory.to_owned();
        Ok(Self { directory, keys, urn, clock, config, ledgers: RwLock::default(), _taken: taken })
    }

    /// Opens a campaign's ledger if it is not open, made if there is none. Waits for the disk.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(&self, campaign: Campaign) -> Result<(), OpenFault> {
        if self.get(campaign).is_some() {
            return Ok(());
        }
        // Opened before the map is locked, for look-ups must not wait for this disk. Only the thread that starts and watches
        // the server opens ledgers, so none is opened twice.
        let (keys, urn) = (Arc::clone(&self.keys), Arc::clone(&self.urn));
        let clock = self.clock.clone();
        let ledger = Ledger::open(&self.directory, campaign, keys, urn, clock, self.config)?;
        let mut ledgers = self.ledgers.write().unwrap_or_else(PoisonError::into_inner);
        ledgers.insert(campaign, Arc::new(ledger));
        Ok(())
    }

    /// Whether the campaign has a ledger on disk.
    #[must_use]
    pub fn holds(&self, campaign: Campaign) -> bool {
        file_of(&self.directory, campaign).exists()
    }

    /// A campaign's ledger, if it is open.
    #[must_use]
    pub fn get(&self, campaign: Campaign) -> Option<Arc<Ledger>> {
        let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
        ledgers.get(&campaign).map(Arc::clone)
    }

    /// Every open ledger.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Ledger>> {
        let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
        ledgers.values().map(Arc::clone).collect()
    }

    /// Closes every ledger: what was handed in is written first.
    pub fn close(&self) {
        self.all().iter().for_each(|ledger| ledger.close());
    }
}
