//! The thread that hands spans to a collector, in batches.
//!
//! It waits for spans without a timer. A batch that the collector does not take is lost and counted, not tried again: traces
//! are samples, and a collector that is gone must not fill the memory.

use std::{
    io,
    num::NonZeroU32,
    path::PathBuf,
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam::channel::{Receiver, SendTimeoutError, Sender, bounded};
use metrics::Counter;
use tokio::runtime::{Builder, Runtime};

use super::{
    collector::{Collector, Endpoint, SEND_MAX, SendFault},
    otlp,
    span::Span,
    tracer::{self, Message, Tracer},
};
use crate::{clock::Stopwatch, metrics as list, trusted_roots::RootsFault};

/// Requests whose spans may wait to be sent: less than 4 MB.
const QUEUE_REQUESTS_MAX: usize = 1024;
/// Spans from which a batch is sent.
const BATCH_SPANS: usize = 512;
/// Longest wait of a batch for further spans.
const BATCH_WAIT: Duration = Duration::from_secs(1);

/// Where spans go, and how many.
#[derive(Clone, Debug)]
pub struct Config {
    /// The collector.
    pub endpoint: Endpoint,
    /// PEM file with the certificates that sign its own; without one, the system's.
    pub ca: Option<PathBuf>,
    /// Requests sampled a second.
    pub per_second_max: NonZeroU32,
}

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExporterFault {
    /// The collector's certificate cannot be checked.
    #[error(transparent)]
    Roots(#[from] RootsFault),
    /// The system gave no thread or runtime.
    #[error("cannot start the thread that exports traces: {0}")]
    Thread(#[from] io::Error),
}

/// The running thread, if there is a collector. When it is dropped, what waits is sent, within the time of two batches.
pub struct Exporter(Option<(Sender<Message>, JoinHandle<()>)>);

impl Exporter {
    /// Starts to sample requests and to export their spans, once in a process; without a collector, does nothing.
    ///
    /// # Errors
    /// [`ExporterFault`].
    pub fn start(config: Option<Config>) -> Result<Self, ExporterFault> {
        for outcome in ["sent", "lost"] {
            list::SPANS.counter(&[outcome]).increment(0);
        }
        let Some(Config { endpoint, ca, per_second_max }) = config else { return Ok(Self(None)) };
        let collector = Collector::at(endpoint, ca.as_deref())?;
        // Names are looked up on a blocking thread.
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build()?;
        let (queue, messages) = bounded(QUEUE_REQUESTS_MAX);
        let thread = thread::Builder::new().name("traces".to_owned()).spawn(move || {
            Export::to(collector, runtime).run(&messages);
        })?;
        tracer::begin(Tracer::new(per_second_max, queue.clone()));
        Ok(Self(Some((queue, thread))))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let Some((queue, thread)) = self.0.take() else { return };
        // A full queue holds what is under way for too long already.
        if let Err(SendTimeoutError::Timeout(_)) = queue.send_timeout(Message::Stop, SEND_MAX) {
            return;
        }
        if thread.join().is_err() {
            tracing::error!("the thread that exports traces panicked and has ended");
        }
    }
}

/// What the thread works with.
struct Export {
    collector: Collector,
    runtime: Runtime,
    sent: Counter,
    lost: Counter,
    /// The latest batch was not taken. Each change is logged once.
    fails: bool,
}

impl Export {
    fn to(collector: Collector, runtime: Runtime) -> Self {
        let [sent, lost] = ["sent", "lost"].map(|outcome| list::SPANS.counter(&[outcome]));
        Self { collector, runtime, sent, lost, fails: false }
    }

    fn run(mut self, messages: &Receiver<Message>) {
        let mut is_open = true;
        while is_open && let Ok(Message::Spans(first)) = messages.recv() {
            let batch;
            (batch, is_open) = gather(first, messages);
            self.send(&batch);
        }
        // A look-up of a name cannot be interrupted and may take long.
        self.runtime.shutdown_background();
    }

    fn send(&mut self, batch: &[Span]) {
        let count = batch.len() as u64;
        let taken = self.runtime.block_on(self.collector.take(otlp::encode(batch)));
        let rejected = taken.as_ref().map_or(count, |rejected| count.min(*rejected));
        self.sent.increment(count - rejected);
        self.lost.increment(rejected);
        self.report(taken.err());
    }

    fn report(&mut self, fault: Option<SendFault>) {
        let collector = &self.collector.endpoint;
        match fault {
            Some(fault) if !self.fails => {
                tracing::warn!(%collector, %fault, "the collector of traces takes no spans: they are lost until it does");
                self.fails = true;
            }
            None if self.fails => {
                tracing::info!(%collector, "the collector of traces takes spans again");
                self.fails = false;
            }
            _ => {}
        }
    }
}

/// Spans that come soon after the first ones, and whether more will come after them.
fn gather(first: Vec<Span>, messages: &Receiver<Message>) -> (Vec<Span>, bool) {
    let mut batch = first;
    let deadline = Stopwatch::start().deadline(BATCH_WAIT);
    while batch.len() < BATCH_SPANS {
        match messages.recv_deadline(deadline) {
            Ok(Message::Spans(mut spans)) => batch.append(&mut spans),
            Ok(Message::Stop) => return (batch, false),
            Err(_) => break,
        }
    }
    (batch, true)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            id::{RequestId, SpanId},
            span::{Part, What},
        },
        *,
    };

    fn spans(count: usize) -> Message {
        let span = || Span {
            trace: RequestId::random(),
            id: SpanId::random(),
            parent: None,
            what: What::Part(Part::Read),
            begun: 0,
            ended: 0,
        };
        Message::Spans((0..count).map(|_| span()).collect())
    }

    #[test]
    fn a_batch_is_bounded_and_ends_when_the_server_stops() {
        let (queue, messages) = bounded(10);
        for message in [spans(300), spans(300), spans(1), Message::Stop] {
            queue.send(message).unwrap();
        }
        let (batch, is_open) = gather(Vec::new(), &messages);
        assert_eq!((batch.len(), is_open), (600, true));
        let (batch, is_open) = gather(Vec::new(), &messages);
        assert_eq!((batch.len(), is_open), (1, false));
    }
}
