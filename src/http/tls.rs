//! TLS: the server's certificate, and for the demo a self-signed one.

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::private_files::write_private;

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

/// The demo's self-signed certificate in the directory `data`, made at the first start for the loopback names and
/// `address`.
///
/// # Errors
/// [`TlsFault`].
pub fn demo(data: &Path, address: IpAddr) -> Result<Config, TlsFault> {
    let config = Config { certificate: data.join("demo-cert.pem"), key: data.join("demo-key.pem") };
    if !config.certificate.exists() || !config.key.exists() {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        if !address.is_loopback() && !address.is_unspecified() {
            names.push(address.to_string());
        }
        let made = rcgen::generate_simple_self_signed(names)?;
        for (path, text) in [
            (&config.key, made.signing_key.serialize_pem()),
            (&config.certificate, made.cert.pem()),
        ] {
            // An interrupted start may have left one of the two.
            if path.exists() {
                fs::remove_file(path).map_err(|source| file_fault(path, source))?;
            }
            write_private(path, text.as_bytes()).map_err(|source| file_fault(path, source))?;
        }
    }
    Ok(config)
}

impl Config {
    /// The listener's TLS configuration: HTTP/2 preferred over HTTP/1.1, session resumption by tickets.
    ///
    /// # Errors
    /// [`TlsFault`].
    pub fn server(&self) -> Result<Arc<ServerConfig>, TlsFault> {
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|fault| pem_fault(&self.certificate, fault, "a certificate"))?;
        if chain.is_empty() {
            return Err(TlsFault::Pem { path: self.certificate.clone(), wanted: "a certificate" });
        }
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|fault| pem_fault(&self.key, fault, "a private key"))?;
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        // SHA-256 first: SHA-384 has no CPU instruction and would take a fifth of a handshake.
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != TLS13_AES_128_GCM_SHA256);
        let mut server = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        server.ignore_client_order = true;
        server.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        // One is enough: a ticket is used for one connection, which issues the next one.
        server.send_tls13_tickets = 1;
        Ok(Arc::new(server))
    }
}

fn file_fault(path: &Path, source: io::Error) -> TlsFault {
    TlsFault::File { path: path.to_owned(), source }
}

fn pem_fault(path: &Path, fault: rustls::pki_types::pem::Error, wanted: &'static str) -> TlsFault {
    match fault {
        rustls::pki_types::pem::Error::Io(source) => file_fault(path, source),
        _ => TlsFault::Pem { path: path.to_owned(), wanted },
    }
}
