//! Clients that trust the demo's certificate.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, ConfigBuilder, SupportedProtocolVersion,
    client::WantsClientCert,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// An HTTPS client whose requests have bodies of one kind.
pub(crate) type Https<B> = Client<HttpsConnector<HttpConnector>, B>;

/// A client that trusts the certificate in `data`.
pub(crate) fn client<B>(data: &Path, http2: bool) -> Https<B>
where
    B: hyper::body::Body<Data = Bytes> + Send,
{
    let connector =
        hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(trusting(data)).https_only();
    let connector =
        if http2 { connector.enable_http2().build() } else { connector.enable_http1().build() };
    Client::builder(TokioExecutor::new()).http2_only(http2).build(connector)
}

/// A client's TLS configuration that trusts the demo's certificate in this data directory.
pub(crate) fn trusting(data: &Path) -> rustls::ClientConfig {
    trusting_with(data, rustls::DEFAULT_VERSIONS).with_no_client_auth()
}

/// The same with these versions of TLS, before it is said which certificate the client has.
pub(crate) fn trusting_with(
    data: &Path,
    versions: &[&'static SupportedProtocolVersion],
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let certificate = CertificateDer::from_pem_file(data.join("demo-cert.pem"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}
