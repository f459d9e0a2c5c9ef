//! The operator's side: metrics and health, on a listener and a runtime of their own, so that they answer while the
//! public side is drowning.

use std::{convert::Infallible, io, net::TcpListener, rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::CONTENT_TYPE,
    server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{sync::Semaphore, task, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    gate::schedule::Window,
    identity::Audience,
    intake::Intake,
    ledger::{Case, Tally},
    log,
    metrics::{self as list, Exporter},
    urn::Urn,
};

/// Time for a request's head.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// After an accept that failed for want of a descriptor, memory or the like.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections of operators at a time; one past it waits for its turn.
const CONNECTIONS_MAX: usize = 64;

/// What the operator's side shows.
pub struct Operator {
    /// The metrics page.
    pub exporter: Exporter,
    /// The use cases, for their counts.
    pub intake: Arc<Intake>,
    /// The urn, for its count.
    pub urn: Arc<Urn<Case>>,
    /// Cancelled when the server is to stop.
    pub draining: CancellationToken,
    /// Cancelled when it has stopped.
    pub stopped: CancellationToken,
}

/// Serves the operator until the server has stopped.
///
/// # Errors
/// What the system says if the listener cannot join this runtime.
pub async fn serve(listener: TcpListener, operator: Rc<Operator>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((place, listener.accept().await?))
        };
        let (place, (stream, _)) = tokio::select! {
            () = operator.stopped.cancelled() => return Ok(()),
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(fault) => {
                    tracing::warn!(%fault, "an operator's connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let operator = Rc::clone(&operator);
        task::spawn_local(async move {
            let _place = place;
            let service =
                service_fn(async |request| Ok::<_, Infallible>(operator.answer(&request)));
            let _closed = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_MAX)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl Operator {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return page(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
        }
        match request.uri().path() {
            "/metrics" => page(StatusCode::OK, self.metrics()),
            "/healthz" => page(StatusCode::OK, "alive\n"),
            "/readyz" => match self.obstacle() {
                None => page(StatusCode::OK, "ready\n"),
                Some(why) => page(StatusCode::SERVICE_UNAVAILABLE, why),
            },
            _ => page(StatusCode::NOT_FOUND, "try /metrics, /healthz or /readyz\n"),
        }
    }

    /// Why new work is not taken.
    fn obstacle(&self) -> Option<&'static str> {
        if self.draining.is_cancelled() {
            return Some("draining\n");
        }
        let poisoned = self.intake.shelf.all().iter().any(|ledger| ledger.poisoned());
        if poisoned {
            return Some("storage failed: mend it and restart\n");
        }
        if self.intake.trail.failed() {
            return Some("the audit trail failed: mend the storage and restart\n");
        }
        let short = self.intake.space.short();
        short.then_some("the disk is nearly full: make room, then intake resumes by itself\n")
    }

    /// Gauges that follow from what is there are set when they are asked for, so they agree with each other.
    #[expect(clippy::cast_precision_loss, reason = "people and bytes are far below 2^52")]
    fn metrics(&self) -> String {
        let ledgers = self.intake.shelf.all();
        let tallies: Vec<_> = ledgers.iter().map(|ledger| ledger.tally()).collect();
        let undecided: u64 = tallies.iter().map(Tally::undecided).sum();
        list::UNDECIDED.gauge(&[]).set(undecided as f64);
        let pending: u64 = tallies.iter().map(|tally| tally.pending).sum();
        list::PENDING.gauge(&[]).set(pending as f64);
        list::LOG_LOST.counter(&[]).absolute(log::lost());
        list::URN.gauge(&[]).set(self.urn.len() as f64);
        let poisoned = ledgers.iter().any(|ledger| ledger.poisoned());
        list::LEDGER_POISONED.gauge(&[]).set(f64::from(u8::from(poisoned)));
        list::DISK_FREE.gauge(&[]).set(self.intake.space.free_bytes() as f64);
        list::DISK_RESERVE.gauge(&[]).set(self.intake.space.reserve_bytes() as f64);
        let waiting = self.intake.waiting.waiting();
        for (audience, waiting) in Audience::ALL.into_iter().zip(waiting) {
            let open = matches!(self.intake.window(audience), Window::Open { .. });
            list::WINDOW_OPEN.gauge(&[audience.as_str()]).set(f64::from(u8::from(open)));
            list::WAITING.gauge(&[audience.as_str()]).set(waiting as f64);
        }
        self.exporter.render()
    }
}

fn page(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let plain = "text/plain; version=0.0.4; charset=utf-8";
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(plain));
    response
}
