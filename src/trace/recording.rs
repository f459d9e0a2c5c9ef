//! The times of a sampled request and of its parts.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::{
    id::{RequestId, SpanId},
    parent::Parent,
    span::{Part, Span, What},
    tracer,
};
use crate::clock::{Clock, Stopwatch};

/// Parts of one request that are kept; further ones are left out.
const PARTS_MAX: usize = 32;

/// A sampled request: its place in its trace, its beginning, and its parts so far.
#[derive(Debug)]
pub struct Recording {
    trace: RequestId,
    span: SpanId,
    parent: Option<SpanId>,
    method: &'static str,
    route: &'static str,
    running: Stopwatch,
    /// When it began, nanoseconds since 1970.
    begun: u64,
    /// When its submission was first written, seen by the committer.
    committing: OnceLock<Stopwatch>,
    parts: Mutex<Vec<Span>>,
}

impl Recording {
    pub(super) fn begin(
        trace: RequestId,
        parent: Option<Parent>,
        method: &'static str,
        route: &'static str,
    ) -> Arc<Self> {
        let now = Clock::system().real().as_nanosecond();
        Arc::new(Self {
            trace,
            span: SpanId::random(),
            parent: parent.map(|parent| parent.span),
            method,
            route,
            running: Stopwatch::start(),
            begun: u64::try_from(now).unwrap_or_default(),
            committing: OnceLock::new(),
            parts: Mutex::default(),
        })
    }

    /// The committer begins to write its submission.
    pub fn commits(&self, at: Stopwatch) {
        let _first = self.committing.set(at);
    }

    /// Its submission was decided, from `begun` until now.
    pub fn decided(&self, begun: Stopwatch) {
        tracer::send(vec![self.part(Part::Decision, begun, Stopwatch::start())]);
    }

    /// Sends its span and those of its parts to the collector.
    pub(super) fn end(&self, status: Option<u16>) {
        let Self { trace, span, parent, method, route, .. } = *self;
        let what = What::Request { method, route, status };
        let ended = self.at(Stopwatch::start());
        let mut spans = vec![Span { trace, id: span, parent, what, begun: self.begun, ended }];
        spans.append(&mut mem::take(&mut *self.parts()));
        tracer::send(spans);
    }

    /// Adds a part that has just ended. That of a commit is told apart from the wait for the committer.
    fn add(&self, part: Part, begun: Stopwatch) {
        let ended = Stopwatch::start();
        let (queued, begun) = match self.committing.get() {
            Some(committing) if part == Part::Commit => {
                (Some(self.part(Part::CommitQueue, begun, *committing)), *committing)
            }
            _ => (None, begun),
        };
        let mut parts = self.parts();
        let room = PARTS_MAX.saturating_sub(parts.len());
        let ended = self.part(part, begun, ended);
        parts.extend(queued.into_iter().chain([ended]).take(room));
    }

    fn part(&self, part: Part, begun: Stopwatch, ended: Stopwatch) -> Span {
        Span {
            trace: self.trace,
            id: SpanId::random(),
            parent: Some(self.span),
            what: What::Part(part),
            begun: self.at(begun),
            ended: self.at(ended),
        }
    }

    /// A moment after its beginning, nanoseconds since 1970.
    fn at(&self, moment: Stopwatch) -> u64 {
        let after = moment.since(self.running).as_nanos();
        self.begun.saturating_add(u64::try_from(after).unwrap_or(u64::MAX))
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Span>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a sampled request that is under way until this is dropped; of any other request, nothing.
#[derive(Debug)]
#[must_use]
pub struct Timed(Option<(Arc<Recording>, Part, Stopwatch)>);

impl Timed {
    pub(super) fn of(recording: Option<Arc<Recording>>, part: Part) -> Self {
        Self(recording.map(|recording| (recording, part, Stopwatch::start())))
    }

    /// The request that it is a part of, if that is sampled, for another thread that does a part of its work.
    #[must_use]
    pub fn recording(&self) -> Option<Arc<Recording>> {
        self.0.as_ref().map(|(recording, ..)| Arc::clone(recording))
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        if let Some((recording, part, begun)) = self.0.take() {
            recording.add(part, begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Arc<Recording> {
        let parent =
            Parent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        Recording::begin(parent.trace, Some(parent), "POST", "/v1/{x}")
    }

    #[test]
    fn a_commit_is_told_apart_from_the_wait_for_the_committer() {
        let recording = recording();
        let waiting = Timed::of(Some(Arc::clone(&recording)), Part::Commit);
        waiting.recording().unwrap().commits(Stopwatch::start());
        drop(waiting);
        let parts = recording.parts();
        let names: Vec<_> = parts.iter().map(|part| part.what).collect();
        assert_eq!(names, [What::Part(Part::CommitQueue), What::Part(Part::Commit)]);
        assert_eq!(parts[0].ended, parts[1].begun);
        assert!(recording.begun <= parts[0].begun && parts[1].begun <= parts[1].ended);
        assert!(parts.iter().all(|part| part.parent == Some(recording.span)));
        assert!(parts.iter().all(|part| part.trace == recording.trace));
    }

    #[test]
    fn a_request_keeps_a_bounded_number_of_parts() {
        let recording = recording();
        for _ in 0..PARTS_MAX + 5 {
            drop(Timed::of(Some(Arc::clone(&recording)), Part::Read));
        }
        assert_eq!(recording.parts().len(), PARTS_MAX);
    }
}
