//! Ctrl-C: stops offering, keeps what was measured, and lets whatever was started be cleaned up.

use std::sync::Arc;

use tokio::sync::watch;

use crate::live::Live;

/// Whether to stop; all clones are one.
#[derive(Clone, Debug)]
pub struct Stop {
    told: Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { told: Arc::new(watch::Sender::new(false)) }
    }
}

impl Stop {
    /// A stop that Ctrl-C (or a TERM signal) gives; a second one ends the process at once, unless it has something to
    /// clean up and is `patient`.
    ///
    /// # Errors
    ///
    /// When the system gives no thread or no signals; the run can do without.
    pub fn on_ctrl_c(patient: bool) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let stop = Self::default();
        let given = stop.clone();
        let office = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut interrupts, mut terms) = {
            let _inside = office.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            office.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupts.recv() => {}
                        _ = terms.recv() => {}
                    }
                    if given.is_given() && patient {
                        eprintln!("surge: cleaning up what was started, a moment");
                        continue;
                    }
                    if given.is_given() {
                        eprintln!("surge: told twice, ending at once");
                        std::process::exit(i32::from(EXIT_INTERRUPTED));
                    }
                    eprintln!(
                        "surge: stopping{}",
                        if patient { "" } else { "; again to end at once" }
                    );
                    given.give();
                }
            });
        })?;
        Ok(stop)
    }

    /// Stops.
    pub fn give(&self) {
        self.told.send_replace(true);
    }

    /// Whether it was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self.told.borrow()
    }

    /// Returns when it is given.
    pub async fn given(&self) {
        let mut told = self.told.subscribe();
        // The sender lives in `self`, so the wait ends only with the word.
        drop(told.wait_for(|given| *given).await);
    }
}

/// What a second Ctrl-C ends with, as a shell has it: 128 and the signal's number.
const EXIT_INTERRUPTED: u8 = 130;

/// How somebody outside a run sees and stops it.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Stops it.
    pub stop: Stop,
    /// Counts while it goes on.
    pub live: Arc<Live>,
}
