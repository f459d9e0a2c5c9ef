//! Pool of HTTP/1.1 connections: one exchange at a time on each, and none after an exchange that was cut short.

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

/// A bounded number of connections; idle ones are kept for the next exchange.
pub struct Pool {
    dialer: Dialer,
    // A permit is needed to use a connection, idle or new: permits bound both.
    permits: Arc<Semaphore>,
    // A stack, so that few connections are used at a low rate. Locked for a push or a pop only.
    idle: Mutex<Vec<Kept>>,
}

/// One connection for one exchange.
///
/// Returns the connection to the pool only through [`Lease::finish`], after the whole reply was read. When dropped
/// otherwise (cancelled future, fault) it closes the connection: a late reply must not reach another exchange.
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

    /// Leases an idle connection, or else a new one; waits in fair order while all are in use.
    ///
    /// # Errors
    ///
    /// When a new connection is needed and fails.
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

    /// True when all connections are in use, so that a lease would wait.
    pub fn is_full(&self) -> bool {
        self.permits.available_permits() == 0
    }
}

impl Lease {
    /// Sends on this connection.
    pub fn sender(&mut self) -> &mut SendRequest<Full<Bytes>> {
        &mut self.kept.sender
    }

    /// True when an earlier exchange used this connection: the server may just have closed it.
    #[must_use]
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Returns the connection to the pool; only after the whole reply was read.
    pub fn finish(self) {
        let Self { pool, kept, .. } = self;
        if !kept.sender.is_closed() {
            pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        }
    }
}
