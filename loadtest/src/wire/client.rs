//! Exchanges over a pool of connections: sends a request and reads its whole reply, with a time limit.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{HOST, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    connection::{DialFault, Dialer},
    http1, http2,
    target::Target,
};

/// Largest reply body: the receipts of the largest batch, 2 KiB each.
const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Attempts on pooled connections that turn out to be closed, before the exchange fails.
const STALE_MAX: u32 = 3;

/// A whole reply: the parts that surge uses.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The `Subject-Tag`: whom the reply belongs to.
    pub subject_tag: Option<HeaderValue>,
    /// The wait that `Retry-After` asks for.
    pub retry_after: Option<Duration>,
    /// The `Location`: where the receipt can be read.
    pub location: Option<String>,
    /// The cookie that it sets, as `name=value`.
    pub cookie: Option<String>,
    /// Bytes of the head, as HTTP/1.1 writes it.
    pub head_bytes: usize,
    /// The body as it was sent.
    pub body: Bytes,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeFault {
    /// No connection.
    Dial(DialFault),
    /// The connection broke, or the reply was malformed or too large.
    Broken,
    /// No whole reply in time; the request was cancelled and its connection closed.
    Late,
}

impl ExchangeFault {
    /// Short name, for counting.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dial(DialFault::Tcp) => "no connection",
            Self::Dial(DialFault::NotReached) => "not reached",
            Self::Dial(DialFault::HungUp) => "closed during TLS handshake",
            Self::Dial(DialFault::Tls) => "TLS handshake failed",
            Self::Broken => "connection broke",
            Self::Late => "no reply in time",
        }
    }
}

enum Pool {
    Http1(Arc<http1::Pool>),
    Http2(Arc<http2::Pool>),
}

impl Pool {
    fn new(dialer: &Dialer, connections: usize, use_http2: bool) -> Self {
        if use_http2 {
            Self::Http2(http2::Pool::new(dialer.clone(), connections))
        } else {
            Self::Http1(http1::Pool::new(dialer.clone(), connections))
        }
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Http1(pool) => pool.is_full(),
            Self::Http2(pool) => pool.is_full(),
        }
    }
}

