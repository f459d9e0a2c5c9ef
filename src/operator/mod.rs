//! The operator's side: metrics, health, the console and control. Its listener and runtime are its own, so that it answers
//! while the public side is overloaded. Nothing on that runtime waits for a disk.

mod answer;
pub mod canary;
mod console;
pub mod control;
mod figures;
mod host;

use std::{convert::Infallible, io, net::TcpListener, rc::Rc, sync::Arc, time::Duration};

use hyper::{
    Method, Request, StatusCode, body::Incoming, header::ACCEPT_LANGUAGE, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::{net::TcpStream, sync::Semaphore, task, time::sleep};
use tokio_util::sync::CancellationToken;

use self::{
    answer::{Answer, text},
    canary::Canary,
    console::{Console, Place, STREAMS_MAX, Seen},
    control::Control,
};
use crate::{
    civic::Language, http::live_certificate::LiveCertificate, intake::Intake, metrics::Exporter,
};

/// Longest time to receive a request's head.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// Bytes of a request's head, and of an answer that waits for its reader: browsers send less than four kilobytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an answer in the kernel: a whole metrics page, so that a scrape needs one turn.
const SEND_BYTES_MAX: usize = 256 * 1024;
/// Pause after a failed accept: descriptors or memory may become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Open connections; a further one waits in the kernel until another closes.
const CONNECTIONS_MAX: usize = 64;
const _: () = assert!(STREAMS_MAX < CONNECTIONS_MAX / 2, "scrapes and pages always find a place");

/// What the pages are made from.
pub struct Operator {
    /// Renders the metrics page.
    pub exporter: Exporter,
    /// Ledgers, waiting room and disk space, for their gauges.
    pub intake: Arc<Intake>,
    /// What operators change while the server runs.
    pub control: Control,
    /// The certificates that the public listeners serve.
    pub certificates: Vec<Arc<LiveCertificate>>,
    /// Cancelled when the server begins to stop.
    pub draining: CancellationToken,
    /// Cancelled when it has stopped.
    pub stopped: CancellationToken,
}

/// The operator's side as it is served.
struct Side {
    operator: Rc<Operator>,
    console: Arc<Console>,
}

/// Serves operators until the server has stopped, and lets the canary make its rounds until it drains.
///
/// # Errors
/// The runtime cannot take the listener.
pub async fn serve(
    listener: TcpListener,
    operator: Rc<Operator>,
    canary: Option<Canary>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    if let Some(canary) = canary {
        task::spawn_local(canary.run(operator.draining.clone()));
    }
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let side = Rc::new(Side { operator, console: Arc::new(Console::new()) });
    task::spawn_local(Rc::clone(&side).keep_console());
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((place, listener.accept().await?))
        };
        let (place, (stream, _)) = tokio::select! {
            () = side.operator.stopped.cancelled() => return Ok(()),
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(fault) => {
                    tracing::warn!(%fault, "an operator's connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let side = Rc::clone(&side);
        task::spawn_local(async move {
            let _place = place;
            side.serve(stream).await;
        });
    }
}

impl Side {
    async fn serve(&self, stream: TcpStream) {
        // What a client does not read must not gather in the kernel, either. A failure changes nothing for others.
        let _default = SockRef::from(&stream).set_send_buffer_size(SEND_BYTES_MAX);
        let hang_up = CancellationToken::new();
        let service =
            service_fn(async |request| Ok::<_, Infallible>(self.answer(request, &hang_up).await));
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            _closed = serving => {}
            () = hang_up.cancelled() => {}
        }
    }

    async fn answer(&self, request: Request<Incoming>, hang_up: &CancellationToken) -> Answer {
        let Operator { exporter, intake, control, certificates, draining, .. } = &*self.operator;
        let path = request.uri().path();
        if let Some(below) = control::below(path) {
            let below = below.to_owned();
            return control.answer(&below, request).await;
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
        }
        if let Some(place) = Place::at(path) {
            return self.answer_browser(place, &request, hang_up);
        }
        match path {
            "/metrics" => text(StatusCode::OK, figures::page(exporter, intake, certificates)),
            "/healthz" => text(StatusCode::OK, "alive\n"),
            "/readyz" => match figures::obstacle(intake, draining.is_cancelled()) {
                None => text(StatusCode::OK, figures::readiness(intake)),
                Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, why),
            },
            _ => text(StatusCode::NOT_FOUND, "try /, /metrics, /healthz, /readyz or /control\n"),
        }
    }

    fn answer_browser(
        &self,
        place: Place,
        request: &Request<Incoming>,
        hang_up: &CancellationToken,
    ) -> Answer {
        if !host::is_named(request) {
            let why = "ask for this listener by an address or as localhost\n";
            return text(StatusCode::MISDIRECTED_REQUEST, why);
        }
        if place != Place::Asset && self.console.is_stale() {
            self.show();
        }
        let preferred = || {
            let field = request.headers().get(ACCEPT_LANGUAGE);
            Language::from_accept_language(field.and_then(|field| field.to_str().ok()))
        };
        match place {
            Place::Page { language, is_live } => {
                console::page(&self.console, language.unwrap_or_else(preferred), is_live)
            }
            // The answer to HEAD would hold a place for nothing.
            Place::Events { .. } if request.method() == Method::HEAD => {
                text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n")
            }
            Place::Events { language } => {
                let language = language.unwrap_or_else(preferred);
                console::events(&self.console, language, hang_up.clone())
            }
            Place::Asset => console::asset(request.uri().path()),
        }
    }

    /// Shows the console what there is to see whenever that is due.
    async fn keep_console(self: Rc<Self>) {
        loop {
            self.console.due().await;
            self.show();
        }
    }

    fn show(&self) {
        let Operator { exporter, intake, control, certificates, draining, .. } = &*self.operator;
        let actions = control.last_actions().into_iter();
        let actions: Vec<_> = actions
            .map(|action| console::Action { at: action.at, what: action.to_string() })
            .collect();
        self.console.show(&Seen {
            metrics: &figures::page(exporter, intake, certificates),
            status: &intake.status(intake.now()),
            obstacle: figures::obstacle(intake, draining.is_cancelled()),
            is_paused: intake.is_paused(),
            actions: &actions,
        });
    }
}
