//! The public listener: accepts connections within their bounds, on one single-threaded runtime per core.
//!
//! Each runtime has a listener of its own on the same port (`SO_REUSEPORT`); the kernel distributes connections over
//! them, and a connection never leaves its runtime.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};

use futures_util::future::try_join_all;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    task::spawn_local,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::task::TaskTracker;

pub use super::bounds::{Config, Proxies, Shared};
use super::{arrival::Arrival, connection::Connection, request::Public};
use crate::{
    gate::admission::{Entrance, TICK},
    metrics as list,
};

/// Connections that the kernel queues until they are accepted.
/// Short, because who is in it longer than a client's patience costs a handshake for nothing.
const BACKLOG: i32 = 512;
/// Connections that a runtime accepts in [`TICK`] at the listener for people inside, 800 a second: far more of them
/// reconnect in no second, and accepting and closing as many takes less than 1 % of a core.
const INSIDE_ACCEPTS_A_TICK: u32 = 4;
/// Pause after an accept that failed, for example because no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds one listener for each of `count` runtimes to the same port; port 0 takes a free one.
///
/// # Errors
/// The system's error, such as a port in use, also if another server of the same user would share it.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    // The kernel lets every process of a user share a port. The first socket does not share it, so it fails if another
    // one does.
    let first = bind_one(address, false)?;
    let taken = first.local_addr()?;
    if count == 1 {
        return Ok(vec![first]);
    }
    drop(first);
    (0..count).map(|_| bind_one(taken, true)).collect()
}

/// Prepares a socket that another process has bound, so that it is like one of [`bind`].
///
/// # Errors
/// The system's error.
pub fn adopt(listener: &TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    SockRef::from(listener).listen(BACKLOG)
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

/// Serves connections of these listeners until the server drains and the last of them has ended.
///
/// # Errors
/// The system's error if a listener cannot be registered with this runtime.
pub async fn serve(listeners: Vec<(TcpListener, Shared)>, public: Rc<Public>) -> io::Result<()> {
    let connections = TaskTracker::new();
    let measuring = spawn_local(measure_delay(Rc::clone(&public)));
    let serving = listeners.into_iter().map(|(listener, shared)| {
        accept_all(listener, shared, Rc::clone(&public), connections.clone())
    });
    try_join_all(serving).await?;
    connections.close();
    connections.wait().await;
    measuring.abort();
    Ok(())
}

/// Accepts connections until the server drains.
async fn accept_all(
    listener: TcpListener,
    shared: Shared,
    public: Rc<Public>,
    connections: TaskTracker,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut pace = Pace::default();
    loop {
        let accepting = async {
            pace.turn(shared.entrance, &public).await;
            listener.accept().await
        };
        let accepted = tokio::select! {
            biased;
            () = shared.draining.cancelled() => return Ok(()),
            accepted = accepting => accepted,
        };
        match accepted {
            Ok((mut stream, peer)) => {
                let Some(arrival) = Arrival::of(peer.ip(), &shared) else { continue };
                let (shared, public) = (shared.clone(), Rc::clone(&public));
                connections.spawn_local(async move {
                    let _counted = Counted::new();
                    // Boxed, so that a connection does not keep its memory.
                    let client = Box::pin(arrival.client(&mut stream, &shared)).await;
                    if let Some(client) = client {
                        Connection { client, shared, public }.serve(stream).await;
                    }
                });
            }
            Err(fault) => {
                tracing::warn!(%fault, "accepting a connection failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// How fast a listener accepts.
#[derive(Default)]
struct Pace {
    /// Connections since the latest pause.
    accepted: u32,
}

impl Pace {
    /// Waits until one more connection may be accepted. Those that come meanwhile wait in the kernel's queue, which
    /// costs nothing, and beyond it they try again.
    ///
    /// Strangers may come if there is CPU time for their handshake. People inside do not wait for that: they have a
    /// listener whose rate alone is bounded.
    async fn turn(&mut self, entrance: Entrance, public: &Public) {
        match entrance {
            Entrance::Public => {
                while !public.counter.intake.admission().strangers().may_accept() {
                    let _working = public.delay.work();
                    sleep(TICK).await;
                }
            }
            Entrance::Inside if self.accepted < INSIDE_ACCEPTS_A_TICK => self.accepted += 1,
            Entrance::Inside => {
                sleep(TICK).await;
                self.accepted = 1;
            }
        }
    }
}

/// Measures the event-loop delay while anything is under way, and steers the admission by it.
async fn measure_delay(public: Rc<Public>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if public.delay.is_idle() {
            public.delay.pause().await;
            ticks.reset();
        }
        ticks.tick().await;
        public.delay.tick();
        let intake = &public.counter.intake;
        intake.steer();
        intake.admission().strangers().call_next();
    }
}

/// Counts an open connection in the metrics.
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
