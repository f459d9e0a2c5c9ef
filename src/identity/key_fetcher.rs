//! The thread that fetches keys from URLs: one task an issuer, so that one that hangs holds up no other.

use std::{
    io,
    path::Path,
    thread::{self, JoinHandle},
};

use futures_util::future::join_all;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use super::{fetch::Client, remote_keys::Pace, token::Verifier};
use crate::trusted_roots::RootsFault;

/// Why keys cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetcherFault {
    /// No certificate of an issuer can be checked.
    #[error(transparent)]
    Roots(#[from] RootsFault),
    /// The system gave no thread or runtime.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// The running thread.
pub struct KeyFetcher {
    stopping: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl KeyFetcher {
    /// Starts to fetch for the issuers of `verifier` with keys at URLs, whose certificates are checked against the PEM
    /// file `ca` or else against the system's.
    ///
    /// Waits for the first try of those without keys, [`Pace::fetch_max`] at most: who enters first should not be refused for
    /// that. If it fails, the log and the metrics say so, and the others go on.
    ///
    /// # Errors
    /// [`FetcherFault`].
    pub fn start(verifier: &Verifier, ca: Option<&Path>, pace: Pace) -> Result<Self, FetcherFault> {
        let stopping = CancellationToken::new();
        let remotes = verifier.remotes().count();
        if remotes == 0 {
            return Ok(Self { stopping, thread: None });
        }
        let client = Client::trusting(ca, pace.fetch_max)?;
        // Names are looked up on blocking threads.
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().max_blocking_threads(remotes).build()?;
        let first = runtime.block_on(join_all(verifier.remotes().map(async |remote| {
            if remote.current().is_empty() { Some(remote.renew(&client).await) } else { None }
        })));
        let (verifier, stopped) = (verifier.clone(), stopping.clone());
        let thread = thread::Builder::new().name("identity-keys".to_owned()).spawn(move || {
            let due = verifier.remotes().zip(first);
            let kept = join_all(due.map(|(remote, first)| remote.keep(&client, &pace, first)));
            runtime.block_on(async {
                tokio::select! {
                    _never = kept => {}
                    () = stopped.cancelled() => {}
                }
            });
            // A look-up of a name cannot be interrupted and may take long.
            runtime.shutdown_background();
        })?;
        Ok(Self { stopping, thread: Some(thread) })
    }

    /// Ends the thread, also while it fetches.
    pub fn stop(self) {
        self.stopping.cancel();
        if let Some(thread) = self.thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that fetches the keys of issuers panicked and has ended");
        }
    }
}
