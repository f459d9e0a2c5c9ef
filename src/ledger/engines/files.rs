//! Everything in files of this machine.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::super::{
    Ledger,
    audit::{self, LocalTrail, MessageStore, Trail},
    drafts::Drafts,
    fault::OpenFault,
    journal::{Event, Journal, Node},
    local::{
        drafts::LocalDrafts, journal::LocalJournal, mandates::LocalMandates, rounds::LocalRounds,
    },
    mandates::Mandates,
    rounds::Rounds,
    shelf::Engine,
    stores::Stores,
};
use crate::{
    clock::Clock, identity::Office, registry::mandates::MandateFile, schemes::Campaign,
    vault::HouseKeys,
};

/// The files next to the ledgers of an engine, which holds the lock of their directory.
pub(in crate::ledger) struct InFiles<E> {
    pub(in crate::ledger) engine: E,
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    clock: Clock,
}

impl<E> InFiles<E> {
    pub(in crate::ledger) fn new(
        engine: E,
        directory: &Path,
        keys: Arc<HouseKeys>,
        clock: Clock,
    ) -> Self {
        Self { engine, directory: directory.to_owned(), keys, clock }
    }
}

impl<E: Engine> Engine for InFiles<E> {
    fn open(&self, campaign: Campaign) -> Result<Arc<dyn Ledger>, OpenFault> {
        self.engine.open(campaign)
    }

    fn holds(&self, campaign: Campaign) -> bool {
        self.engine.holds(campaign)
    }
}

impl<E: Engine> Stores for InFiles<E> {
    fn trail(&self, config: audit::Config) -> Result<Box<dyn Trail>, OpenFault> {
        let (keys, clock) = (Arc::clone(&self.keys), self.clock.clone());
        Ok(Box::new(LocalTrail::open(&self.directory, keys, clock, config)?))
    }

    fn messages(&self) -> Result<MessageStore, OpenFault> {
        MessageStore::open(&self.directory, Arc::clone(&self.keys), self.clock.clone())
    }

    fn drafts(&self) -> Result<Box<dyn Drafts>, OpenFault> {
        Ok(Box::new(LocalDrafts::open(&self.directory, Arc::clone(&self.keys))?))
    }

    fn mandates(
        &self,
        contact_centers: &[Office],
        registry: Option<MandateFile>,
    ) -> Result<Box<dyn Mandates>, OpenFault> {
        let own = (Arc::clone(&self.keys), contact_centers);
        Ok(Box::new(LocalMandates::open(&self.directory, own, registry)?))
    }

    fn rounds(&self) -> Result<Box<dyn Rounds>, OpenFault> {
        let keys = Arc::clone(&self.keys);
        Ok(Box::new(LocalRounds::open(&self.directory, keys, self.clock.real())?))
    }

    fn journal(
        &self,
        each: &mut dyn FnMut(Option<Node>, Event),
    ) -> Result<(Arc<dyn Journal>, Timestamp), OpenFault> {
        let (keys, clock) = (Arc::clone(&self.keys), self.clock.clone());
        let each = |event| each(None, event);
        let (journal, whole_until) = LocalJournal::open(&self.directory, keys, clock, each)?;
        Ok((Arc::new(journal), whole_until))
    }
}
