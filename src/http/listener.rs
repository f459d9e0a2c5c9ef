//! The public listener: connections, TLS and HTTP within their bounds, one single-threaded runtime per core.
//!
//! Each runtime has a listener of its own on the same port (`SO_REUSEPORT`); the kernel spreads connections over them, and a
//! connection never leaves its runtime.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    sync::Semaphore,
    task::spawn_local,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{connection::Connection, request::Public};
use crate::{gate::pressure::BEAT, metrics as list};

/// Connections that the kernel may hold for us.
const BACKLOG: i32 = 4096;
/// After an accept that failed for want of a descriptor, memory or the like.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Connections open at a time, over all runtimes.
    pub connections_max: usize,
    /// TLS handshakes under way at a time, over all runtimes.
    pub handshakes_max: usize,
    /// Time for a handshake, milliseconds.
    pub handshake_ms_max: u64,
    /// Time for a request's head, and the longest an unused connection stays open, milliseconds.
    pub head_ms_max: u64,
    /// After how long without a request an HTTP/1.1 connection gives its buffers back, milliseconds.
    pub rest_ms: u64,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// HTTP/2 requests under way on one connection.
    pub streams_max: u32,
    /// Time that the kernel waits for a client to acknowledge an answer, milliseconds.
    pub unsent_ms_max: u64,
}

/// What all runtimes share.
#[derive(Clone)]
pub struct Shared {
    pub(super) config: Config,
    pub(super) tls: TlsAcceptor,
    connections: Arc<Semaphore>,
    pub(super) handshakes: Arc<Semaphore>,
    pub(super) draining: CancellationToken,
}

impl Shared {
    /// Nothing open yet.
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

    /// Cancelled when the server is to stop.
    #[must_use]
    pub fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }
}

/// Binds one listener for each of `count` runtimes to the same port; port 0 takes a free one.
///
/// # Errors
/// What the system says, such as a port in use: also one that another server of this user would share.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    // The kernel lets any process of one user join a shared port. This first one joins nobody, so it finds a stranger there.
    let first = bind_one(address, false)?;
    let taken = first.local_addr()?;
    if count == 1 {
        return Ok(vec![first]);
    }
    drop(first);
    (0..count).map(|_| bind_one(taken, true)).collect()
}

fn bind_one(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves connections until the server drains and the last of them is done.
///
/// # Errors
/// What the system says if the listener cannot join this runtime.
pub async fn serve(listener: TcpListener, shared: Shared, public: Rc<Public>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = TaskTracker::new();
    let beating = spawn_local(beat(Rc::clone(&public)));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.draining.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Past the bound a connection is closed before TLS: the cheapest refusal there is.
                let Ok(place) = Arc::clone(&shared.connections).try_acquire_owned() else {
                    list::SHED.counter(&["enter", "connections"]).increment(1);
                    continue;
                };
                let (shared, public) = (shared.clone(), Rc::clone(&public));
                let connection = Connection { from: peer.ip(), shared, public };
                connections.spawn_local(async move {
                    let _counted = (Counted::new(), place);
                    connection.serve(stream).await;
                });
            }
            Err(fault) => {
                tracing::warn!(%fault, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    beating.abort();
    Ok(())
}

/// Tells that the runtime goes round.
async fn beat(public: Rc<Public>) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        public.pulse.beat();
    }
}

/// Counts a connection while it lasts.
struct Counted(metrics::Gauge);

impl Counted {
    fn new() -> Self {
        let gauge = list::CONNECTIONS.gauge(&[]);
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
