//! The public listener: connections, TLS and HTTP within their bounds, one single-threaded runtime per core.
//!
//! Each runtime has a listener of its own on the same port (`SO_REUSEPORT`); the kernel spreads connections over them, and a
//! connection never leaves its runtime.

use std::{
    cell::Cell,
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::request::Public;
use crate::metrics as list;

/// Connections that the kernel may hold for us.
const BACKLOG: i32 = 4096;
/// HTTP/2 streams of one connection that a client may open and reset before we answer (CVE-2023-44487).
const RESET_STREAMS_MAX: usize = 20;
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
    config: Config,
    tls: TlsAcceptor,
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    draining: CancellationToken,
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
                connections.spawn_local(connection(stream, peer.ip(), place, shared, public));
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
    Ok(())
}

/// One connection from handshake to close. What goes wrong on it is its client's affair and no line in the log.
async fn connection(
    stream: TcpStream,
    from: IpAddr,
    _place: OwnedSemaphorePermit,
    shared: Shared,
    public: Rc<Public>,
) {
    let _counted = Counted::new();
    let unsent = Duration::from_millis(shared.config.unsent_ms_max);
    let prepared = stream
        .set_nodelay(true)
        .and_then(|()| socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(unsent)));
    if prepared.is_err() {
        return;
    }
    // Boxed, each: otherwise every connection keeps the room of the largest of handshake, HTTP/1.1 and HTTP/2.
    if let Some(mut stream) = Box::pin(handshake(stream, &shared)).await {
        // Nothing is laid out for a connection that says nothing.
        let within = Duration::from_millis(shared.config.head_ms_max);
        let first = shared.draining.run_until_cancelled(timeout(within, stream.fill_buf())).await;
        if !matches!(first, Some(Ok(Ok(_)))) {
            let _closed = timeout(within, stream.shutdown()).await;
            return;
        }
        let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let draining = shared.draining.clone();
        if two {
            Box::pin(serve_http2(stream, from, &shared.config, draining, public)).await;
        } else {
            Box::pin(serve_http1(stream, from, &shared.config, draining, public)).await;
        }
    }
}

async fn handshake(stream: TcpStream, shared: &Shared) -> Option<TlsStream<TcpStream>> {
    let within = Duration::from_millis(shared.config.handshake_ms_max);
    let shaking = async {
        // Whoever says nothing takes no turn from those who do.
        stream.readable().await.ok()?;
        let _turn = shared.handshakes.acquire().await.ok()?;
        shared.tls.accept(stream).await.ok()
    };
    timeout(within, shaking).await.ok()?
}

async fn serve_http1(
    stream: TlsStream<TcpStream>,
    from: IpAddr,
    config: &Config,
    draining: CancellationToken,
    public: Rc<Public>,
) {
    let service = service_fn(async |request| {
        Ok::<_, std::convert::Infallible>(public.answer(request, from).await)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.head_ms_max))
        .max_buf_size(config.head_bytes_max)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        _closed = serving.as_mut() => return,
        () = draining.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    let _closed = serving.await;
}

async fn serve_http2(
    stream: TlsStream<TcpStream>,
    from: IpAddr,
    config: &Config,
    draining: CancellationToken,
    public: Rc<Public>,
) {
    let activity = Rc::new(Activity::default());
    let seen = Rc::clone(&activity);
    let service = service_fn(move |request| {
        let (public, under_way) = (Rc::clone(&public), activity.begin());
        async move {
            let response = public.answer(request, from).await;
            drop(under_way);
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let head_bytes_max = u32::try_from(config.head_bytes_max).unwrap_or(u32::MAX);
    let idle = Duration::from_millis(config.head_ms_max);
    let serving = http2::Builder::new(Local)
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.streams_max)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_header_list_size(head_bytes_max)
        .keep_alive_interval(idle)
        .keep_alive_timeout(idle)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        _closed = serving.as_mut() => return,
        () = draining.cancelled() => serving.as_mut().graceful_shutdown(),
        () = seen.rest_for(idle) => serving.as_mut().graceful_shutdown(),
    }
    // A client that leaves answers unread does not keep the connection for ever.
    let _closed = timeout(idle, serving).await;
}

/// What goes on on an HTTP/2 connection, which has no head that could be waited for.
#[derive(Default)]
struct Activity {
    begun: Cell<u64>,
    under_way: Cell<u64>,
}

impl Activity {
    fn begin(self: &Rc<Self>) -> UnderWay {
        self.begun.set(self.begun.get() + 1);
        self.under_way.set(self.under_way.get() + 1);
        UnderWay(Rc::clone(self))
    }

    /// Waits until nothing was begun or under way for that long, or a little longer.
    async fn rest_for(&self, idle: Duration) {
        loop {
            let begun = self.begun.get();
            sleep(idle).await;
            if self.begun.get() == begun && self.under_way.get() == 0 {
                return;
            }
        }
    }
}

/// A request under way; dropping it ends it, also when its client is gone.
struct UnderWay(Rc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
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

/// Runs what hyper spawns on the runtime of its connection.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, work: F) {
        task::spawn_local(work);
    }
}
