//! The bounds of connections, and what all runtimes share to keep them.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// The bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Open connections, over all runtimes.
    pub connections_max: usize,
    /// TLS handshakes under way, over all runtimes.
    pub handshakes_max: usize,
    /// Time for a handshake, milliseconds.
    pub handshake_ms_max: u64,
    /// Time for a request's head, and the longest time that an unused connection stays open, milliseconds.
    pub head_ms_max: u64,
    /// An HTTP/1.1 connection without a request for this long frees its buffers, milliseconds.
    pub rest_ms: u64,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// HTTP/2 requests under way on one connection.
    pub streams_max: u32,
    /// Time that the kernel waits for a client to acknowledge an answer, milliseconds.
    pub unsent_ms_max: u64,
}

/// What all runtimes share: a cheap handle.
#[derive(Clone)]
pub struct Shared {
    pub(super) config: Config,
    pub(super) tls: TlsAcceptor,
    pub(super) connections: Arc<Semaphore>,
    pub(super) handshakes: Arc<Semaphore>,
    pub(super) draining: CancellationToken,
}

impl Shared {
    /// No connection is open yet.
    #[must_use]
    pub fn new(config: Config, tls: Arc<ServerConfig>, draining: CancellationToken) -> Self {
        Self {
            config,
            tls: TlsAcceptor::from(tls),
            connections: Arc::new(Semaphore::new(config.connections_max)),
            handshakes: Arc::new(Semaphore::new(config.handshakes_max)),
            draining,
        }
    }

    /// Cancelled when the server stops.
    #[must_use]
    pub fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }
}
