//! TLS towards servers of others: whose certificates are trusted.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Why no certificate of another server can be checked. `setting` names the file with trusted certificates.
#[derive(Debug, thiserror::Error)]
pub enum RootsFault {
    /// The file cannot be read.
    #[error("{setting}: {source}")]
    File {
        /// The setting.
        setting: &'static str,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// The file has no certificate, or one that is none.
    #[error("{setting} has no certificates that can be used")]
    None {
        /// The setting.
        setting: &'static str,
    },
    /// The system has none.
    #[error(
        "this system has no trusted certificates: name a PEM file in {setting} ({})",
        .faults.join("; ")
    )]
    System {
        /// The setting.
        setting: &'static str,
        /// Why.
        faults: Vec<String>,
    },
    /// TLS refuses its configuration.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// TLS of a client that trusts the certificates in the PEM file `ca`, which `setting` names; without one, those of the
/// system.
///
/// # Errors
/// [`RootsFault`].
pub fn client_tls(
    setting: &'static str,
    ca: Option<&Path>,
) -> Result<Arc<ClientConfig>, RootsFault> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = ca {
        let file = |source| RootsFault::File { setting, source };
        for certificate in CertificateDer::pem_file_iter(ca).map_err(file)? {
            let certificate = certificate.map_err(file)?;
            roots.add(certificate).map_err(|_| RootsFault::None { setting })?;
        }
        if roots.is_empty() {
            return Err(RootsFault::None { setting });
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let faults = found.errors.iter().map(ToString::to_string).collect();
            return Err(RootsFault::System { setting, faults });
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(tls))
}
