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

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    task::spawn_local,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::task::TaskTracker;

pub use super::bounds::{Config, Shared};
use super::{arrival::Arrival, connection::Connection, request::Public};
use crate::{gate::admission::TICK, metrics as list};

/// Connections that the kernel queues until they are accepted.
/// Short, because who is in it longer than a client's patience costs a handshake for nothing.
const BACKLOG: i32 = 512;
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

fn bind_one(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves connections until the server drains and the last of them has ended.
///
/// # Errors
/// The system's error if the listener cannot be registered with this runtime.
pub async fn serve(listener: TcpListener, shared: Shared, public: Rc<Public>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = TaskTracker::new();
    let measuring = spawn_local(measure_delay(Rc::clone(&public)));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.draining.cancelled() => break,
            accepted = accept(&listener, &public) => accepted,
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
    drop(listener);
    connections.close();
    connections.wait().await;
    measuring.abort();
    Ok(())
}

/// Accepts a connection once there is CPU time for its handshake. Those that come meanwhile wait in the kernel's queue,
/// which costs nothing, and beyond it they try again.
async fn accept(
    listener: &tokio::net::TcpListener,
    public: &Public,
) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
    while !public.counter.intake.admission().strangers().may_accept() {
        let _working = public.delay.work();
        sleep(TICK).await;
    }
    listener.accept().await
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
