//! The files of a certificate and its key.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{self, SHA256};
use jiff::Timestamp;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

/// Files of the certificate and its key.
#[derive(Clone, Debug)]
pub struct Config {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// Why TLS cannot be configured: the operator has to repair the files.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file does not contain what it should.
    #[error("{path} does not contain {wanted} in PEM format")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What it should contain.
        wanted: &'static str,
    },
    /// Certificate and key do not match, or are of a kind that is not supported.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The demo certificate cannot be made.
    #[error("the demo certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
}

impl Config {
    /// Reads both files.
    pub(super) fn read(&self) -> Result<Pem, TlsFault> {
        let read = |path: &Path| fs::read(path).map_err(|source| file_fault(path, source));
        Ok(Pem { chain: read(&self.certificate)?, key: read(&self.key)? })
    }
}

/// What the two files hold.
pub(super) struct Pem {
    chain: Vec<u8>,
    key: Vec<u8>,
}

impl Pem {
    /// Tells two states of the files apart.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&SHA256);
        // No PEM file holds the byte between them.
        for part in [self.chain.as_slice(), &[0], &self.key] {
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }

    /// The certificate chain and its key, which match. `files` are named in faults.
    pub(super) fn certified(
        &self,
        files: &Config,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, TlsFault> {
        let no_chain =
            || TlsFault::Pem { path: files.certificate.clone(), wanted: "a certificate" };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.chain).collect();
        let chain = chain.ok().filter(|chain| end_of(chain).is_some()).ok_or_else(no_chain)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| TlsFault::Pem { path: files.key.clone(), wanted: "a private key" })?;
        Ok(CertifiedKey::from_der(chain, key, provider)?)
    }
}

/// The last second at which the first certificate of a chain is valid: the others end with their authorities.
pub(super) fn end_of(chain: &[CertificateDer<'_>]) -> Option<Timestamp> {
    let (_, own) = X509Certificate::from_der(chain.first()?).ok()?;
    Timestamp::from_second(own.validity().not_after.timestamp()).ok()
}

pub(super) fn file_fault(path: &Path, source: io::Error) -> TlsFault {
    TlsFault::File { path: path.to_owned(), source }
}
