//! The canary's wiring: its issuer among those that are trusted, and its way to the public listener.

use std::{net::SocketAddr, sync::Arc};

use super::StartFault;
use crate::{
    config::Settings,
    http::live_certificate::LiveCertificate,
    identity::{canary::CanaryIssuer, token::Verifier},
    intake::Intake,
    operator::canary::{Canary, Parts, own_address},
};

/// The verifier, and who signs for the canary unless it is switched off.
pub(super) fn trusted_by(
    verifier: Verifier,
    settings: &Settings,
) -> Result<(Verifier, Option<Arc<CanaryIssuer>>), StartFault> {
    if settings.canary_every().is_none() {
        return Ok((verifier, None));
    }
    let issuer = Arc::new(CanaryIssuer::new()?);
    Ok((verifier.with_canary(&issuer), Some(issuer)))
}

/// The canary that comes to the `public` listener, or by the way that the settings name.
pub(super) fn open(
    settings: &Settings,
    issuer: Option<Arc<CanaryIssuer>>,
    intake: &Arc<Intake>,
    certificate: &Arc<LiveCertificate>,
    public: SocketAddr,
) -> Result<Option<Canary>, StartFault> {
    let (Some(issuer), Some(every)) = (issuer, settings.canary_every()) else { return Ok(None) };
    let (named, own) = (settings.canary_address(), own_address(public));
    let is_proxied = named.is_none() && settings.proxies().passing.contain(own.ip());
    let (certificate, intake) = (Arc::clone(certificate), Arc::clone(intake));
    let address = named.unwrap_or(own);
    Ok(Some(Canary::new(Parts { every, address, is_proxied, certificate, issuer, intake })?))
}
