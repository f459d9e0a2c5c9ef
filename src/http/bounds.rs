//! The bounds of connections, and what all runtimes share to keep them.

use std::{net::IpAddr, sync::Arc};

use rustls::ServerConfig;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    handshakes::Handshakes,
    holders::{Holders, Place},
};
use crate::{
    gate::{
        network::{Networks, client_of},
        pressure::Class,
    },
    metrics as list,
};

/// Connections of proxies whose client is not named yet. They are open besides `connections_max`.
const UNNAMED_MAX: usize = 512;

/// The bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Open connections, over all runtimes.
    pub connections_max: usize,
    /// Share of them that one client may hold, percent.
    pub client_share_percent: usize,
    /// TLS handshakes under way, over all runtimes.
    pub handshakes_max: usize,
    /// TLS handshakes under way of one client.
    pub client_handshakes_max: usize,
    /// Whether loopback addresses have no bounds of their own, for a demo.
    pub loopback_is_free: bool,
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
    pub(super) tls: Arc<ServerConfig>,
    pub(super) handshakes: Arc<Handshakes>,
    pub(super) draining: CancellationToken,
    pub(super) proxies: Arc<Networks>,
    /// Permits for connections of proxies whose client is not named yet.
    pub(super) unnamed: Arc<Semaphore>,
    holders: Arc<Holders>,
}

/// The client of a connection, and the place of that connection.
pub(super) struct Client {
    pub(super) address: IpAddr,
    pub(super) place: Place,
}

impl Shared {
    /// No connection is open yet. Connections from `proxies` begin with a PROXY header.
    #[must_use]
    pub fn new(
        config: Config,
        proxies: Networks,
        tls: Arc<ServerConfig>,
        draining: CancellationToken,
    ) -> Self {
        let holders = Holders::new(config.connections_max, config.client_share_percent);
        let handshakes = Handshakes::new(config.handshakes_max, config.client_handshakes_max);
        Self {
            config,
            tls,
            handshakes: Arc::new(handshakes),
            draining,
            holders: Arc::new(holders),
            proxies: Arc::new(proxies),
            unnamed: Arc::new(Semaphore::new(UNNAMED_MAX)),
        }
    }

    /// Cancelled when the server stops.
    #[must_use]
    pub fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// The place of a new connection; `None` if there is no room.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Client> {
        let is_limited = self.is_limited(address);
        match self.holders.admit(client_of(address), is_limited, &self.draining) {
            Some(place) => Some(Client { address, place }),
            None => shed("connections"),
        }
    }

    /// Whether the connections and handshakes of an address are bounded.
    pub(super) fn is_limited(&self, address: IpAddr) -> bool {
        !(self.config.loopback_is_free && address.to_canonical().is_loopback())
    }
}

/// Counts a connection that is closed before it is served.
pub(super) fn shed<T>(reason: &'static str) -> Option<T> {
    list::SHED.counter(&[Class::Enter.as_str(), reason]).increment(1);
    None
}