/// Sends requests to one target over a pool of connections.
pub struct Client {
    dialer: Dialer,
    pool: Pool,
    use_http2: bool,
    reply_wait_max: Duration,
    // Bounds the clients of single citizens; each holds a permit while it lives.
    places: Arc<Semaphore>,
    // Shared with the clients of single citizens; only counted, so relaxed ordering suffices.
    waits: Arc<AtomicU64>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Client {
    /// A client with at most `connections` connections; a reply may take `reply_wait_max`.
    #[must_use]
    pub fn new(
        dialer: Dialer,
        connections: usize,
        use_http2: bool,
        reply_wait_max: Duration,
    ) -> Self {
        let pool = Pool::new(&dialer, connections, use_http2);
        let places = Arc::new(Semaphore::new(connections));
        Self {
            dialer,
            pool,
            use_http2,
            reply_wait_max,
            places,
            waits: Arc::default(),
            _place: None,
        }
    }

    /// A client for one citizen, with a connection of its own that closes when the client is dropped.
    ///
    /// Waits while all connections of `self` are in use.
    pub async fn alone(&self) -> Self {
        self.count_wait(self.places.available_permits() == 0);
        // The semaphore is never closed; without a permit there would be one connection too many, no more.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let dialer = self.dialer.of_one();
        Self {
            pool: Pool::new(&dialer, 1, self.use_http2),
            dialer,
            use_http2: self.use_http2,
            reply_wait_max: self.reply_wait_max,
            places: Arc::clone(&self.places),
            waits: Arc::clone(&self.waits),
            _place: place,
        }
    }

    /// Opens further connections to `inside`, or to the target again. For the client of one citizen only: it names
    /// where those inside reconnect.
    pub fn reconnect_at(&self, inside: Option<Arc<Target>>) {
        self.dialer.reconnect_at(inside);
    }

    /// The server that requests go to.
    #[must_use]
    pub fn target(&self) -> &Target {
        self.dialer.target()
    }

    /// Number of requests that waited because all connections were in use.
    #[must_use]
    pub fn connection_waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    fn count_wait(&self, full: bool) {
        if full {
            self.waits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Most concurrent exchanges over `connections`.
    #[must_use]
    pub fn exchanges_max(&self, connections: usize) -> usize {
        match self.pool {
            Pool::Http1(_) => connections,
            Pool::Http2(_) => connections * http2::STREAMS_MAX,
        }
    }

    /// Sends `request` and reads its whole reply; its URI must come from the target.
    ///
    /// The wait for a free connection is not bounded: in an open loop it is part of the citizen's wait.
    ///
    /// # Errors
    ///
    /// When there is no whole reply in time; no part of it can reach another exchange then.
    pub async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, ExchangeFault> {
        self.count_wait(self.pool.is_full());
        match &self.pool {
            Pool::Http1(pool) => self.over_http1(pool, request).await,
            Pool::Http2(pool) => {
                let mut lease = pool.lease().await.map_err(ExchangeFault::Dial)?;
                let reply = async {
                    let sent = lease.sender.send_request(request).await;
                    whole(sent.map_err(|_| ExchangeFault::Broken)?).await
                };
                self.in_time(reply).await
            }
        }
    }

    /// Sends the head of `request` and half of its `body` over a new connection, then closes it.
    ///
    /// # Errors
    ///
    /// When they could not be sent. In either case the server's reaction is unknown.
    pub async fn cut_short(
        &self,
        request: &Request<Full<Bytes>>,
        body: &[u8],
    ) -> Result<(), ExchangeFault> {
        let path = request.uri().path();
        let mut bytes = format!("{} {path} HTTP/1.1\r\n", request.method()).into_bytes();
        let length = HeaderValue::from(body.len());
        let own = [("host", &self.target().host), ("content-length", &length)];
        let given = request.headers().iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in own.into_iter().chain(given) {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&body[..body.len() / 2]);
        let sent = self.dialer.hang_up_after(&bytes);
        self.in_time(async { sent.await.map_err(ExchangeFault::Dial) }).await
    }

    async fn over_http1(
        &self,
        pool: &Arc<http1::Pool>,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Reply, ExchangeFault> {
        let path = request.uri().path_and_query().cloned().ok_or(ExchangeFault::Broken)?;
        *request.uri_mut() = Uri::from(path);
        request.headers_mut().insert(HOST, self.target().host.clone());
        let mut stale = 0;
        loop {
            let mut lease = pool.lease().await.map_err(ExchangeFault::Dial)?;
            let sent = self.in_time(async { Ok(lease.sender().try_send_request(request).await) });
            match sent.await? {
                Ok(response) => {
                    let reply = self.in_time(whole(response)).await?;
                    lease.finish();
                    return Ok(reply);
                }
                Err(mut error) => {
                    // Retries only a request that was never sent: the server may close an idle connection at any time.
                    let unsent = error.take_message();
                    match unsent {
                        Some(unsent) if lease.is_reused() && stale < STALE_MAX => request = unsent,
                        _ => return Err(ExchangeFault::Broken),
                    }
                    stale += 1;
                }
            }
        }
    }

    async fn in_time<T>(
        &self,
        exchange: impl Future<Output = Result<T, ExchangeFault>>,
    ) -> Result<T, ExchangeFault> {
        match tokio::time::timeout(self.reply_wait_max, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ExchangeFault::Late),
        }
    }
}

/// Reads a reply to its end.
pub(super) async fn whole(response: Response<Incoming>) -> Result<Reply, ExchangeFault> {
    let (mut head, body) = response.into_parts();
    let body = Limited::new(body, REPLY_BYTES_MAX).collect().await;
    let body = body.map_err(|_| ExchangeFault::Broken)?.to_bytes();
    let location = head.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let cookie = head.headers.get(SET_COOKIE).and_then(|value| value.to_str().ok());
    let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    Ok(Reply {
        cookie,
        status: head.status,
        head_bytes: head_bytes(head.status, &head.headers),
        retry_after: retry_after(&head.headers),
        location: location.map(str::to_owned),
        subject_tag: head.headers.remove("subject-tag"),
        body,
    })
}

fn head_bytes(status: StatusCode, headers: &HeaderMap) -> usize {
    let fields =
        headers.iter().map(|(name, value)| name.as_str().len() + ": \r\n".len() + value.len());
    let reason = status.canonical_reason().unwrap_or_default();
    "HTTP/1.1 200 \r\n\r\n".len() + reason.len() + fields.sum::<usize>()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
