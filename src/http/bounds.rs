//! The bounds of connections, and what all runtimes share to keep them.

use std::{net::IpAddr, sync::Arc};

use rustls::ServerConfig;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    handshakes::Handshakes,
    holders::{Holders, Place},
    metered::Door,
};
use crate::{
    gate::{
        admission::Entrance,
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
    /// At the listener for people inside: time from the handshake to the first request with a session, milliseconds.
    pub prove_ms_max: u64,
}

/// The proxies in front of the server.
#[derive(Clone, Debug)]
pub struct Proxies {
    /// They pass connections through, and each begins with a PROXY header.
    pub passing: Networks,
    /// They send the requests of many people over each of their connections. No bound by address applies to them.
    pub pooling: Networks,
}

/// What all runtimes share of one listener: a cheap handle.
#[derive(Clone)]
pub struct Shared {
    pub(super) config: Config,
    pub(super) entrance: Entrance,
    pub(super) tls: Arc<ServerConfig>,
    pub(super) handshakes: Arc<Handshakes>,
    pub(super) draining: CancellationToken,
    pub(super) proxies: Arc<Proxies>,
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
    /// No connection is open yet.
    #[must_use]
    pub fn new(
        config: Config,
        proxies: Proxies,
        tls: Arc<ServerConfig>,
        draining: CancellationToken,
    ) -> Self {
        let holders = Holders::new(config.connections_max, config.client_share_percent);
        let handshakes = Handshakes::new(config.handshakes_max, config.client_handshakes_max);
        Self {
            config,
            entrance: Entrance::Public,
            tls,
            handshakes: Arc::new(handshakes),
            draining,
            holders: Arc::new(holders),
            proxies: Arc::new(proxies),
            unnamed: Arc::new(Semaphore::new(UNNAMED_MAX)),
        }
    }

    /// The same for the listener of people inside: it has bounds of its own, so that strangers fill neither by filling
    /// the other.
    #[must_use]
    pub fn inside(&self, connections_max: usize) -> Self {
        let config = Config { connections_max, ..self.config };
        let proxies = Proxies::clone(&self.proxies);
        let shared = Self::new(config, proxies, Arc::clone(&self.tls), self.draining.clone());
        Self { entrance: Entrance::Inside, ..shared }
    }

    /// The same for the listener that requires client certificates. Both share all bounds: whoever fills them here would
    /// fill them there, too.
    #[must_use]
    pub fn with_tls(&self, tls: Arc<ServerConfig>) -> Self {
        Self { tls, ..self.clone() }
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
        let is_free = self.config.loopback_is_free && address.to_canonical().is_loopback();
        !is_free && !self.proxies.pooling.contain(address)
    }

    /// What a connection of an address came in by.
    pub(super) fn door(&self, address: IpAddr) -> Door {
        Door { entrance: self.entrance, is_shared: self.proxies.pooling.contain(address) }
    }
}

/// Counts a connection that is closed before it is served.
pub(super) fn shed<T>(reason: &'static str) -> Option<T> {
    list::SHED.counter(&[Class::Enter.as_str(), reason]).increment(1);
    None
}
