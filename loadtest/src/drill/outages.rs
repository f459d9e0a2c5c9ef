//! Outages as citizens see them: periods without a receipt.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{clock, live::Live};

/// Interval at which the count of receipts is read: the resolution of every outage.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Shortest outage in mean gaps between receipts; one gap in 500 million is as long by chance (e^-20).
const GAPS_MIN: f64 = 20.0;
/// Shortest outage, because processes on a busy machine pause at times.
const OUTAGE_MIN: Duration = Duration::from_millis(100);

/// The shortest period without a receipt that counts as an outage, at `rate` sessions a second.
#[must_use]
pub fn shortest(rate: f64) -> Duration {
    OUTAGE_MIN.max(Duration::from_secs_f64(GAPS_MIN / rate))
}

/// A period without a receipt.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Outage {
    /// Seconds since the beginning of the load.
    pub begun_s: f64,
    /// Its duration in seconds.
    pub lasted_s: f64,
}

/// Detects outages in readings of a counter.
#[derive(Debug)]
struct Listener {
    begin: Instant,
    shortest: Duration,
    count: u64,
    last_change: Option<Instant>,
    outages: Vec<Outage>,
}

impl Listener {
    fn new(begin: Instant, shortest: Duration) -> Self {
        Self { begin, shortest, count: 0, last_change: None, outages: Vec::new() }
    }

    fn hear(&mut self, now: Instant, count: u64) {
        if count == self.count {
            return;
        }
        self.count = count;
        // The time before the first receipt is no outage.
        if let Some(last) = self.last_change {
            let lasted = now.saturating_duration_since(last);
            if lasted >= self.shortest {
                let begun_s = last.saturating_duration_since(self.begin).as_secs_f64();
                self.outages.push(Outage { begun_s, lasted_s: lasted.as_secs_f64() });
            }
        }
        self.last_change = Some(now);
    }
}

/// Watches `live` until `over`; returns outages of at least `shortest` between the first and the last receipt.
pub fn listen(live: &Live, begin: Instant, shortest: Duration, over: &AtomicBool) -> Vec<Outage> {
    let mut listener = Listener::new(begin, shortest);
    while !over.load(Ordering::Relaxed) {
        listener.hear(clock::now(), live.receipts());
        thread::sleep(LOOK_EVERY);
    }
    listener.outages
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Listener;
    use crate::clock;

    #[test]
    fn only_long_outages_between_receipts_count() {
        let begin = clock::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut listener = Listener::new(begin, Duration::from_millis(500));
        for (ms, count) in [(0, 0), (900, 0), (1000, 1), (1300, 4), (1400, 4), (3300, 5), (3400, 5)]
        {
            listener.hear(at(ms), count);
        }
        assert_eq!(listener.outages.len(), 1);
        assert!((listener.outages[0].begun_s - 1.3).abs() < 1e-6);
        assert!((listener.outages[0].lasted_s - 2.0).abs() < 1e-6);
    }
}
