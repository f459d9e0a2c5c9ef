//! Whom to trust: the accepted authorities with their revocation lists, the offices' systems, and the check of a chain.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::{
    CertificateError, Error,
    pki_types::{CertificateDer, UnixTime},
    server::danger::ClientCertVerifier,
};

use super::policies::Policies;
use crate::civic::Office;

/// Certificates of issuers that a client may send. Real chains have one or two.
const ISSUERS_MAX: usize = 5;

/// Which certificates are accepted.
#[derive(Clone, Debug)]
pub struct Config {
    /// Certificates of the authorities, PEM.
    pub roots: PathBuf,
    /// Their revocation lists: a file, or a directory of files.
    pub revocation_lists: Option<PathBuf>,
    /// Which office each known system belongs to.
    pub offices: Option<PathBuf>,
    /// Policies of which a card must have one.
    pub policies: Policies,
    /// Accepts a certificate whose revocation no list decides, and lists that have expired.
    pub unknown_revocation_is_accepted: bool,
}

/// SHA-256 of a certificate.
pub(super) type Fingerprint = [u8; 32];

/// What the files say.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) chains: Arc<dyn ClientCertVerifier>,
    pub(super) offices: HashMap<Fingerprint, Office>,
}

/// Checks a chain: signatures, validity, purpose and revocation.
///
/// # Errors
/// Why it is refused.
pub(super) fn verify_chain(
    chains: &dyn ClientCertVerifier,
    own: &CertificateDer<'_>,
    issuers: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<(), Error> {
    if issuers.len() > ISSUERS_MAX {
        return Err(CertificateError::UnknownIssuer.into());
    }
    chains.verify_client_cert(own, issuers, now).map(|_| ())
}

/// The reason of a refusal in the metrics.
pub(super) fn reason(fault: &Error) -> &'static str {
    let Error::InvalidCertificate(fault) = fault else { return "malformed" };
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "not-valid-yet"
        }
        CertificateError::Revoked => "revoked",
        CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => "revocation-unknown",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "usage"
        }
        _ => "untrusted",
    }
}

/// The fingerprint of a certificate.
pub(super) fn fingerprint(certificate: &[u8]) -> Fingerprint {
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, certificate).as_ref());
    fingerprint
}
