//! The operator's side: metrics and health. Its listener and runtime are its own, so that it answers while the public
//! side is overloaded.

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
    intake::{AudienceStatus, Intake, Obstacle},
    log,
    metrics::{self as list, Exporter},
};

/// Longest time to receive a request's head.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// Pause after a failed accept: descriptors or memory may become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Open connections; a further one waits in the kernel until another closes.
const CONNECTIONS_MAX: usize = 64;

/// What the pages are made from.
pub struct Operator {
    /// Renders the metrics page.
    pub exporter: Exporter,
    /// Ledgers, waiting room and disk space, for their gauges.
    pub intake: Arc<Intake>,
    /// Cancelled when the server begins to stop.
    pub draining: CancellationToken,
    /// Cancelled when it has stopped.
    pub stopped: CancellationToken,
}

/// Serves operators until the server has stopped.
///
/// # Errors
/// The runtime cannot take the listener.
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

    /// Why the server takes no new work, if it does not.
    fn obstacle(&self) -> Option<&'static str> {
        if self.draining.is_cancelled() {
            return Some("draining\n");
        }
        self.intake.health().map(|obstacle| match obstacle {
            Obstacle::LedgerPoisoned => "a ledger failed: repair the storage and restart\n",
            Obstacle::TrailFailed => "the audit trail failed: repair the storage and restart\n",
            Obstacle::DiskNearlyFull => {
                "the disk is nearly full: free space, and intake resumes by itself\n"
            }
        })
    }

    /// Sets the gauges that are derived from the state, all at once so that they agree, and renders the page.
    #[expect(clippy::cast_precision_loss, reason = "counts and bytes are far below 2^52")]
    fn metrics(&self) -> String {
        let counts = self.intake.counts();
        list::LOG_LOST.counter(&[]).absolute(log::lost());
        list::UNDECIDED.gauge(&[]).set(counts.undecided as f64);
        list::PENDING.gauge(&[]).set(counts.pending as f64);
        list::URN.gauge(&[]).set(counts.in_urn as f64);
        list::LEDGER_POISONED.gauge(&[]).set(f64::from(u8::from(counts.poisoned)));
        list::DISK_FREE.gauge(&[]).set(counts.disk_free_bytes as f64);
        list::DISK_RESERVE.gauge(&[]).set(counts.disk_reserve_bytes as f64);
        let admission = self.intake.admission().state();
        list::ADMISSION_RATE.gauge(&[]).set(admission.per_second);
        list::ADMISSION_TRIM.gauge(&[]).set(admission.trim);
        for (part, seconds) in admission.costs {
            list::VISIT_CPU.gauge(&[part]).set(seconds);
        }
        list::CPU_CORES.gauge(&[]).set(admission.cores);
        for (purpose, used) in admission.cpu {
            list::CPU.gauge(&[purpose]).set(used.as_secs_f64());
        }
        for AudienceStatus { audience, open, waiting } in counts.audiences {
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
