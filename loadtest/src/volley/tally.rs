//! The counts of a volley, and its figures.

use std::time::Instant;

use serde::Serialize;

use super::turns::Turn;
use crate::{clock, figures, tally::Latencies};

/// Counts of the requests answered so far.
pub(super) struct Tally {
    begin: Instant,
    last: Instant,
    latencies: Latencies,
    lags: Latencies,
    waited: u64,
    reply_bytes: u64,
}

/// A volley in figures.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// Requests answered, or handshakes done.
    count: u64,
    /// Replies a second, from the beginning to the last reply.
    per_second: f64,
    /// Latencies from the intended start; without a schedule, from when the connection was idle.
    p50_ms: f64,
    p99_ms: f64,
    /// The generator's own lag: how late requests were sent although a connection was idle.
    lag_p99_ms: f64,
    /// Requests that were due while all connections were busy; 0 without a schedule.
    waited: u64,
    /// Mean bytes of a reply, head included as HTTP/1.1 writes it.
    reply_bytes: f64,
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
            key_exchange,
        }
    }
}
