//! What a volley counts, and the figures it tells.

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
pub(super) struct Told {
    /// Requests answered, or handshakes done.
    count: u64,
    /// From the beginning to the last answer.
    seconds: f64,
    /// Answers a second.
    per_second: f64,
    /// Latencies count from the intended start; in a closed loop from when the line was idle.
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Of the generator itself: how late requests went for which a line was idle.
    lag_p99_ms: f64,
    /// Requests that were due while all lines were busy. Of a closed loop none are.
    waited: u64,
    /// Bytes of a reply on average, head included as HTTP/1.1 writes it.
    reply_bytes: f64,
    /// What the keys of a connection were agreed with.
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

    /// Counts an answer to the request of `turn` that has just come.
    pub(super) fn answer(&mut self, turn: Turn, reply_bytes: usize) {
        self.last = clock::now();
        self.latencies.record(self.last.saturating_duration_since(turn.due));
        self.lags.record(turn.lag);
        self.waited += u64::from(turn.waited);
        self.reply_bytes += reply_bytes as u64;
    }

    pub(super) fn told(&self, key_exchange: String) -> Told {
        let (count, elapsed) = (self.latencies.count(), self.last.duration_since(self.begin));
        Told {
            count,
            seconds: elapsed.as_secs_f64(),
            per_second: figures::per_second(count, elapsed),
            p50_ms: self.latencies.quantile_ms(0.5),
            p99_ms: self.latencies.quantile_ms(0.99),
            max_ms: self.latencies.longest_ms(),
            lag_p99_ms: self.lags.quantile_ms(0.99),
            waited: self.waited,
            reply_bytes: figures::share(self.reply_bytes, count),
            key_exchange,
        }
    }
}
