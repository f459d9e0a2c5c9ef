//! Where a new connection comes from: its peer, or the client that a named proxy names.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::{net::TcpStream, sync::OwnedSemaphorePermit, time::timeout};

use super::{
    bounds::{Client, Shared, shed},
    proxy_protocol,
};

/// A connection that was just accepted.
pub(super) enum Arrival {
    /// Of a client.
    Direct(Client),
    /// Of a named proxy, which has to name the client before anything else.
    Proxied {
        /// The proxy.
        proxy: IpAddr,
        /// Bounds the connections whose client is not named yet.
        permit: OwnedSemaphorePermit,
    },
}

impl Arrival {
    /// A connection from `peer`; `None` if it has to be closed, the cheapest refusal.
    pub(super) fn of(peer: IpAddr, shared: &Shared) -> Option<Self> {
        if !shared.proxies.passing.contain(peer) {
            return shared.admit(peer).map(Self::Direct);
        }
        match Arc::clone(&shared.unnamed).try_acquire_owned() {
            Ok(permit) => Some(Self::Proxied { proxy: peer, permit }),
            Err(_) => shed("connections"),
        }
    }

    /// The client, once it is known; `None` if the connection has to be closed.
    pub(super) async fn client(self, stream: &mut TcpStream, shared: &Shared) -> Option<Client> {
        let (proxy, _permit) = match self {
            Self::Direct(client) => return Some(client),
            Self::Proxied { proxy, permit } => (proxy, permit),
        };
        let within = Duration::from_millis(shared.config.handshake_ms_max);
        let reading = timeout(within, proxy_protocol::read(stream));
        let named = shared.draining.run_until_cancelled(reading).await?.ok()?.ok()?;
        shared.admit(named.unwrap_or(proxy))
    }
}
