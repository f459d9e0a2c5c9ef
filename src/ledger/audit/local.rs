//! The trail of this machine.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::{
    Trail,
    config::Config,
    event::{Action, Object, Who},
    found::{Line, SearchFault},
    pending::QueueFull,
    recorder::Recorder,
    search::Search,
    writer::Writer,
};
use crate::{
    civic::FiscalCode,
    clock::Clock,
    ledger::fault::{OpenFault, Untraced},
    schemes::Campaign,
    trace::{Part, time},
    vault::{HouseKeys, Subject},
};

/// The trail of this machine. One thread writes it. Dropping it closes it.
pub struct LocalTrail {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    recorder: Recorder,
}

impl LocalTrail {
    /// Opens the trail in the ledgers' directory, which must be locked for this process, and removes months that are
    /// too old.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        directory: &Path,
        keys: Arc<HouseKeys>,
        clock: Clock,
        config: Config,
    ) -> Result<Self, OpenFault> {
        let writer = Writer::open(directory, Arc::clone(&keys), clock.now(), config)?;
        let recorder = Recorder::start((Arc::clone(&keys), clock), config, writer, None)
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        Ok(Self { directory: directory.to_owned(), keys, recorder })
    }
}

impl Trail for LocalTrail {
    fn note<'a>(
        &'a self,
        action: Action,
        subject: Subject,
        who: Who<'a>,
        object: Object,
    ) -> BoxFuture<'a, Result<(), Untraced>> {
        Box::pin(async move {
            // The trail has failed for good, and the log is the record.
            if let Err(unwritten) = self.recorder.note(action, subject, who, object).await {
                unwritten.lost();
            }
            Ok(())
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
        self.recorder.control(what);
    }

    fn done_to(
        &self,
        person: FiscalCode,
        campaigns: Vec<Campaign>,
    ) -> BoxFuture<'_, Result<Vec<Line>, SearchFault>> {
        let search = Search::of(&self.directory, Arc::clone(&self.keys), &person);
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
        self.recorder.close();
    }
}
