//! A server that only decides: judges, the operator's side, and no public listener.

use std::{net::SocketAddr, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{
    StartFault, control, join, observe, open_intake, signals::Signals, single_threaded, sockets,
    spawn_operator,
};
use crate::{
    clock::Clock,
    config::{Origin, Settings},
    identity::{openid::RelyingParty, token::Verifier},
    judges::Judges,
    operator::Operator,
    upkeep::{self, Kept, LiveSettings, Upkeep},
};

/// Decides applications that other servers take, until SIGTERM, SIGINT or control stops it. Calls `ready` with the address of
/// the operator listener.
///
/// # Errors
/// [`StartFault`], before `ready` is called.
pub fn judge(
    settings: &Settings,
    (verifier, relying): (Verifier, RelyingParty),
    origin: Origin,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), StartFault> {
    let (exporter, _traces) = observe(settings)?;
    upkeep::warn(settings);
    let intake = open_intake(settings, Clock::system(), verifier.clone(), relying, None)?;
    let _watch = intake.watch_space()?;
    let live = Arc::new(LiveSettings::of(origin, settings));
    let (draining, stopped) = (CancellationToken::new(), CancellationToken::new());
    let (control, wishes) = control(settings, &intake, &live, &draining)?;
    let listener = sockets::bind_operator(settings)?;
    let address = listener.local_addr()?;
    let judges = Judges::start(settings.judges(), &intake.bench())?;
    let upkeep = Upkeep::start(Kept {
        intake: Arc::clone(&intake),
        verifier: verifier.clone(),
        settings: live,
        certificates: None,
        served: Vec::new(),
        exporter: exporter.clone(),
        key_source: settings.ledger_key(),
        data: settings.data(),
    })?;
    let operator = spawn_operator(listener, None, {
        let (intake, stopped) = (Arc::clone(&intake), stopped.clone());
        Operator { exporter, intake, certificates: Vec::new(), control, draining, stopped }
    })?;
    intake.note_control("judge: opened");
    let signals = Signals::install(single_threaded()?)?;
    ready(address);
    signals.wait_for_stop(&wishes, &upkeep, &verifier);
    judges.stop();
    upkeep.stop();
    intake.close("judge: closed");
    stopped.cancel();
    join([operator], "the operator's runtime");
    Ok(())
}
