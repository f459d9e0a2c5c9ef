//! The ledgers of all campaigns, opened when their campaign opens.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{Ledger, fault::OpenFault};
use crate::schemes::Campaign;

/// What opens ledgers: one machine's files, or a replicated store.
pub trait Engine: Send + Sync {
    /// Opens the ledger of `campaign`, and creates it if there is none. May wait for the disk.
    ///
    /// # Errors
    /// [`OpenFault`].
    fn open(&self, campaign: Campaign) -> Result<Arc<dyn Ledger>, OpenFault>;

    /// Whether `campaign` has a ledger.
    fn holds(&self, campaign: Campaign) -> bool;

    /// Says that this process serves from now on, to whoever must not meddle meanwhile.
    ///
    /// # Errors
    /// [`OpenFault`] if somebody does.
    fn serve(&self) -> Result<(), OpenFault> {
        Ok(())
    }
}

/// The open ledgers. The lock guards only the map; a ledger is handed out as an `Arc`.
pub struct Shelf {
    engine: Box<dyn Engine>,
    ledgers: RwLock<BTreeMap<Campaign, Arc<dyn Ledger>>>,
}

impl Shelf {
    /// A shelf without open ledgers.
    #[must_use]
    pub fn new(engine: impl Engine + 'static) -> Self {
        Self::over(Box::new(engine))
    }

    /// A shelf without open ledgers over an engine that was chosen at run time.
    #[must_use]
    pub fn over(engine: Box<dyn Engine>) -> Self {
        Self { engine, ledgers: RwLock::default() }
    }

    /// Says that this process serves from now on, to whoever must not meddle meanwhile.
    ///
    /// # Errors
    /// [`OpenFault`] if somebody does.
    pub fn serve(&self) -> Result<(), OpenFault> {
        self.engine.serve()
    }

    /// Opens a campaign's ledger unless it is open. May wait for the disk.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(&self, campaign: Campaign) -> Result<(), OpenFault> {
        if self.get(campaign).is_some() {
            return Ok(());
        }
        // Opened before the map is locked, so that look-ups never wait for the disk. Only one thread opens ledgers, so
        // none is opened twice.
        let ledger = self.engine.open(campaign)?;
        let mut ledgers = self.ledgers.write().unwrap_or_else(PoisonError::into_inner);
        ledgers.insert(campaign, ledger);
        Ok(())
    }

    /// Whether the campaign has a ledger, open or not.
    #[must_use]
    pub fn holds(&self, campaign: Campaign) -> bool {
        self.engine.holds(campaign)
    }

    /// A campaign's ledger, if it is open.
    #[must_use]
    pub fn get(&self, campaign: Campaign) -> Option<Arc<dyn Ledger>> {
        let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
        ledgers.get(&campaign).map(Arc::clone)
    }

    /// Every open ledger.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<dyn Ledger>> {
        let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
        ledgers.values().map(Arc::clone).collect()
    }

    /// Closes every ledger; what was handed over is written first.
    pub fn close(&self) {
        self.all().iter().for_each(|ledger| ledger.close());
    }
}
