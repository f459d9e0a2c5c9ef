//! The trail as the intake sees it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::{super::house::House, search::Search, without_nul, writer::Writer};
use crate::{
    civic::FiscalCode,
    clock::Clock,
    ledger::{
        audit::{
            Action, Config, Line, Object, QueueFull, Recorder, SearchFault, Trail, Who, WriterState,
        },
        fault::{OpenFault, Untraced},
    },
    schemes::Campaign,
    trace::{Part, time},
    vault::{HouseKeys, Subject},
};

/// The trail in the database. One thread writes it. Dropping it closes it.
pub struct ReplicatedTrail {
    house: House,
    keys: Arc<HouseKeys>,
    state: Arc<WriterState>,
    recorder: Recorder,
}

impl ReplicatedTrail {
    /// Opens the trail of this node, and removes months that are too old.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        house: House,
        keys: Arc<HouseKeys>,
        clock: Clock,
        config: Config,
    ) -> Result<Self, OpenFault> {
        let state = Arc::new(WriterState::default());
        let (now, kept) = (clock.now(), config.months_kept);
        let writer = Writer::open(house.clone(), Arc::clone(&keys), now, kept, Arc::clone(&state))?;
        let wait_max = Some(house.wait_max());
        let recorder = Recorder::start((Arc::clone(&keys), clock), config, writer, wait_max)
            .map_err(|fault| OpenFault::Database { what: fault.to_string() })?;
        Ok(Self { house, keys, state, recorder })
    }
}

impl Trail for ReplicatedTrail {
    fn note<'a>(
        &'a self,
        action: Action,
        subject: Subject,
        who: Who<'a>,
        object: Object,
    ) -> BoxFuture<'a, Result<(), Untraced>> {
        Box::pin(async move {
            let noted = self.recorder.note(action, subject, who, object).await;
            noted.map_err(|_unwritten| Untraced)
        })
    }

    fn note_soon(
        &self,
        action: Action,
        subject: Subject,
        who: Who<'_>,
        object: Object,
    ) -> Result<(), QueueFull> {
        self.recorder.note_soon(action, subject, who, object)
    }

    fn control(&self, what: &str) {
        self.recorder.control(&without_nul(what));
    }

    fn done_to(
        &self,
        person: FiscalCode,
        campaigns: Vec<Campaign>,
    ) -> BoxFuture<'_, Result<Vec<Line>, SearchFault>> {
        let search = Search::of(self.house.clone(), Arc::clone(&self.keys), &person);
        Box::pin(async move {
            self.recorder.flush().await;
            let _reading = time(Part::Read);
            match spawn_blocking(move || search.done_to(campaigns.into_iter())).await {
                Ok(found) => found,
                Err(fault) => std::panic::resume_unwind(fault.into_panic()),
            }
        })
    }

    fn failed(&self) -> bool {
        self.recorder.failed()
    }

    fn close(&self) {
        self.state.close();
        self.recorder.close();
    }
}

impl Drop for ReplicatedTrail {
    fn drop(&mut self) {
        self.close();
    }
}
