//! What servers have in common before they start.

use std::path::Path;

use super::{Exit, complain};
use crate::{
    clock::Clock,
    config::{Flags, Origin, Settings, identity_keys_in},
    identity::{openid::RelyingParty, token::Verifier},
    log, server,
};

/// Reads the settings, starts the log, prepares the data directory, and does `work` with the settings and their origin.
pub(super) fn run(
    file: Option<&Path>,
    flags: Flags,
    work: impl FnOnce(&Settings, Origin) -> Result<(), String>,
) -> Exit {
    let environment: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let settings = match Settings::gather(file, environment.iter().cloned(), &flags) {
        Ok(settings) => settings,
        Err(faults) => {
            faults.0.iter().for_each(complain);
            return Exit::Usage;
        }
    };
    if let Err(fault) = log::start(settings.log_level(), settings.log_as_json()) {
        complain(fault);
        return Exit::Usage;
    }
    let prepared = server::prepare_data(&settings, flags.demo).map_err(|fault| fault.to_string());
    let done = prepared.and_then(|()| {
        let origin = Origin::new(file.map(Path::to_owned), environment.into_iter(), flags);
        work(&settings, origin)
    });
    match done {
        Ok(()) => Exit::Done,
        Err(fault) => {
            complain(fault);
            Exit::Usage
        }
    }
}

/// A verifier that trusts the issuers of the settings.
pub(super) fn trusted(settings: &Settings, clock: &Clock) -> Result<Verifier, String> {
    let cache = identity_keys_in(&settings.data());
    let opened = Verifier::open(settings.issuers(), &cache, clock);
    let verifier = opened.map_err(|fault| fault.to_string())?;
    Ok(verifier.lasting_at_most(settings.identity_seconds_max()))
}

/// What signs people in at the providers of the settings.
pub(super) fn relying(settings: &Settings) -> Result<RelyingParty, String> {
    let ca = settings.identity_ca();
    let opened = RelyingParty::open(settings.providers(), ca.as_deref());
    let opened = match settings.federation() {
        Some(federation) => opened.and_then(|relying| relying.in_federation(&federation)),
        None => opened,
    };
    opened.map_err(|fault| fault.to_string())
}
