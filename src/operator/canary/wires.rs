//! The two connections that both synthetic people share: one of HTTP/2, on which they ask at the same time, and one of
//! HTTP/1.1, on which they take turns. Where replies of a shared connection are mixed up, it is seen here.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Request, Response, StatusCode, Version,
    body::Incoming,
    client::conn::{http1, http2},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, Error as TlsError,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    task::{JoinHandle, spawn_local},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    certificate,
    failure::{Failure, Reason},
};
use crate::http::live_certificate::LiveCertificate;

/// Bytes of an answer; those of the canary have a few thousand.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// The header of the PROXY protocol, version 2, with which a proxy speaks for itself.
const PROXY_LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// Where the canary connects.
pub(super) struct Target {
    address: SocketAddr,
    /// Whether the listener expects the header of a proxy from there.
    is_proxied: bool,
    certificate: Arc<LiveCertificate>,
    http1: TlsConnector,
    http2: TlsConnector,
}

impl Target {
    /// A server that serves this certificate.
    ///
    /// # Errors
    /// TLS refuses the configuration, which would be a bug of ours.
    pub(super) fn new(
        address: SocketAddr,
        is_proxied: bool,
        certificate: Arc<LiveCertificate>,
    ) -> Result<Self, TlsError> {
        let speaking = |protocol| {
            let config: Arc<ClientConfig> = certificate::trusting(&certificate, protocol)?;
            Ok::<_, TlsError>(TlsConnector::from(config))
        };
        let (http1, http2) = (speaking("http/1.1")?, speaking("h2")?);
        Ok(Self { address, is_proxied, certificate, http1, http2 })
    }

    async fn connect(&self, tls: &TlsConnector) -> Result<TlsStream<TcpStream>, Failure> {
        let silent = |fault: io::Error| Failure::new(Reason::NoAnswer, "connect", &fault.kind());
        let mut stream = TcpStream::connect(self.address).await.map_err(silent)?;
        stream.set_nodelay(true).map_err(silent)?;
        if self.is_proxied {
            stream.write_all(PROXY_LOCAL).await.map_err(silent)?;
        }
        let name = ServerName::IpAddress(self.address.ip().into());
        tls.connect(name, stream).await.map_err(|fault| {
            if certificate::is_other(&fault) {
                Failure::new(Reason::Certificate, "connect", &"not the certificate in force")
            } else {
                silent(fault)
            }
        })
    }
}

/// An answer, read whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What is asked, for both protocols.
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) token: String,
    /// Sent as JSON, unless it is empty.
    pub(super) body: Bytes,
    pub(super) idempotency_key: Option<String>,
}

/// The two connections, open.
pub(super) struct Wires {
    authority: String,
    /// Shown in both handshakes.
    certificate: Option<CertificateDer<'static>>,
    http1: http1::SendRequest<Full<Bytes>>,
    http2: http2::SendRequest<Full<Bytes>>,
    /// Nothing moves without them.
    _driven: [Driven; 2],
}

/// Moves the bytes of a connection until this is dropped.
struct Driven(JoinHandle<()>);

impl Driven {
    fn spawn(connection: impl Future<Output = hyper::Result<()>> + 'static) -> Self {
        // How it ended is seen by who asks.
        Self(spawn_local(async { _ = connection.await.is_ok() }))
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Wires {
    /// Opens both.
    ///
    /// # Errors
    /// [`Reason::NoAnswer`] or [`Reason::Certificate`].
    pub(super) async fn open(target: &Target) -> Result<Self, Failure> {
        let certificate = target.certificate.in_force();
        let stream = TokioIo::new(target.connect(&target.http2).await?);
        let shaken = http2::handshake(TokioExecutor::new(), stream).await;
        let (http2, connection) = shaken.map_err(|fault| silent("connect", &fault))?;
        let first = Driven::spawn(connection);
        let stream = TokioIo::new(target.connect(&target.http1).await?);
        let shaken = http1::handshake(stream).await;
        let (http1, connection) = shaken.map_err(|fault| silent("connect", &fault))?;
        let driven = [first, Driven::spawn(connection)];
        let authority = target.address.to_string();
        Ok(Self { authority, certificate, http1, http2, _driven: driven })
    }

    /// Whether both are open, and were opened under the certificate in force.
    pub(super) fn are_open(&self, target: &Target) -> bool {
        let is_closed = self.http1.is_closed() || self.http2.is_closed();
        !is_closed && self.certificate == target.certificate.in_force()
    }

    /// Asks over HTTP/2, where others may ask at the same time.
    ///
    /// # Errors
    /// [`Reason::NoAnswer`].
    pub(super) async fn at_once(&self, step: &'static str, ask: Ask) -> Result<Answer, Failure> {
        let mut http2 = self.http2.clone();
        http2.ready().await.map_err(|fault| silent(step, &fault))?;
        let request = self.request(step, ask, Version::HTTP_2)?;
        read(step, http2.send_request(request).await).await
    }

    /// Asks over HTTP/1.1, one after the other.
    ///
    /// # Errors
    /// [`Reason::NoAnswer`].
    pub(super) async fn in_turn(
        &mut self,
        step: &'static str,
        ask: Ask,
    ) -> Result<Answer, Failure> {
        self.http1.ready().await.map_err(|fault| silent(step, &fault))?;
        let request = self.request(step, ask, Version::HTTP_11)?;
        read(step, self.http1.send_request(request).await).await
    }

    fn request(
        &self,
        step: &'static str,
        ask: Ask,
        version: Version,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let Ask { method, path, token, body, idempotency_key } = ask;
        let authority = &self.authority;
        let uri =
            if version == Version::HTTP_2 { format!("https://{authority}{path}") } else { path };
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .version(version)
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(USER_AGENT, "sportello-canary");
        if version == Version::HTTP_11 {
            request = request.header(HOST, authority);
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let unwritable =
            |_| Failure::new(Reason::NoAnswer, step, &"a request that cannot be written");
        request.body(Full::new(body)).map_err(unwritable)
    }
}

/// Reads an answer whole.
async fn read(
    step: &'static str,
    response: hyper::Result<Response<Incoming>>,
) -> Result<Answer, Failure> {
    let (head, body) = response.map_err(|fault| silent(step, &fault))?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|_| Failure::new(Reason::NoAnswer, step, &"a broken answer"))?;
    Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
}

fn silent(step: &'static str, fault: &hyper::Error) -> Failure {
    Failure::new(Reason::NoAnswer, step, fault)
}
