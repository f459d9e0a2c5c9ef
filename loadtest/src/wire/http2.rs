//! Shared HTTP/2 connections: many exchanges at once, each a stream of its own.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::connection::{DialFault, Dialer, Driver};

/// Exchanges at once per connection; under the 100 streams that servers commonly allow.
pub const STREAMS_MAX: usize = 64;

struct Shared {
    sender: SendRequest<Full<Bytes>>,
    _driver: Driver,
}

/// So many connections, each opened when first needed and again when it was closed.
pub struct Pool {
    dialer: Dialer,
    permits: Arc<Semaphore>,
    // An async mutex per connection: whoever comes while it is opened waits for that one
    // handshake instead of starting a second. Otherwise held for a clone only.
    slots: Vec<Mutex<Option<Shared>>>,
    turn: AtomicUsize,
}

/// One stream's worth of a shared connection.
///
/// A cancelled exchange resets its stream; ids are never reused, so the others go on.
pub struct Lease {
    /// What sends on the connection.
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

    /// A stream on the next connection in turn; waits while all streams are in use.
    ///
    /// # Errors
    ///
    /// When the connection must be opened and does not come about.
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

    /// Whether all streams are in use, so that a lease would wait.
    pub fn is_full(&self) -> bool {
        self.permits.available_permits() == 0
    }
}
