//! The collector of traces: where it is, and handing it spans over HTTP.
//!
//! As with identity providers, no redirect is followed and no proxy of the environment is used.

use std::{
    convert::Infallible, fmt, future::pending, io, path::Path, pin::pin, str::FromStr,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1,
    header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::otlp;
use crate::trusted_roots::{RootsFault, client_tls};

/// Where a collector takes spans, below its endpoint.
const PATH: &str = "/v1/traces";
/// Time for one batch: name, connection, TLS, answer.
pub(super) const SEND_MAX: Duration = Duration::from_secs(3);
/// Bytes of an answer: it only says how many spans were not taken.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Size of the head of an answer, bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The base URL of a collector, such as `http://127.0.0.1:4318`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    /// As its certificate has to name it; `None` for plain HTTP.
    certified: Option<ServerName<'static>>,
    authority: String,
    /// The whole path, ours included.
    path: String,
}

/// It is not an http or https URL with a host, or it has a user, a query or a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an http or https URL")]
pub struct NoEndpoint;

impl FromStr for Endpoint {
    type Err = NoEndpoint;

    fn from_str(text: &str) -> Result<Self, NoEndpoint> {
        let uri: Uri = text.parse().map_err(|_| NoEndpoint)?;
        let authority = uri.authority().ok_or(NoEndpoint)?;
        let (is_tls, usual_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(NoEndpoint),
        };
        if authority.as_str().contains('@') || text.contains(['?', '#']) {
            return Err(NoEndpoint);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| NoEndpoint)?;
        Ok(Self {
            port: authority.port_u16().unwrap_or(usual_port),
            certified: is_tls.then_some(name),
            authority: authority.as_str().to_owned(),
            path: format!("{}{PATH}", uri.path().trim_end_matches('/')),
            host,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.certified.is_some() { "https" } else { "http" };
        write!(formatter, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// Why a collector has not taken spans.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendFault {
    #[error("no whole answer within {} ms", SEND_MAX.as_millis())]
    TooSlow,
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("the answer has the status {0}")]
    Status(StatusCode),
    #[error("the answer broke off: {0}")]
    Body(String),
    #[error("the request cannot be made: {0}")]
    Request(#[from] hyper::http::Error),
}

/// A collector, and how it is reached.
pub(super) struct Collector {
    pub(super) endpoint: Endpoint,
    /// Of an https endpoint.
    tls: Option<TlsConnector>,
}

impl Collector {
    /// Its certificate is checked against the PEM file `ca` or else against the system's.
    pub(super) fn at(endpoint: Endpoint, ca: Option<&Path>) -> Result<Self, RootsFault> {
        let tls = match endpoint.certified {
            Some(_) => Some(TlsConnector::from(client_tls("traces.ca", ca)?)),
            None => None,
        };
        Ok(Self { endpoint, tls })
    }

    /// Hands it spans, on a connection of its own; returns how many it says it has not taken.
    pub(super) async fn take(&self, spans: Vec<u8>) -> Result<u64, SendFault> {
        timeout(SEND_MAX, self.send(spans.into())).await.unwrap_or(Err(SendFault::TooSlow))
    }

    async fn send(&self, spans: Bytes) -> Result<u64, SendFault> {
        let Endpoint { host, port, certified, .. } = &self.endpoint;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        match certified.clone().zip(self.tls.as_ref()) {
            Some((name, tls)) => self.exchange(tls.connect(name, stream).await?, spans).await,
            None => self.exchange(stream, spans).await,
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        spans: Bytes,
    ) -> Result<u64, SendFault> {
        let request = Request::post(self.endpoint.path.as_str())
            .header(HOST, self.endpoint.authority.as_str())
            .header(USER_AGENT, concat!("sportello/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(CONNECTION, "close")
            .body(Full::new(spans))?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await?;
        let exchanged = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|fault| SendFault::Body(fault.to_string()))?.to_bytes();
            if head.status.is_success() {
                Ok(otlp::rejected(&body))
            } else {
                Err(SendFault::Status(head.status))
            }
        };
        // An answer may be read to its end after the connection has ended.
        let driven = async {
            let _ended = connection.await;
            pending::<Infallible>().await
        };
        tokio::select! {
            exchanged = exchanged => exchanged,
            never = pin!(driven) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_the_base_of_the_path_for_spans() {
        for (text, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example.it/otlp/", "https://collector.example.it/otlp/v1/traces"),
            ("https://[::1]:4318", "https://[::1]:4318/v1/traces"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), expected);
        }
        for wrong in [
            "",
            "127.0.0.1:4318",
            "grpc://127.0.0.1:4317",
            "http://",
            "http://user@host",
            "http://host?x",
            "http://host/#x",
            "http://a b",
        ] {
            assert_eq!(wrong.parse::<Endpoint>(), Err(NoEndpoint), "{wrong}");
        }
    }
}
