//! TLS: the server's certificate, and for the demo a self-signed one.

use std::{fs, net::IpAddr, path::Path, sync::Arc};

use rustls::{
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    ServerConfig, SignatureAlgorithm, SupportedProtocolVersion,
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

pub use super::certificate_files::{Config, TlsFault};
use super::{certificate_files::file_fault, live_certificate::LiveCertificate};
use crate::{identity::certificate::Certificates, private_files::write_private};

/// The TLS configuration of a listener, and its certificate.
#[derive(Clone, Debug)]
pub struct Served {
    /// For each connection.
    pub config: Arc<ServerConfig>,
    /// Follows its files when it is told to look.
    pub certificate: Arc<LiveCertificate>,
}

/// Client certificates, and what the listener serves that requires them.
pub type WithCertificates = (Arc<Certificates>, Served);

/// The certificates of the server's listeners.
#[must_use]
pub fn certificates_of(public: &Served, cards: Option<&Served>) -> Vec<Arc<LiveCertificate>> {
    let served = [Some(public), cards].into_iter().flatten();
    served.map(|served| Arc::clone(&served.certificate)).collect()
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
    /// The public listener's TLS configuration: TLS 1.3, session resumption where it spares something.
    ///
    /// # Errors
    /// [`TlsFault`].
    pub fn server(&self) -> Result<Served, TlsFault> {
        let anybody = WebPkiClientVerifier::no_client_auth();
        let (mut server, certificate) = self.configured("public", &[&TLS13], anybody)?;
        server.send_tls13_tickets = tickets_of(certificate.current().key.algorithm());
        if server.send_tls13_tickets > 0 {
            server.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        }
        Ok(Served { config: Arc::new(server), certificate })
    }

    /// The TLS configuration of a listener that requires client certificates.
    ///
    /// Some cards cannot make the RSA-PSS signatures of TLS 1.3, so TLS 1.2 is allowed. No session is resumed: a ticket
    /// would let in a card that was revoked since.
    ///
    /// # Errors
    /// [`TlsFault`].
    pub fn server_with_certificates(
        &self,
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> Result<Served, TlsFault> {
        let (mut server, certificate) = self.configured("cards", &[&TLS13, &TLS12], verifier)?;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Served { config: Arc::new(server), certificate })
    }

    /// A configuration that prefers HTTP/2 over HTTP/1.1, and the certificate that it serves.
    fn configured(
        &self,
        name: &'static str,
        versions: &[&'static SupportedProtocolVersion],
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> Result<(ServerConfig, Arc<LiveCertificate>), TlsFault> {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        // SHA-256 first: SHA-384 has no CPU instruction and would take a fifth of a handshake.
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != TLS13_AES_128_GCM_SHA256);
        let provider = Arc::new(provider);
        let certificate = LiveCertificate::open(name, self.clone(), Arc::clone(&provider))?;
        let certificate = Arc::new(certificate);
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&certificate) as _);
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        server.ignore_client_order = true;
        Ok((server, certificate))
    }
}

/// Tickets sent after each handshake of TLS 1.3, where resumption spares a signature and no round trip.
///
/// A ticket costs every connection a seal and a write of its own. A visit keeps its one connection, so hardly any ticket
/// is used, and one that is used spares no more than that, unless the key is of RSA, whose signatures take most of a
/// handshake. One is enough then: it is used for one connection, which issues the next one.
fn tickets_of(key: SignatureAlgorithm) -> usize {
    usize::from(key == SignatureAlgorithm::RSA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_sent_only_where_it_spares_a_signature_that_is_dear() {
        let data = tempfile::tempdir().unwrap();
        let config = demo(data.path(), IpAddr::from([127, 0, 0, 1])).unwrap();
        assert_eq!(config.server().unwrap().config.send_tls13_tickets, 0);
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        fs::write(&config.key, key.serialize_pem()).unwrap();
        fs::write(&config.certificate, certificate.pem()).unwrap();
        assert_eq!(config.server().unwrap().config.send_tls13_tickets, 1);
    }

    #[test]
    fn a_certificate_ends_when_it_says_so() {
        let data = tempfile::tempdir().unwrap();
        let config = demo(data.path(), IpAddr::from([127, 0, 0, 1])).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2031, 5, 7);
        let own = params.self_signed(&key).unwrap().pem();
        // Only the first of the chain counts: the others end with their authorities.
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let issuer = params.self_signed(&key).unwrap().pem();
        fs::write(&config.key, key.serialize_pem()).unwrap();
        fs::write(&config.certificate, own + &issuer).unwrap();
        let end = "2031-05-07T00:00:00Z".parse().unwrap();
        assert_eq!(config.server().unwrap().certificate.ends_at(), Some(end));
        let anybody = WebPkiClientVerifier::no_client_auth();
        assert_eq!(
            config.server_with_certificates(anybody).unwrap().certificate.ends_at(),
            Some(end)
        );
    }
}
