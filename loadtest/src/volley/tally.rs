//! The counts of a volley, and its figures.

use std::{collections::BTreeMap, time::Instant};

use serde::Serialize;

use super::{
    turns::Turn,
    visits::{Kind, Visited},
};
use crate::{clock, figures, tally::Latencies};

/// Counts of the requests answered so far.
pub(super) struct Tally {
    begin: Instant,
    last: Instant,
    latencies: Latencies,
    lags: Latencies,
    waited: u64,
    reply_bytes: u64,
    /// Bytes and number of replies by kind; empty without visits.
    replies: [(u64, u64); Kind::ALL.len()],
    decided: u64,
}

/// A volley in figures.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// Requests answered, or handshakes or visits done.
    count: u64,
    /// Replies a second, from the beginning to the last reply.
    per_second: f64,
    /// Latencies from the intended start; without a schedule, from when the connection was idle. Of visits, those of
    /// their submission, from when it was sent.
    p50_ms: f64,
    p99_ms: f64,
    /// The generator's own lag: how late requests were sent although a connection was idle.
    lag_p99_ms: f64,
    /// Requests that were due while all connections were busy; 0 without a schedule.
    waited: u64,
    /// Mean bytes of a reply, head included as HTTP/1.1 writes it; of a visit, those of all its replies.
    reply_bytes: f64,
    /// The same by the kind of reply, of visits only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    replies: BTreeMap<&'static str, f64>,
    /// Visits whose last read showed a decision.
    decided: u64,
    /// The key exchange that was negotiated.
    key_exchange: String,
}

impl Tally {
    pub(super) fn new(begin: Instant) -> Self {
        Self {
            begin,
            last: begin,
            latencies: Latencies::default(),
            lags: Latencies::default(),
            waited: 0,
            reply_bytes: 0,
            replies: Default::default(),
            decided: 0,
        }
    }

    /// Counts a reply to the request of `turn` that has just arrived.
    pub(super) fn answer(&mut self, turn: Turn, reply_bytes: usize) {
        self.last = clock::now();
        self.latencies.record(self.last.saturating_duration_since(turn.due));
        self.lags.record(turn.lag);
        self.waited += u64::from(turn.waited);
        self.reply_bytes += reply_bytes as u64;
    }

    /// Counts the visit of `turn`, which has just ended.
    pub(super) fn leave(&mut self, turn: Turn, visited: &Visited) {
        self.last = clock::now();
        self.latencies.record(visited.submission);
        self.lags.record(turn.lag);
        self.waited += u64::from(turn.waited);
        self.decided += u64::from(visited.decided);
        for (all, (bytes, count)) in self.replies.iter_mut().zip(visited.replies) {
            self.reply_bytes += bytes as u64;
            all.0 += bytes as u64;
            all.1 += count;
        }
    }

    pub(super) fn figures(&self, key_exchange: String) -> Figures {
        let (count, elapsed) = (self.latencies.count(), self.last.duration_since(self.begin));
        Figures {
            count,
            per_second: figures::per_second(count, elapsed),
            p50_ms: self.latencies.quantile_ms(0.5),
            p99_ms: self.latencies.quantile_ms(0.99),
            lag_p99_ms: self.lags.quantile_ms(0.99),
            waited: self.waited,
            reply_bytes: figures::share(self.reply_bytes, count),
            replies: self.replies(),
            decided: self.decided,
            key_exchange,
        }
    }

    fn replies(&self) -> BTreeMap<&'static str, f64> {
        let kinds = Kind::ALL.into_iter().zip(self.replies);
        let seen = kinds.filter(|(_, (_, count))| *count > 0);
        seen.map(|(kind, (bytes, count))| (kind.name(), figures::share(bytes, count))).collect()
    }
}
