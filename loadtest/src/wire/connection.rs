//! TLS connections to the target, and the tasks that drive them.

use std::{io, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, NamedGroup, crypto::SupportedKxGroup};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::AbortHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::target::Target;

/// Most streams on a new HTTP/2 connection until the server's settings arrive.
const STREAMS_BEFORE_SETTINGS_MAX: usize = 8;

/// Opens connections to the target.
#[derive(Clone)]
pub struct Dialer {
    target: Arc<Target>,
    http1_tls: TlsConnector,
    http2_tls: TlsConnector,
}

/// Why a connection failed; a server at its limit may refuse here, before TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialFault {
    /// TCP failed.
    Tcp,
    /// The server closed the connection during the handshake.
    HungUp,
    /// The handshake failed: certificate or protocol not accepted.
    Tls,
}

/// Aborts a connection's task when dropped, which closes the connection.
#[derive(Debug)]
pub(super) struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Dialer {
    /// A dialer for `target` with the TLS settings of `config`, for both versions of HTTP.
    pub fn new(target: Arc<Target>, config: &ClientConfig) -> Self {
        let speaking = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Self { target, http1_tls: speaking(b"http/1.1"), http2_tls: speaking(b"h2") }
    }

    /// The server that connections go to.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    async fn stream(&self, tls: &TlsConnector) -> Result<TlsStream<TcpStream>, DialFault> {
        let tcp = TcpStream::connect(self.target.addr).await.map_err(|_| DialFault::Tcp)?;
        // Otherwise Nagle's algorithm delays the last segment until the server's delayed acknowledgement.
        tcp.set_nodelay(true).map_err(|_| DialFault::Tcp)?;
        let stream = tls.connect(self.target.server_name.clone(), tcp).await;
        stream.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => DialFault::Tls,
            _ => DialFault::HungUp,
        })
    }

    /// Makes a handshake and closes the connection; returns the negotiated key exchange.
    ///
    /// Waits until the server has closed too, so that all of its work is done.
    ///
    /// # Errors
    ///
    /// When the handshake fails.
    pub async fn handshake(&self) -> Result<Option<NamedGroup>, DialFault> {
        let mut stream = self.stream(&self.http1_tls).await?;
        let group = stream.get_ref().1.negotiated_key_exchange_group().map(SupportedKxGroup::name);
        stream.shutdown().await.map_err(|_| DialFault::HungUp)?;
        // The server sends nothing, and may close without close_notify: both end the read.
        drop(stream.read_u8().await);
        Ok(group)
    }

    pub(super) async fn http1(
        &self,
    ) -> Result<(http1::SendRequest<Full<Bytes>>, Driver), DialFault> {
        let stream = TokioIo::new(self.stream(&self.http1_tls).await?);
        let (sender, connection) = http1::handshake(stream).await.map_err(|_| DialFault::HungUp)?;
        let driver = tokio::spawn(async move {
            // An error of the connection also ends the exchange on it, which reports it.
            drop(connection.await);
        });
        Ok((sender, Driver(driver.abort_handle())))
    }

    /// Writes `bytes` over a new HTTP/1.1 connection and closes it without waiting for a reply.
    pub(super) async fn hang_up_after(&self, bytes: &[u8]) -> Result<(), DialFault> {
        let mut stream = self.stream(&self.http1_tls).await?;
        stream.write_all(bytes).await.map_err(|_| DialFault::HungUp)?;
        stream.flush().await.map_err(|_| DialFault::HungUp)
    }

    pub(super) async fn http2(
        &self,
    ) -> Result<(http2::SendRequest<Full<Bytes>>, Driver), DialFault> {
        let stream = TokioIo::new(self.stream(&self.http2_tls).await?);
        // The server would refuse streams beyond its own limit, which is unknown until its settings arrive.
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_max_send_streams(STREAMS_BEFORE_SETTINGS_MAX)
            .handshake(stream)
            .await
            .map_err(|_| DialFault::HungUp)?;
        let driver = tokio::spawn(async move {
            // As for HTTP/1.1: the exchanges on it report the error.
            drop(connection.await);
        });
        Ok((sender, Driver(driver.abort_handle())))
    }
}
