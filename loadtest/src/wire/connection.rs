//! TLS connections to the target, and the tasks that drive them.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, NamedGroup, crypto::SupportedKxGroup};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::AbortHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::target::Target;

/// Most streams on a new HTTP/2 connection until the server's settings arrive.
const STREAMS_BEFORE_SETTINGS_MAX: usize = 8;

/// Opens connections to the target.
#[derive(Clone)]
pub struct Dialer {
    target: Arc<Target>,
    /// Where further connections go instead, if the server has named an address for people inside. Shared by the clones
    /// that one citizen uses; locked for a look only.
    inside: Arc<Mutex<Option<Arc<Target>>>>,
    http1_tls: TlsConnector,
    http2_tls: TlsConnector,
    sources: Arc<Sources>,
    wait_max: Option<Duration>,
}

/// The addresses that connections come from, in turn.
#[derive(Default)]
struct Sources {
    addresses: Vec<Ipv4Addr>,
    next: AtomicUsize,
}

/// Why a connection failed; a server at its limit may refuse here, before TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialFault {
    /// TCP failed.
    Tcp,
    /// Neither refused nor established within the longest wait: the server does not get to it.
    NotReached,
    /// The server closed the connection during the handshake.
    HungUp,
    /// The handshake failed: certificate or protocol not accepted.
    Tls,
}

/// Aborts a connection's task when dropped, which closes the connection.
#[derive(Debug)]
pub(super) struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Dialer {
    /// A dialer for `target` with the TLS settings of `config`, for both versions of HTTP.
    pub fn new(target: Arc<Target>, config: &ClientConfig) -> Self {
        let speaking = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Self {
            target,
            inside: Arc::default(),
            http1_tls: speaking(b"http/1.1"),
            http2_tls: speaking(b"h2"),
            sources: Arc::default(),
            wait_max: None,
        }
    }

    /// The same, with connections from `addresses` in turn: one address has 28,000 ports.
    #[must_use]
    pub fn coming_from(mut self, addresses: Vec<Ipv4Addr>) -> Self {
        self.sources = Arc::new(Sources { addresses, ..Sources::default() });
        self
    }

    /// The same, with a longest wait for a connection and its handshake.
    #[must_use]
    pub fn waiting_at_most(mut self, wait_max: Option<Duration>) -> Self {
        self.wait_max = wait_max;
        self
    }

    /// The same for one citizen: where it connects to is changed for no other.
    #[must_use]
    pub fn of_one(&self) -> Self {
        Self { inside: Arc::default(), ..self.clone() }
    }

    /// Opens further connections to `inside`, or to the target again. Those that are open stay.
    pub fn reconnect_at(&self, inside: Option<Arc<Target>>) {
        *self.inside.lock().unwrap_or_else(PoisonError::into_inner) = inside;
    }

    fn next_target(&self) -> Arc<Target> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(inside.as_ref().unwrap_or(&self.target))
    }

    /// The server that connections go to at first.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    async fn stream(&self, tls: &TlsConnector) -> Result<TlsStream<TcpStream>, DialFault> {
        let Some(wait_max) = self.wait_max else { return self.opened(tls).await };
        timeout(wait_max, self.opened(tls)).await.unwrap_or(Err(DialFault::NotReached))
    }

    async fn opened(&self, tls: &TlsConnector) -> Result<TlsStream<TcpStream>, DialFault> {
        let target = self.next_target();
        let tcp = match self.sources.next() {
            Some(source) => connect_from(source, target.addr).await,
            None => TcpStream::connect(target.addr).await,
        };
        let tcp = tcp.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => DialFault::NotReached,
            _ => DialFault::Tcp,
        })?;
        // Otherwise Nagle's algorithm delays the last segment until the server's delayed acknowledgement.
        tcp.set_nodelay(true).map_err(|_| DialFault::Tcp)?;
        let stream = tls.connect(target.server_name.clone(), tcp).await;
        stream.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => DialFault::Tls,
            _ => DialFault::HungUp,
        })
    }

    /// Makes a handshake and closes the connection; returns the negotiated key exchange.
    ///
    /// Waits until the server has closed too, so that all of its work is done.
    ///
    /// # Errors
    ///
    /// When the handshake fails.
    pub async fn handshake(&self) -> Result<Option<NamedGroup>, DialFault> {
        let mut stream = self.stream(&self.http1_tls).await?;
        let group = stream.get_ref().1.negotiated_key_exchange_group().map(SupportedKxGroup::name);
        stream.shutdown().await.map_err(|_| DialFault::HungUp)?;
        // The server sends nothing, and may close without close_notify: both end the read.
        drop(stream.read_u8().await);
        Ok(group)
    }

    pub(super) async fn http1(
        &self,
    ) -> Result<(http1::SendRequest<Full<Bytes>>, Driver), DialFault> {
        let stream = TokioIo::new(self.stream(&self.http1_tls).await?);
        let (sender, connection) = http1::handshake(stream).await.map_err(|_| DialFault::HungUp)?;
        let driver = tokio::spawn(async move {
            // An error of the connection also ends the exchange on it, which reports it.
            drop(connection.await);
        });
        Ok((sender, Driver(driver.abort_handle())))
    }

    /// Writes `bytes` over a new HTTP/1.1 connection and closes it without waiting for a reply.
    pub(super) async fn hang_up_after(&self, bytes: &[u8]) -> Result<(), DialFault> {
        let mut stream = self.stream(&self.http1_tls).await?;
        stream.write_all(bytes).await.map_err(|_| DialFault::HungUp)?;
        stream.flush().await.map_err(|_| DialFault::HungUp)
    }

    pub(super) async fn http2(
        &self,
    ) -> Result<(http2::SendRequest<Full<Bytes>>, Driver), DialFault> {
        let stream = TokioIo::new(self.stream(&self.http2_tls).await?);
        // The server would refuse streams beyond its own limit, which is unknown until its settings arrive.
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_max_send_streams(STREAMS_BEFORE_SETTINGS_MAX)
            .handshake(stream)
            .await
            .map_err(|_| DialFault::HungUp)?;
        let driver = tokio::spawn(async move {
            // As for HTTP/1.1: the exchanges on it report the error.
            drop(connection.await);
        });
        Ok((sender, Driver(driver.abort_handle())))
    }
}

