//! One connection, from its handshake to its close.
//!
//! HTTP/1.1 keeps some tens of kilobytes of buffers for a connection, and a person who fills in a form sends nothing
//! for minutes. So buffers are allocated with the first byte and freed when the connection rests; only its TLS state
//! stays.

use std::{
    convert::Infallible,
    future::{pending, ready},
    net::IpAddr,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, Interest},
    net::TcpStream,
    task,
    time::{sleep, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{
    activity::{Activity, Answering, Borrowed},
    bounds::{Client, Config, Shared, shed},
    holders::Held,
    metered::{self, Door, Metered, Standing},
    request::Public,
};
use crate::{
    gate::admission::{Admission, Entrance, Strangers},
    metrics as list,
};

/// HTTP/2 streams of one connection that a client may reset before they are answered (CVE-2023-44487).
const RESET_STREAMS_MAX: usize = 20;

/// A connection, and what serves it.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) shared: Shared,
    pub(super) public: Rc<Public>,
}

impl Connection {
    /// Serves it to its end. Faults of the connection are not logged: a client could fill the log.
    pub(super) async fn serve(self, stream: TcpStream) {
        let unsent = Duration::from_millis(self.config().unsent_ms_max);
        let prepared = stream
            .set_nodelay(true)
            .and_then(|()| socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(unsent)));
        if prepared.is_err() {
            return;
        }
        // Boxed, because otherwise every connection would keep the memory of the largest of these three futures.
        let shaken = Box::pin(self.handshake(stream)).await;
        if self.shared.entrance == Entrance::Inside {
            return Box::pin(self.serve_inside(shaken)).await;
        }
        let Some((stream, took)) = shaken else { return };
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
        let standing = self.standing(took, certificates);
        self.serve_requests(stream, &standing).await;
        if let Some(waiter) = standing.waiter() {
            self.public.counter.intake.has_gone(waiter);
        }
    }

    /// Serves a connection at the listener for people inside, which is closed if it does not prove in time to be theirs.
    async fn serve_inside(&self, shaken: Option<(TlsStream<TcpStream>, Duration)>) {
        let mut has_proved = false;
        if let Some((stream, took)) = shaken {
            let standing = self.standing(took, Vec::new());
            tokio::select! {
                () = self.serve_requests(stream, &standing) => {}
                () = self.proves_nothing(&standing) => {}
            }
            has_proved = standing.has_proved();
        }
        let session = if has_proved { "shown" } else { "none" };
        list::INSIDE_CONNECTIONS.counter(&[session]).increment(1);
    }

    /// Returns when the time to show a session has passed in vain.
    async fn proves_nothing(&self, standing: &Standing) {
        sleep(Duration::from_millis(self.config().prove_ms_max)).await;
        if standing.has_proved() || self.door().is_shared {
            pending::<()>().await;
        }
    }

    async fn serve_requests(&self, mut stream: TlsStream<TcpStream>, standing: &Rc<Standing>) {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let mut ahead = Bytes::new();
        while !ahead.is_empty() || self.is_readable(&mut stream, standing).await {
            if is_http2 {
                return Box::pin(self.serve_http2(stream, standing)).await;
            }
            let rests;
            (stream, ahead, rests) = Box::pin(self.serve_http1(stream, ahead, standing)).await;
            if !rests {
                break;
            }
        }
        let patience = if self.gives_way() { Duration::ZERO } else { self.patience() };
        let _closed = timeout(patience, stream.shutdown()).await;
    }

    fn config(&self) -> &Config {
        &self.shared.config
    }

    fn door(&self) -> Door {
        self.shared.door(self.client.address)
    }

    fn standing(
        &self,
        handshake: Duration,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Rc<Standing> {
        Standing::after(handshake, self.held(), self.door(), certificates)
    }

    /// The client's address, unless many people share it.
    fn from(&self) -> Option<IpAddr> {
        (!self.door().is_shared).then_some(self.client.address)
    }

    fn held(&self) -> &Arc<Held> {
        self.client.place.held()
    }

    /// Cancelled when the server drains, or when this connection gives way to another one.
    fn closing(&self) -> &CancellationToken {
        self.held().closing()
    }

    /// Whether it has to be closed at once: it gives way to another one, and no request is under way.
    fn gives_way(&self) -> bool {
        let is_alone = self.closing().is_cancelled() && !self.shared.draining.is_cancelled();
        is_alone && self.held().under_way() == 0
    }

    /// Longest time for a client that sends nothing, or reads nothing.
    fn patience(&self) -> Duration {
        Duration::from_millis(self.config().head_ms_max)
    }

    fn strangers(&self) -> &Strangers {
        self.public.counter.intake.admission().strangers()
    }

    /// Performs the handshake when its turn has come; returns the CPU time that it took, too.
    async fn handshake(&self, stream: TcpStream) -> Option<(TlsStream<TcpStream>, Duration)> {
        let within = Duration::from_millis(self.config().handshake_ms_max);
        let shaking = async {
            // A client that sends nothing takes no handshake. Only the public listener waits for those who may come.
            let is_public = self.shared.entrance == Entrance::Public;
            let expected = is_public.then(|| self.strangers().expect());
            stream.readable().await.ok()?;
            drop(expected);
            let _working = self.public.delay.work();
            let (entrance, client) = (self.shared.entrance, self.client.place.client());
            self.strangers().turn_of_handshake(entrance, client).await;
            // Who has given up meanwhile costs no signature.
            if stream.ready(Interest::READABLE).await.ok()?.is_read_closed() {
                return None;
            }
            let is_limited = self.shared.is_limited(self.client.address);
            let begun = self.shared.handshakes.begin(&self.client.place, is_limited);
            let Some(shaking) = begun else { return shed("handshakes") };
            let shaking = shaking.perform(stream, Arc::clone(&self.shared.tls));
            let (stream, took) = metered::handshake(self.strangers(), entrance, shaking).await;
            Some((stream.ok()?, took))
        };
        self.closing().run_until_cancelled(timeout(within, shaking)).await?.ok()?
    }

    /// True when bytes or EOF are ready to read; false if none come in time, or the server drains.
    async fn is_readable(&self, stream: &mut TlsStream<TcpStream>, standing: &Standing) -> bool {
        let filled = timeout(standing.patience(self.patience()), stream.fill_buf());
        let filled = self.closing().run_until_cancelled(filled).await;
        matches!(filled, Some(Ok(Ok(_))))
    }

    /// Serves HTTP/1.1 until the connection has to be closed, or rests. Returns the stream, the bytes read ahead, and
    /// whether it rests: then every request is read, answered and sent, and the next one is served as if it were the
    /// first.
    async fn serve_http1(
        &self,
        stream: TlsStream<TcpStream>,
        ahead: Bytes,
        standing: &Rc<Standing>,
    ) -> (TlsStream<TcpStream>, Bytes, bool) {
        let activity = Activity::of(self.held(), standing);
        let service = service_fn(|request| {
            let (activity, under_way) = (&activity, activity.begin());
            async move {
                let answer = self.public.answer(request, self.from(), under_way).await;
                Ok::<_, Infallible>(answer.map(|body| Answering::new(body, activity)))
            }
        });
        let borrowed = Borrowed::new(stream, ahead, Rc::clone(&activity));
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience())
            .max_buf_size(self.config().head_bytes_max)
            .serve_connection(TokioIo::new(borrowed), service);
        let mut serving = Metered::new(serving, standing, self.strangers());
        let rest = Duration::from_millis(self.config().rest_ms);
        // hyper first: if nothing is under way after its poll, it waits for a request and for nothing else.
        let ended = tokio::select! {
            biased;
            _closed = &mut serving => None,
            () = self.closing().cancelled() => Some(false),
            () = activity.rest_for(rest) => Some(true),
        };
        let mut rests = false;
        if let Some(may_rest) = ended {
            Pin::new(serving.serving()).graceful_shutdown();
            match at_once(&mut serving).await {
                Some(done) => rests = may_rest && done.is_ok(),
                None if self.gives_way() => {}
                // A request is under way, perhaps one that only hyper knows of: the connection is closed after it.
                None => _ = (&mut serving).await,
            }
        }
        let parts = serving.into_inner().into_parts();
        let (stream, unread) = parts.io.into_inner().into_parts();
        (stream, [parts.read_buf, unread].concat().into(), rests)
    }

    async fn serve_http2(&self, stream: TlsStream<TcpStream>, standing: &Rc<Standing>) {
        let activity = Activity::of(self.held(), standing);
        let service = service_fn(|request| {
            let (public, from) = (Rc::clone(&self.public), self.from());
            let (activity, under_way) = (Rc::clone(&activity), activity.begin());
            async move {
                let answer = public.answer(request, from, under_way).await;
                Ok::<_, Infallible>(answer.map(|body| Answering::new(body, &activity)))
            }
        });
        let config = self.config();
        let head_bytes_max = u32::try_from(config.head_bytes_max).unwrap_or(u32::MAX);
        let admission = Arc::clone(self.public.counter.intake.admission());
        let local = Local { standing: Rc::clone(standing), admission };
        let serving = http2::Builder::new(local)
            .timer(TokioTimer::new())
            .max_concurrent_streams(config.streams_max)
            .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
            .max_header_list_size(head_bytes_max)
            .keep_alive_interval(self.patience())
            .keep_alive_timeout(self.patience())
            .serve_connection(TokioIo::new(stream), service);
        let serving = pin!(serving);
        let mut serving = Metered::new(serving, standing, self.strangers());
        tokio::select! {
            _closed = &mut serving => return,
            () = self.closing().cancelled() => {}
            () = activity.quiet_for(|| standing.patience(self.patience())) => {}
            () = standing.refused() => {}
        }
        serving.serving().as_mut().graceful_shutdown();
        if at_once(&mut serving).await.is_some() || self.gives_way() {
            return;
        }
        // A client that does not read its answers must not keep the connection open.
        let _closed = timeout(self.patience(), serving).await;
    }
}

/// The result of a future if it is ready at its first poll.
async fn at_once<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = ready(()) => None,
    }
}

/// Runs hyper's tasks on the runtime of their connection, and meters them with it.
#[derive(Clone)]
struct Local {
    standing: Rc<Standing>,
    admission: Arc<Admission>,
}

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, work: F) {
        let Self { standing, admission } = self.clone();
        task::spawn_local(async move {
            Metered::new(pin!(work), &standing, admission.strangers()).await;
        });
    }
}
