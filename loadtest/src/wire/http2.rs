//! Pool of HTTP/2 connections: many concurrent exchanges, each on its own stream.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::connection::{DialFault, Dialer, Driver};

/// Most concurrent exchanges on a connection; below the 100 streams that servers commonly allow.
pub const STREAMS_MAX: usize = 64;

struct Shared {
    sender: SendRequest<Full<Bytes>>,
    _driver: Driver,
}

/// A fixed number of connections, each opened when first needed and reopened when it was closed.
pub struct Pool {
    dialer: Dialer,
    permits: Arc<Semaphore>,
    // An async mutex for each connection: exchanges wait for the one handshake instead of starting a second. Otherwise
    // held for a clone only.
    slots: Vec<Mutex<Option<Shared>>>,
    turn: AtomicUsize,
}

/// A stream of a shared connection, for one exchange.
///
/// A cancelled exchange resets its stream; stream ids are never reused, so the other exchanges are not affected.
pub struct Lease {
    /// Sends on the connection.
    pub sender: SendRequest<Full<Bytes>>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool of `connections` with [`STREAMS_MAX`] exchanges on each.
    #[must_use]
    pub fn new(dialer: Dialer, connections: usize) -> Arc<Self> {
        let slots = (0..connections).map(|_| Mutex::new(None)).collect();
        let permits = Arc::new(Semaphore::new(connections * STREAMS_MAX));
        Arc::new(Self { dialer, permits, slots, turn: AtomicUsize::new(0) })
    }

    /// Leases a stream on the next connection, round robin; waits while all streams are in use.
    ///
    /// # Errors
    ///
    /// When the connection must be opened and fails.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease, DialFault> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| DialFault::Tcp)?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        let mut slot = self.slots[turn].lock().await;
        if let Some(shared) = slot.as_ref().filter(|shared| !shared.sender.is_closed()) {
            return Ok(Lease { sender: shared.sender.clone(), _permit: permit });
        }
        let (sender, driver) = self.dialer.http2().await?;
        *slot = Some(Shared { sender: sender.clone(), _driver: driver });
        Ok(Lease { sender, _permit: permit })
    }

    /// True when all streams are in use, so that a lease would wait.
    pub fn is_full(&self) -> bool {
        self.permits.available_permits() == 0
    }
}
