//! An HTTPS client that trusts the authority of the cluster.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client as Legacy, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

pub(crate) use crate::answer::Answer;

/// Longest time for an answer; a counter that waits for its database answers sooner.
const ANSWER_MAX: Duration = Duration::from_secs(8);

/// What a request has besides method and URL; each is left out if it is empty.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sent<'s> {
    pub(crate) token: &'s str,
    pub(crate) key: &'s str,
    pub(crate) body: &'s str,
}

pub(crate) struct Client(Legacy<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    /// Trusts the certificates that this one signed, PEM.
    pub(crate) fn trusting(authority: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls);
        let connector = connector.https_only().enable_http1().build();
        Self(Legacy::builder(TokioExecutor::new()).build(connector))
    }

    /// An error if there is no answer in time.
    pub(crate) async fn ask(
        &self,
        method: &str,
        url: &str,
        sent: Sent<'_>,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(url);
        if !sent.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", sent.token));
        }
        if !sent.key.is_empty() {
            request = request.header("idempotency-key", sent.key);
        }
        if !sent.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::from(sent.body.to_owned())).unwrap();
        let sending = async {
            let response = self.0.request(request).await.map_err(|fault| fault.to_string())?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|fault| fault.to_string())?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        let answered = tokio::time::timeout(ANSWER_MAX, sending).await;
        answered.map_err(|_| "no answer in time".to_owned())?
    }
}
