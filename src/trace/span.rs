//! Spans: what a collector gets of a sampled request.

use super::id::{RequestId, SpanId};

/// A part of a request whose time is worth knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Somebody without a session waits for CPU time.
    Turn,
    /// A submission waits for the committer.
    CommitQueue,
    /// A write, and its sync.
    Commit,
    /// A read from the disk.
    Read,
    /// A decision by the rules: of an estimate within its request, of a submission after it.
    Decision,
}

impl Part {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Turn => "wait for a turn",
            Self::CommitQueue => "wait for the committer",
            Self::Commit => "commit",
            Self::Read => "read",
            Self::Decision => "decide",
        }
    }
}

/// One span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) trace: RequestId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) what: What,
    /// Nanoseconds since 1970.
    pub(super) begun: u64,
    pub(super) ended: u64,
}

/// What a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A whole request; `status` is `None` if its client went away before the answer.
    Request {
        method: &'static str,
        route: &'static str,
        status: Option<u16>,
    },
    Part(Part),
}
