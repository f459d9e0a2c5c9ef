//! TLS settings: which certificates are trusted, and which key exchange is offered.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, kx_group},
        verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

/// Which certificates are trusted.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// Those in this PEM file, such as the demo's.
    Roots(&'a Path),
    /// Every certificate, when the server's is not at hand.
    Every,
}

/// Which key exchanges are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchange {
    /// What browsers offer: X25519MLKEM768 before X25519 and the NIST curves.
    PostQuantum,
    /// X25519 alone, to compare with a server that supports no post-quantum key exchange.
    Classical,
}

/// The TLS settings of every connection; the dialer adds the version of HTTP.
///
/// With `resume`, later connections resume the TLS session of earlier ones, as those of one browser do; connections of
/// different citizens cannot.
///
/// # Errors
///
/// A text for the user when the certificates cannot be read.
pub fn client_config(
    trust: Trust<'_>,
    resume: bool,
    key_exchange: KeyExchange,
) -> Result<ClientConfig, String> {
    let mut provider = aws_lc_rs::default_provider();
    if key_exchange == KeyExchange::Classical {
        provider.kx_groups = vec![kx_group::X25519];
    }
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("no usable TLS version: {error}"))?;
    let mut config = match trust {
        Trust::Roots(path) => builder.with_root_certificates(roots(path)?).with_no_client_auth(),
        Trust::Every => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptsEvery(provider)))
            .with_no_client_auth(),
    };
    if !resume {
        config.resumption = Resumption::disabled();
    }
    Ok(config)
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let fault = |what: &dyn std::fmt::Display| {
        format!(
            "cannot read the server's certificate from {}: {what}. Give --data DIR of the running \
             `sportello serve --demo`, --ca FILE.pem, or --insecure to trust every certificate",
            path.display()
        )
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| fault(&error))? {
        let certificate = certificate.map_err(|error| fault(&error))?;
        roots.add(certificate).map_err(|error| fault(&error))?;
    }
    if roots.is_empty() { Err(fault(&"the file holds no certificate")) } else { Ok(roots) }
}

/// Accepts every certificate, but checks that the peer holds its key.
#[derive(Debug)]
struct AcceptsEvery(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptsEvery {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
