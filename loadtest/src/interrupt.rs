//! Ctrl-C: stops a run early, keeps what was measured, and lets what was started be cleaned up.

use std::{io, sync::Arc};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{fault::Fault, live::Live, runtime::one_thread};

/// Exit code after a second Ctrl-C, as shells report it: 128 and the number of SIGINT.
const EXIT_INTERRUPTED: u8 = 130;

/// A request to stop; all clones share it.
#[derive(Clone, Debug)]
pub struct Stop {
    given: Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { given: Arc::new(watch::Sender::new(false)) }
    }
}

impl Stop {
    /// A stop given by SIGINT or SIGTERM; a second signal ends the process, unless it is `patient`.
    fn on_ctrl_c(patient: bool) -> io::Result<Self> {
        let stop = Self::default();
        let given = stop.clone();
        let runtime = one_thread()?;
        let (mut interrupts, mut terms) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupts.recv() => {}
                        _ = terms.recv() => {}
                    }
                    if given.is_given() && patient {
                        eprintln!("surge: still cleaning up, please wait");
                        continue;
                    }
                    if given.is_given() {
                        eprintln!("surge: second signal, ending at once");
                        std::process::exit(i32::from(EXIT_INTERRUPTED));
                    }
                    let hint = if patient { "" } else { "; press Ctrl-C again to end at once" };
                    eprintln!("surge: stopping{hint}");
                    given.give();
                }
            });
        })?;
        Ok(stop)
    }

    /// Stops the run.
    pub fn give(&self) {
        self.given.send_replace(true);
    }

    /// True once the stop was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self.given.borrow()
    }

    /// Returns once the stop was given.
    pub async fn given(&self) {
        let mut given = self.given.subscribe();
        // The sender lives in `self`, so the wait cannot end with a closed channel.
        drop(given.wait_for(|given| *given).await);
    }
}

/// Observes a run from outside and stops it.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Stops it.
    pub stop: Stop,
    /// Its counts so far.
    pub live: Arc<Live>,
}

impl Watch {
    /// A watch whose stop is given by SIGINT or SIGTERM.
    ///
    /// A second signal ends the process at once, unless the command is `patient`: it has something to clean up.
    ///
    /// # Errors
    ///
    /// When the system provides no thread or no signal handler.
    pub fn on_ctrl_c(patient: bool) -> Result<Self, Fault> {
        let stop = Stop::on_ctrl_c(patient);
        let cannot = |error| Fault::Needs(format!("cannot listen for Ctrl-C: {error}"));
        Ok(Self { stop: stop.map_err(cannot)?, ..Self::default() })
    }
}
