//! How long nobody was served: stretches without a receipt, seen from outside.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{clock, live::Live};

/// How often the count of receipts is looked at: the grain of every silence.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A silence is so many mean gaps between receipts long at least: by chance one in 500 million is.
const GAPS_MIN: f64 = 20.0;
/// And no shorter than this: on a busy machine everybody pauses now and then.
const SILENCE_MIN: Duration = Duration::from_millis(100);

/// The shortest time without a receipt that counts, at `rate` sessions a second.
#[must_use]
pub fn shortest(rate: f64) -> Duration {
    SILENCE_MIN.max(Duration::from_secs_f64(GAPS_MIN / rate))
}

/// One stretch without a receipt.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Silence {
    /// From the beginning of the watch.
    pub begun_s: f64,
    /// How long.
    pub lasted_s: f64,
}

/// Collects silences from readings of a counter.
#[derive(Debug)]
struct Listener {
    begin: Instant,
    shortest: Duration,
    count: u64,
    last_change: Option<Instant>,
    silences: Vec<Silence>,
}

impl Listener {
    fn new(begin: Instant, shortest: Duration) -> Self {
        Self { begin, shortest, count: 0, last_change: None, silences: Vec::new() }
    }

    fn hear(&mut self, now: Instant, count: u64) {
        if count == self.count {
            return;
        }
        self.count = count;
        // Before the first receipt nobody was served yet, which is no outage.
        if let Some(last) = self.last_change {
            let lasted = now.saturating_duration_since(last);
            if lasted >= self.shortest {
                let begun_s = last.saturating_duration_since(self.begin).as_secs_f64();
                self.silences.push(Silence { begun_s, lasted_s: lasted.as_secs_f64() });
            }
        }
        self.last_change = Some(now);
    }
}

/// Listens to `live` until `over`; silences of `shortest` and more between the first and the last receipt.
pub fn listen(live: &Live, begin: Instant, shortest: Duration, over: &AtomicBool) -> Vec<Silence> {
    let mut listener = Listener::new(begin, shortest);
    while !over.load(Ordering::Relaxed) {
        listener.hear(clock::now(), live.receipts());
        thread::sleep(LOOK_EVERY);
    }
    listener.silences
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Listener;
    use crate::clock;

    #[test]
    fn only_long_silences_between_receipts_count() {
        let begin = clock::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut listener = Listener::new(begin, Duration::from_millis(500));
        for (ms, count) in [(0, 0), (900, 0), (1000, 1), (1300, 4), (1400, 4), (3300, 5), (3400, 5)]
        {
            listener.hear(at(ms), count);
        }
        assert_eq!(listener.silences.len(), 1);
        assert!((listener.silences[0].begun_s - 1.3).abs() < 1e-6);
        assert!((listener.silences[0].lasted_s - 2.0).abs() < 1e-6);
    }
}
