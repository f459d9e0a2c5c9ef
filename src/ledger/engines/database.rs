//! The replicated database, and what is not in it yet in files of this machine.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;

use super::{
    super::{
        Ledger,
        audit::{self, MessageStore, Trail},
        drafts::Drafts,
        fault::OpenFault,
        journal::{Event, Journal},
        mandates::Mandates,
        replicated::{House, ReplicatedEngine},
        rounds::Rounds,
        shelf::Engine,
        stores::Stores,
    },
    files::InFiles,
};
use crate::{
    clock::Clock, identity::Office, registry::mandates::MandateFile, schemes::Campaign,
    vault::HouseKeys,
};

/// The database.
pub(in crate::ledger) struct InDatabase {
    house: House,
    files: InFiles<ReplicatedEngine>,
}

impl InDatabase {
    pub(in crate::ledger) fn new(
        engine: ReplicatedEngine,
        directory: &Path,
        keys: Arc<HouseKeys>,
        clock: Clock,
    ) -> Result<Self, OpenFault> {
        let house = engine.house()?;
        Ok(Self { house, files: InFiles::new(engine, directory, keys, clock) })
    }
}

impl Engine for InDatabase {
    fn open(&self, campaign: Campaign) -> Result<Arc<dyn Ledger>, OpenFault> {
        self.files.open(campaign)
    }

    fn holds(&self, campaign: Campaign) -> bool {
        self.files.holds(campaign)
    }
}

impl Stores for InDatabase {
    fn trail(&self, config: audit::Config) -> Result<Box<dyn Trail>, OpenFault> {
        self.files.trail(config)
    }

    fn messages(&self) -> Result<MessageStore, OpenFault> {
        self.files.messages()
    }

    fn drafts(&self) -> Result<Box<dyn Drafts>, OpenFault> {
        self.files.drafts()
    }

    fn mandates(
        &self,
        contact_centers: &[Office],
        registry: Option<MandateFile>,
    ) -> Result<Box<dyn Mandates>, OpenFault> {
        self.files.mandates(contact_centers, registry)
    }

    fn rounds(&self) -> Result<Box<dyn Rounds>, OpenFault> {
        self.files.rounds()
    }

    fn journal(
        &self,
        each: &mut dyn FnMut(Event),
    ) -> Result<(Arc<dyn Journal>, Timestamp), OpenFault> {
        self.files.journal(each)
    }
}
