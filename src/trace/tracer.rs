//! Which requests are sampled, and the bounded queue of spans to the exporter.

use std::sync::OnceLock;

use crossbeam::channel::Sender;
use governor::{DefaultDirectRateLimiter, Quota};
use metrics::Counter;

use super::{parent::Parent, span::Span};
use crate::metrics as list;

/// A process sends its spans to one collector.
static TRACER: OnceLock<Tracer> = OnceLock::new();

/// What the exporter is sent.
pub(super) enum Message {
    /// Spans of one request.
    Spans(Vec<Span>),
    /// Nothing more comes.
    Stop,
}

/// Decides which requests are sampled, and takes their spans.
pub(super) struct Tracer {
    rate: DefaultDirectRateLimiter,
    queue: Sender<Message>,
    lost: Counter,
}

impl Tracer {
    /// A tracer that samples requests at this rate at most: the load does not grow with the crowd.
    pub(super) fn new(per_second_max: std::num::NonZeroU32, queue: Sender<Message>) -> Self {
        let rate = DefaultDirectRateLimiter::direct(Quota::per_second(per_second_max));
        Self { rate, queue, lost: list::SPANS.counter(&["lost"]) }
    }

    /// Whether a request is sampled. A caller can ask that it is not; that it samples itself gives no right to it, because
    /// anybody can say so.
    fn samples(&self, parent: Option<&Parent>) -> bool {
        parent.is_none_or(|parent| parent.is_sampled) && self.rate.check().is_ok()
    }

    /// Never waits: what the queue has no room for is lost and counted.
    fn send(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        if self.queue.try_send(Message::Spans(spans)).is_err() {
            self.lost.increment(count);
        }
    }
}

/// Begins to sample, for the whole process; false if it samples already.
pub(super) fn begin(tracer: Tracer) -> bool {
    TRACER.set(tracer).is_ok()
}

/// Whether a request is sampled; never without a collector.
pub(super) fn samples(parent: Option<&Parent>) -> bool {
    TRACER.get().is_some_and(|tracer| tracer.samples(parent))
}

pub(super) fn send(spans: Vec<Span>) {
    if let Some(tracer) = TRACER.get() {
        tracer.send(spans);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use crossbeam::channel::bounded;

    use super::{super::id::SpanId, *};
    use crate::trace::{
        id::RequestId,
        span::{Part, What},
    };

    fn parent(is_sampled: bool) -> Parent {
        Parent { trace: RequestId::random(), span: SpanId::random(), is_sampled }
    }

    #[test]
    fn a_crowd_is_sampled_at_the_same_rate_whatever_it_says() {
        let tracer = Tracer::new(NonZeroU32::new(10).unwrap(), bounded(1).0);
        let asked =
            |parent: Option<Parent>| (0..1000).filter(|_| tracer.samples(parent.as_ref())).count();
        assert_eq!(asked(Some(parent(false))), 0);
        let sampled = asked(Some(parent(true)));
        assert!((10..100).contains(&sampled), "{sampled}");
        let sampled = asked(None);
        assert!(sampled < 100, "{sampled}");
    }

    #[test]
    fn spans_without_room_are_dropped_at_once() {
        let (queue, waiting) = bounded(1);
        let tracer = Tracer::new(NonZeroU32::MIN, queue);
        let (trace, id, what) = (RequestId::random(), SpanId::random(), What::Part(Part::Read));
        let span = Span { trace, id, parent: None, what, begun: 0, ended: 0 };
        for _ in 0..5 {
            tracer.send(vec![span.clone()]);
        }
        assert_eq!(waiting.len(), 1);
    }
}
