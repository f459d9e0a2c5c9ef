//! What commands read of the trail and the messages of all nodes.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    super::{
        audit::{Archive, FoundMessages, Line, SearchFault},
        fault::OpenFault,
    },
    address::{Address, Config},
    campaign::start_runtime,
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
        let address = Address::read(config)
            .map_err(|faults| OpenFault::Database { what: faults.join("\n") })?;
        let (house, stop) = Self::opening(|links| House::open(address, links, 1, WAIT))?;
        Ok(Self { house, keys, _stop: stop })
    }

    /// For a command that only reads, whatever the settings of the primary; `None` if no server has written yet.
    ///
    /// # Errors
    /// [`OpenFault::Database`].
    pub(super) fn to_read(
        address: Address,
        keys: Arc<HouseKeys>,
    ) -> Result<Option<Self>, OpenFault> {
        let opened = Self::opening(|links| House::open_to_read(address, links, WAIT))?;
        Ok(opened.0.map(|house| Self { house, keys, _stop: opened.1 }))
    }

    /// Opens on a runtime of its own.
    fn opening<T: Send + 'static, F>(
        open: impl FnOnce(Handle) -> F,
    ) -> Result<(T, DropGuard), OpenFault>
    where
        F: Future<Output = Result<T, Setback>> + Send + 'static,
    {
        let database = |what| OpenFault::Database { what };
        let stop = CancellationToken::new();
        let runtime = start_runtime(stop.clone()).map_err(|fault| database(fault.to_string()))?;
        let (opened, answer) = crossbeam::channel::bounded(1);
        let opening = open(runtime.clone());
        runtime.spawn(async move {
            let _gone = opened.send(opening.await);
        });
        let ended = |_| Setback::Away("its runtime has ended".to_owned());
        let done = answer.recv().map_err(ended).flatten();
        Ok((done.map_err(|setback| database(setback.to_string()))?, stop.drop_guard()))
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
