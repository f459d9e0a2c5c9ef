//! Kept HTTP/1.1 connections: one exchange at a time, and none after an exchange that was cut short.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{DialFault, Dialer, Driver};

struct Kept {
    sender: SendRequest<Full<Bytes>>,
    _driver: Driver,
}

/// At most so many connections, the idle ones kept for the next exchange.
pub struct Pool {
    dialer: Dialer,
    // Whoever holds a permit may hold one connection, idle ones included: permits bound both.
    permits: Arc<Semaphore>,
    // A stack, so that at a low rate few connections stay warm. Held for a push or a pop only.
    idle: Mutex<Vec<Kept>>,
}

/// One connection for one exchange.
///
/// It goes back to the pool only through [`Lease::finish`], after the whole reply was read. Dropped
/// any other way (a cancelled future, a fault) it closes the connection: the reply still on its
/// way must reach nobody else.
pub struct Lease {
    pool: Arc<Pool>,
    kept: Kept,
    reused: bool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool of at most `connections_max`, opened as needed.
    #[must_use]
    pub fn new(dialer: Dialer, connections_max: usize) -> Arc<Self> {
        let idle = Mutex::new(Vec::with_capacity(connections_max));
        Arc::new(Self { dialer, permits: Arc::new(Semaphore::new(connections_max)), idle })
    }

    /// A connection of one's own: an idle one, else a new one; waits in turn while all are in use.
    ///
    /// # Errors
    ///
    /// When a new connection is needed and does not come about.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease, DialFault> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| DialFault::Tcp)?;
        while let Some(mut kept) = self.pop() {
            if kept.sender.ready().await.is_ok() {
                return Ok(Lease { pool: Arc::clone(self), kept, reused: true, _permit: permit });
            }
        }
        let (sender, driver) = self.dialer.http1().await?;
        let kept = Kept { sender, _driver: driver };
        Ok(Lease { pool: Arc::clone(self), kept, reused: false, _permit: permit })
    }

    fn pop(&self) -> Option<Kept> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Whether all connections are in use, so that a lease would wait.
    pub fn is_full(&self) -> bool {
        self.permits.available_permits() == 0
    }
}

impl Lease {
    /// What sends on this connection.
    pub fn sender(&mut self) -> &mut SendRequest<Full<Bytes>> {
        &mut self.kept.sender
    }

    /// Whether an earlier exchange used this connection, so that the server may just have closed it.
    #[must_use]
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Gives the connection back after its reply was read to the end.
    pub fn finish(self) {
        let Self { pool, kept, .. } = self;
        if !kept.sender.is_closed() {
            pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        }
    }
}
