//! The signals that stop the server or make chores due, and the wishes of control that do the same.

use std::io;

use tokio::{
    runtime::LocalRuntime,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{identity::token::Verifier, operator::control::Wishes, upkeep::Upkeep};

/// The signals that an operator sends.
pub(super) struct Signals {
    runtime: LocalRuntime,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Hears them from now on: a signal without a handler ends the process at once.
    pub(super) fn install(runtime: LocalRuntime) -> io::Result<Self> {
        let signal = |kind| runtime.block_on(async { signal(kind) });
        let (terminate, interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let hang_up = signal(SignalKind::hangup())?;
        Ok(Self { runtime, terminate, interrupt, hang_up })
    }

    /// Waits for SIGTERM or SIGINT, or until control wishes to stop. SIGHUP, or a wish to reload, makes the chores on files
    /// due, and fetches of keys.
    pub(super) fn wait_for_stop(self, wishes: &Wishes, upkeep: &Upkeep, verifier: &Verifier) {
        let Self { runtime, mut terminate, mut interrupt, mut hang_up } = self;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => return,
                    _ = interrupt.recv() => return,
                    _ = hang_up.recv() => {}
                    () = wishes.reload.notified() => {}
                    () = wishes.stop.cancelled() => return,
                }
                upkeep.hurry();
                verifier.hurry();
            }
        });
    }
}
