//! The replicated database, and what is not in it yet in files of this machine.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;

use super::{
    super::{
        Ledger,
        audit::{self, MessageStore, Trail},
        drafts::Drafts,
        fault::OpenFault,
        journal::{Event, Journal, Node},
        mandates::Mandates,
        replicated::{
            House, ReplicatedDrafts, ReplicatedEngine, ReplicatedJournal, ReplicatedMandates,
            ReplicatedRounds, ReplicatedTrail, open_messages,
        },
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
    keys: Arc<HouseKeys>,
    clock: Clock,
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
        let own = (Arc::clone(&keys), clock.clone());
        Ok(Self { house, keys, clock, files: InFiles::new(engine, directory, own.0, own.1) })
    }
}

impl Engine for InDatabase {
    fn open(&self, campaign: Campaign) -> Result<Arc<dyn Ledger>, OpenFault> {
        self.files.open(campaign)
    }

    fn holds(&self, campaign: Campaign) -> bool {
        self.files.holds(campaign)
    }

    fn serve(&self) -> Result<(), OpenFault> {
        self.files.engine.serve()
    }
}

impl Stores for InDatabase {
    fn trail(&self, config: audit::Config) -> Result<Box<dyn Trail>, OpenFault> {
        let own = (Arc::clone(&self.keys), self.clock.clone());
        Ok(Box::new(ReplicatedTrail::open(self.house.clone(), own.0, own.1, config)?))
    }

    fn messages(&self) -> Result<MessageStore, OpenFault> {
        open_messages(self.house.clone(), Arc::clone(&self.keys), self.clock.clone())
    }

    fn drafts(&self) -> Result<Box<dyn Drafts>, OpenFault> {
        let keys = Arc::clone(&self.keys);
        Ok(Box::new(ReplicatedDrafts::new(self.house.clone(), keys)))
    }

    fn mandates(
        &self,
        contact_centers: &[Office],
        registry: Option<MandateFile>,
    ) -> Result<Box<dyn Mandates>, OpenFault> {
        let own = (Arc::clone(&self.keys), contact_centers);
        Ok(Box::new(ReplicatedMandates::open(self.house.clone(), own, registry)?))
    }

    fn rounds(&self) -> Result<Box<dyn Rounds>, OpenFault> {
        let (house, keys) = (self.house.clone(), Arc::clone(&self.keys));
        Ok(Box::new(ReplicatedRounds::open(house, keys, self.clock.real())?))
    }

    fn journal(
        &self,
        each: &mut dyn FnMut(Option<Node>, Event),
    ) -> Result<(Arc<dyn Journal>, Timestamp), OpenFault> {
        let (house, keys) = (self.house.clone(), Arc::clone(&self.keys));
        let clock = self.clock.clone();
        let (journal, whole_until) = ReplicatedJournal::open(house, keys, clock, each)?;
        Ok((Arc::new(journal), whole_until))
    }
}
