//! Authorities that issue cards, good ones and bad ones, and clients that hold them.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};
use rustls::{
    ClientConfig, HandshakeKind, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject as _},
};
use sportello::civic::FiscalCode;

use crate::{
    harness::{Answer, Counter, PATIENCE},
    trust::trusting_with,
};

/// The policy of a CNS.
pub(crate) const CNS: &[u64] = &[1, 3, 76, 16, 2, 1];
/// The policy of a CIE.
pub(crate) const CIE: &[u64] = &[1, 3, 76, 47, 4];

/// An authority, and the chain from it to below its root.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: CertificateDer<'static>,
    chain: Vec<CertificateDer<'static>>,
}

/// A certificate with its chain, and its key.
pub(crate) struct Card {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
    pub(crate) serial: SerialNumber,
}

impl Clone for Card {
    fn clone(&self) -> Self {
        let Self { chain, key, serial } = self;
        Self { chain: chain.clone(), key: key.clone_key(), serial: serial.clone() }
    }
}

/// An instant this many seconds from now.
macro_rules! in_seconds {
    ($seconds:expr) => {{
        let at = sportello::clock::Clock::system().real().as_second() + $seconds;
        rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(at.unsigned_abs())
    }};
}
pub(crate) use in_seconds;

pub(crate) const DAY: i64 = 24 * 60 * 60;

