//! TLS handshakes under way, and which of them give way when there are too many.
//!
//! A new handshake never waits for one whose client sends nothing: when a bound is reached, the one whose client has
//! sent least for longest is closed.

use std::{
    cmp::Reverse,
    io,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use rustls::{ServerConfig, server::Acceptor};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    holders::Place,
    shares::{Key, Shares},
};
use crate::clock::Stopwatch;

/// An answered handshake younger than this does not give way to the client of another address, unless its own has more
/// under way: the signature is made, and the client may be far away or this runtime slow.
const ANSWERED_FOR_MIN: Duration = Duration::from_secs(1);

/// All handshakes under way.
pub(super) struct Handshakes {
    max: usize,
    client_max: usize,
    shares: Mutex<Shares<HalfOpen>>,
}

struct HalfOpen {
    since: Stopwatch,
    progress: Arc<Progress>,
    closing: CancellationToken,
}

/// How far a client has come.
#[derive(Default)]
struct Progress {
    /// Bytes of its first message so far.
    received: AtomicU32,
    /// Its first message was complete, and is answered.
    answered: AtomicBool,
}

/// A handshake under way; dropping it ends it.
pub(super) struct Shaking<'h> {
    handshakes: &'h Handshakes,
    key: Key,
    progress: Arc<Progress>,
}

impl Handshakes {
    /// None is under way. There may be `max` in all, and `client_max` of one client.
    pub(super) fn new(max: usize, client_max: usize) -> Self {
        Self { max, client_max, shares: Mutex::default() }
    }

    /// Begins the handshake of a connection; `None` if no other one gives way for it. Only the number of a client that
    /// `is_limited` is bounded.
    pub(super) fn begin(&self, place: &Place, is_limited: bool) -> Option<Shaking<'_>> {
        self.begin_of(place.client(), is_limited, place.held().closing())
    }

    fn begin_of(
        &self,
        client: IpAddr,
        is_limited: bool,
        closing: &CancellationToken,
    ) -> Option<Shaking<'_>> {
        let progress = Arc::new(Progress::default());
        let half_open = HalfOpen {
            since: Stopwatch::start(),
            progress: Arc::clone(&progress),
            closing: closing.clone(),
        };
        let mut shares = self.lock();
        let own = shares.size_of(client);
        let has_all = is_limited && own >= self.client_max;
        if has_all || shares.size() >= self.max {
            let larger = if has_all { Some(client) } else { shares.largest(own + 2).next() };
            let closed = match larger {
                Some(_) => shares.give_way(larger, |other| Some(other.claim())),
                None => shares.give_way(None, HalfOpen::claim_of_one_of_few),
            };
            closed?.closing.cancel();
        }
        let key = shares.insert(client, half_open);
        Some(Shaking { handshakes: self, key, progress })
    }

    fn lock(&self) -> MutexGuard<'_, Shares<HalfOpen>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HalfOpen {
    /// Least for the client who has not sent its whole first message, and has taken most time for each byte.
    fn claim(&self) -> (bool, Reverse<u128>) {
        let received = self.progress.received.load(Ordering::Relaxed).max(1);
        let time_per_byte = self.since.elapsed().as_nanos() / u128::from(received);
        (self.progress.answered.load(Ordering::Relaxed), Reverse(time_per_byte))
    }

    /// The same where no client has more handshakes under way than the new one.
    fn claim_of_one_of_few(&self) -> Option<(bool, Reverse<u128>)> {
        let claim = self.claim();
        let is_busy = claim.0 && self.since.elapsed() < ANSWERED_FOR_MIN;
        (!is_busy).then_some(claim)
    }
}

impl Shaking<'_> {
    /// Performs the handshake.
    ///
    /// # Errors
    /// The connection's error, or the client's fault.
    pub(super) async fn perform(
        &self,
        stream: TcpStream,
        config: Arc<ServerConfig>,
    ) -> io::Result<TlsStream<TcpStream>> {
        let counted = Counted { stream, progress: Arc::clone(&self.progress) };
        let start = LazyConfigAcceptor::new(Acceptor::default(), counted).await?;
        self.progress.answered.store(true, Ordering::Relaxed);
        StartHandshake::from_parts(start.accepted, start.io.stream).into_stream(config).await
    }
}

impl Drop for Shaking<'_> {
    fn drop(&mut self) {
        self.handshakes.lock().remove(&self.key);
    }
}

/// The stream of a client's first message, of which it counts the bytes.
struct Counted {
    stream: TcpStream,
    progress: Arc<Progress>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        let count = u32::try_from(into.filled().len() - before).unwrap_or(u32::MAX);
        self.progress.received.fetch_add(count, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handshake of this client, of which so many bytes came, and whether it is answered.
    fn begin(
        handshakes: &Handshakes,
        client: u8,
        received: u32,
        answered: bool,
    ) -> Option<(Shaking<'_>, CancellationToken)> {
        let closing = CancellationToken::new();
        let shaking = handshakes.begin_of([192, 0, 2, client].into(), true, &closing)?;
        shaking.progress.received.store(received, Ordering::Relaxed);
        shaking.progress.answered.store(answered, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(2));
        Some((shaking, closing))
    }

    fn closed(handshakes: &[(Shaking<'_>, CancellationToken)]) -> Vec<bool> {
        handshakes.iter().map(|(_, closing)| closing.is_cancelled()).collect()
    }

    #[test]
    fn who_has_sent_least_for_longest_gives_way() {
        let handshakes = Handshakes::new(100, 4);
        let begun = [(1000, false), (1, false), (1, false), (1, true)];
        let mut held: Vec<_> =
            begun.map(|(bytes, answered)| begin(&handshakes, 1, bytes, answered).unwrap()).into();
        for expected in [[false, true, false, false], [false, true, true, false]] {
            held.push(begin(&handshakes, 1, 1_000_000, false).unwrap());
            assert_eq!(closed(&held[..4]), expected);
        }
        assert_eq!(handshakes.lock().size(), 4);
        drop(held);
        assert_eq!(handshakes.lock().size(), 0);
    }

    #[test]
    fn a_stranger_is_never_behind_those_who_hold_more_or_send_nothing() {
        let handshakes = Handshakes::new(4, 100);
        let held: Vec<_> = (0..4).map(|_| begin(&handshakes, 1, 10_000, true).unwrap()).collect();
        let first = begin(&handshakes, 2, 1, true).unwrap();
        let second = begin(&handshakes, 3, 1, false).unwrap();
        assert_eq!(closed(&held), [true, true, false, false], "of the client with most");
        let third = begin(&handshakes, 4, 1, true).unwrap();
        assert_eq!(closed(&held), [true, true, true, false]);
        let fourth = begin(&handshakes, 5, 1, true).unwrap();
        let own = [first, second, third, fourth];
        assert_eq!(closed(&own), [false, true, false, false], "the one that was not answered");
        assert!(begin(&handshakes, 6, 1, true).is_none(), "all are answered and young");
        std::thread::sleep(ANSWERED_FOR_MIN);
        assert!(begin(&handshakes, 6, 1, true).is_some());
    }
}