impl Sources {
    fn next(&self) -> Option<Ipv4Addr> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.addresses.get(turn % self.addresses.len().max(1)).copied()
    }
}

async fn connect_from(source: Ipv4Addr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(target).await
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, TcpListener},
        sync::Arc,
        time::Duration,
    };

    use super::{DialFault, Dialer, Sources, Target, connect_from};
    use crate::{
        runtime::one_thread,
        wire::tls::{KeyExchange, Trust, client_config},
    };

    #[test]
    fn a_server_that_does_not_get_to_a_connection_is_not_reached() {
        // The system accepts the connection; nobody answers its handshake.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let config = client_config(Trust::Every, false, KeyExchange::Classical).expect("settings");
        let dialer = Dialer::new(Arc::new(Target::parse(&url).expect("a target")), &config)
            .waiting_at_most(Some(Duration::from_millis(50)));
        let runtime = one_thread().expect("a runtime");
        assert_eq!(runtime.block_on(dialer.handshake()), Err(DialFault::NotReached));
        drop(listener);
        assert_eq!(runtime.block_on(dialer.handshake()), Err(DialFault::Tcp));
    }

    #[test]
    fn connections_come_from_all_addresses_in_turn() {
        let addresses = vec![Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];
        let sources = Sources { addresses: addresses.clone(), ..Sources::default() };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let target = listener.local_addr().expect("an address");
        for expected in addresses.iter().cycle().take(4) {
            let source = sources.next().expect("two addresses");
            let connect = connect_from(source, target);
            let stream = one_thread().expect("a runtime").block_on(connect).expect("connected");
            let own = stream.local_addr().expect("an address");
            assert_eq!(own.ip(), *expected);
        }
        assert_eq!(Sources::default().next(), None);
    }
}
