//! The operator's side: metrics, health and control. Its listener and runtime are its own, so that it answers while the
//! public side is overloaded. Nothing on that runtime waits for a disk.

mod answer;
pub mod control;
mod figures;
mod host;

use std::{convert::Infallible, io, net::TcpListener, rc::Rc, sync::Arc, time::Duration};

use hyper::{
    Method, Request, StatusCode, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::{sync::Semaphore, task, time::sleep};
use tokio_util::sync::CancellationToken;

use self::{
    answer::{Answer, text},
    control::{Action, Control},
};
use crate::{intake::Intake, metrics::Exporter};

/// Longest time to receive a request's head.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// Bytes of a request's head: browsers send less than four kilobytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
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
    /// What operators change while the server runs.
    pub control: Control,
    /// When each certificate of the server ends.
    pub certificate_ends: Vec<(&'static str, Timestamp)>,
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
                service_fn(async |request| Ok::<_, Infallible>(operator.answer(request).await));
            let _closed = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_MAX)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl Operator {
    /// The latest control actions, the newest first; at most [`control::ACTIONS_MAX`].
    #[must_use]
    pub fn last_actions(&self) -> Vec<Action> {
        self.control.last_actions()
    }

    /// Whether an operator has paused intake: nobody new is let in.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.intake.is_paused()
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path();
        if let Some(below) = control::below(path) {
            let below = below.to_owned();
            return self.control.answer(&below, request).await;
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
        }
        match path {
            "/metrics" => text(
                StatusCode::OK,
                figures::page(&self.exporter, &self.intake, &self.certificate_ends),
            ),
            "/healthz" => text(StatusCode::OK, "alive\n"),
            "/readyz" => match figures::obstacle(&self.intake, self.draining.is_cancelled()) {
                None => text(StatusCode::OK, "ready\n"),
                Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, why),
            },
            _ => text(StatusCode::NOT_FOUND, "try /metrics, /healthz, /readyz or /control\n"),
        }
    }
}