impl Authority {
    /// One that nobody has signed.
    pub(crate) fn root(name: &str) -> Self {
        let (params, key) = (authority(name), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), certificate, chain: Vec::new() }
    }

    /// One that this one has signed.
    pub(crate) fn below(&self, name: &str) -> Self {
        let (params, key) = (authority(name), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let chain = [vec![certificate.clone()], self.chain.clone()].concat();
        Self { issuer: Issuer::new(params, key), certificate, chain }
    }

    /// A certificate.
    pub(crate) fn issue(&self, params: &CertificateParams) -> Card {
        let key = KeyPair::generate().unwrap();
        let serial = params.serial_number.clone().unwrap();
        let own = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let chain = [vec![own], self.chain.clone()].concat();
        Card { chain, key: key.serialize_der().into(), serial }
    }

    /// A card of the n-th made-up person.
    pub(crate) fn card(&self, n: u64) -> Card {
        self.issue(&card(&FiscalCode::made_up(n)))
    }

    /// Its revocation list, which ends after this many seconds, PEM.
    pub(crate) fn revoking(&self, revoked: &[&Card], ends_in: i64) -> String {
        let revoked_certs = revoked.iter().map(|card| RevokedCertParams {
            serial_number: card.serial.clone(),
            revocation_time: in_seconds!(-DAY),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: in_seconds!(-2 * DAY),
            next_update: in_seconds!(ends_in),
            crl_number: SerialNumber::from(revoked.len() as u64),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// Its certificate, PEM.
    pub(crate) fn pem(&self) -> String {
        let text = STANDARD.encode(&self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The certificate of a good CNS.
pub(crate) fn card(code: &FiscalCode) -> CertificateParams {
    let mut params =
        named(&format!("{}/7430000000000007.oaXbA6fHhLk/3+pTAyQhEJ7VtqY=", code.as_str()));
    with_policy(&mut params, CNS);
    params
}

/// The certificate of a client with this common name, without a policy.
pub(crate) fn named(name: &str) -> CertificateParams {
    let mut serial = [0; 16];
    sportello::vault::fill_random(&mut serial);
    serial[0] = 1;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(serial.to_vec().into());
    params.not_before = in_seconds!(-DAY);
    params.not_after = in_seconds!(DAY);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// Sets the only policy of a certificate.
pub(crate) fn with_policy(params: &mut CertificateParams, policy: &[u64]) {
    let mut identifier = vec![u8::try_from(40 * policy[0] + policy[1]).unwrap()];
    for arc in &policy[2..] {
        let groups: Vec<u8> =
            (0..10).map(|at| u8::try_from(arc >> (7 * at) & 0x7f).unwrap()).collect();
        let last = groups.iter().rposition(|group| *group != 0).unwrap_or(0);
        identifier.extend(groups[1..=last].iter().rev().map(|group| group | 0x80));
        identifier.push(groups[0]);
    }
    let value = |tag: u8, content: Vec<u8>| {
        [vec![tag, u8::try_from(content.len()).unwrap()], content].concat()
    };
    let policies = value(0x30, value(0x30, value(6, identifier)));
    let extension = CustomExtension::from_oid_content(&[2, 5, 29, 32], policies);
    params.custom_extensions = vec![extension];
}

impl Card {
    /// A certificate that only its own key has signed.
    pub(crate) fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.self_signed(&key).unwrap().der().clone()];
        let serial = params.serial_number.clone().unwrap();
        Self { chain, key: key.serialize_der().into(), serial }
    }

    /// From the certificate and key that `mint` prints.
    pub(crate) fn from_pem(pem: &str) -> Self {
        let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        Self { chain, key, serial: SerialNumber::from(0) }
    }

    /// A connection to `address` on which this certificate is shown; an error if the server refuses it.
    pub(crate) async fn connect(
        &self,
        counter: &Counter,
        address: &str,
        version: &'static SupportedProtocolVersion,
    ) -> Result<Connection, String> {
        self.connect_by(&self.client(counter, version), address).await
    }

    /// A client that shows this certificate, and resumes its TLS sessions if it can.
    pub(crate) fn client(
        &self,
        counter: &Counter,
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ClientConfig> {
        let tls = trusting_with(&counter.data(), &[version]);
        let key = self.key.clone_key().into();
        Arc::new(tls.with_client_auth_cert(self.chain.clone(), key).unwrap())
    }

    /// A connection of this client.
    pub(crate) async fn connect_by(
        &self,
        client: &Arc<ClientConfig>,
        address: &str,
    ) -> Result<Connection, String> {
        Connection::open(address, Arc::clone(client)).await
    }
}

/// An HTTP/1.1 connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    pub(crate) version: rustls::ProtocolVersion,
    pub(crate) handshake: HandshakeKind,
    authority: String,
}

impl Connection {
    /// Without a certificate.
    pub(crate) async fn anonymous(
        counter: &Counter,
        address: &str,
        version: &'static SupportedProtocolVersion,
    ) -> Result<Self, String> {
        let tls = trusting_with(&counter.data(), &[version]).with_no_client_auth();
        Self::open(address, Arc::new(tls)).await
    }

    async fn open(address: &str, tls: Arc<ClientConfig>) -> Result<Self, String> {
        let opening = async {
            let tcp = tokio::net::TcpStream::connect(address).await.map_err(|it| it.to_string())?;
            let tls = tokio_rustls::TlsConnector::from(tls);
            let name = "localhost".try_into().unwrap();
            let stream = tls.connect(name, tcp).await.map_err(|fault| fault.to_string())?;
            let tls = stream.get_ref().1;
            let (version, kind) = (tls.protocol_version(), tls.handshake_kind());
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|fault| fault.to_string())?;
            tokio::spawn(connection);
            let mut open = Self {
                sender,
                version: version.unwrap(),
                handshake: kind.unwrap(),
                authority: address.to_owned(),
            };
            // In TLS 1.3 a server refuses a certificate after the client's handshake has ended.
            open.ask("GET", "/v1/status", &[], "").await?;
            Ok(open)
        };
        tokio::time::timeout(PATIENCE, opening).await.map_err(|_| "no answer".to_owned())?
    }

    /// Sends a request with these header fields.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, String> {
        let request = Request::builder().method(method).uri(path).header("host", &self.authority);
        let request =
            fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let response = self.sender.send_request(request).await.map_err(|fault| {
            let mut text = fault.to_string();
            let mut cause = std::error::Error::source(&fault);
            while let Some(fault) = cause {
                text = format!("{text}: {fault}");
                cause = fault.source();
            }
            text
        })?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|fault| fault.to_string())?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// Asks to enter with the certificate.
    pub(crate) async fn enter(&mut self, fields: &[(&str, &str)]) -> Answer {
        self.ask("PUT", &crate::harness::new_session(), fields, "").await.unwrap()
    }
}

/// The version that every client of today has.
pub(crate) const LATEST: &SupportedProtocolVersion = &rustls::version::TLS13;
/// The version before it.
pub(crate) const OLDER: &SupportedProtocolVersion = &rustls::version::TLS12;
