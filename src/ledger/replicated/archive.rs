//! What commands read of the trail and the messages of all nodes.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    super::{
        audit::{Archive, FoundMessages, Line, SearchFault},
        fault::OpenFault,
    },
    address::{Address, Config},
    engine::start_runtime,
    fault::Setback,
    house::House,
    messages, trail,
};
use crate::{civic::FiscalCode, schemes::Campaign, vault::HouseKeys};

/// Time that a command waits for one answer of the database: whole tables are read.
const WAIT: Duration = Duration::from_mins(5);

/// The trail and the messages in the database, for commands; servers may be running.
pub struct ReplicatedArchive {
    house: House,
    keys: Arc<HouseKeys>,
    /// Ends the runtime of the links.
    _stop: DropGuard,
}

impl ReplicatedArchive {
    /// Finds the primary.
    ///
    /// # Errors
    /// [`OpenFault::Database`] with every fault of the settings, here and in the database.
    pub fn connect(config: &Config, keys: Arc<HouseKeys>) -> Result<Self, OpenFault> {
        let database = |what| OpenFault::Database { what };
        let address = Address::read(config).map_err(|faults| database(faults.join("\n")))?;
        let stop = CancellationToken::new();
        let runtime = start_runtime(stop.clone()).map_err(|fault| database(fault.to_string()))?;
        let (opened, answer) = crossbeam::channel::bounded(1);
        let links = runtime.clone();
        runtime.spawn(async move {
            let _gone = opened.send(House::open(address, links, 1, WAIT).await);
        });
        let ended = |_| Setback::Away("its runtime has ended".to_owned());
        let house = answer.recv().map_err(ended).flatten();
        let house = house.map_err(|setback| database(setback.to_string()))?;
        Ok(Self { house, keys, _stop: stop.drop_guard() })
    }

    fn search(&self, code: &FiscalCode) -> trail::Search {
        trail::Search::of(self.house.clone(), Arc::clone(&self.keys), code)
    }
}

impl Archive for ReplicatedArchive {
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
        trail::controls(&self.house)
    }

    fn messages_of_person(&self, code: &FiscalCode) -> Result<Vec<FoundMessages>, SearchFault> {
        messages::of_person(&self.house, &self.keys, code)
    }

    fn messages_of_session(&self, handle: &str) -> Result<Vec<FoundMessages>, SearchFault> {
        messages::of_session(&self.house, &self.keys, handle)
    }

    fn note_command(&self, now: Timestamp, what: &str) -> Result<(), OpenFault> {
        trail::note_command(&self.house, Arc::clone(&self.keys), now, what)
    }

    fn inspect(&self) -> Result<Vec<String>, SearchFault> {
        trail::inspect(&self.house, &self.keys)
    }
}
