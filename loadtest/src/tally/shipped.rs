//! A tally on its way from one generator process to another: what a run with several processes reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Latencies, Reasons, Tally, latencies::Recorded, timeline::ShippedStretch};

/// The counts of one generator process. Latencies of steps and statuses, which such a run does not report, stay behind.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Shipped {
    /// `enter`, `submit`, `read`, `session`, `refusal`, `lag`.
    latencies: [Recorded; 6],
    /// `retried`, `refused`, `failed`.
    reasons: [BTreeMap<String, u64>; 3],
    /// In the order of [`counts`].
    counts: [u64; 14],
    timeline: Vec<ShippedStretch>,
}

fn latencies(tally: &mut Tally) -> [&mut Latencies; 6] {
    let Tally { enter, submit, read, session, refusal, lag, .. } = tally;
    [enter, submit, read, session, refusal, lag]
}

fn reasons(tally: &mut Tally) -> [&mut Reasons; 3] {
    [&mut tally.retried, &mut tally.refused, &mut tally.failed]
}

fn counts(tally: &mut Tally) -> [&mut u64; 14] {
    let Tally { offered, served, crossed, overflowed, abandoned, let_in, left, .. } = tally;
    let Tally { impatient, unfinished, connection_waits, wanted, receipts, timely, .. } = tally;
    let owners_checked = &mut tally.owners_checked;
    [
        offered,
        served,
        crossed,
        overflowed,
        abandoned,
        let_in,
        left,
        impatient,
        unfinished,
        connection_waits,
        wanted,
        receipts,
        timely,
        owners_checked,
    ]
}

impl Tally {
    /// Packs the counts.
    #[must_use]
    pub fn ship(mut self) -> Shipped {
        Shipped {
            latencies: latencies(&mut self).map(|one| one.recorded()),
            reasons: reasons(&mut self).map(|one| one.by_reason().clone()),
            counts: counts(&mut self).map(|count| *count),
            timeline: self.timeline.ship(),
        }
    }

    /// Adds the counts of another process, whose run began at the same time and is as long.
    pub fn receive(&mut self, shipped: Shipped) {
        for (mine, theirs) in latencies(self).into_iter().zip(shipped.latencies) {
            mine.receive(&theirs);
        }
        for (mine, theirs) in reasons(self).into_iter().zip(shipped.reasons) {
            for (reason, count) in &theirs {
                mine.add(reason, *count);
            }
        }
        for (mine, theirs) in counts(self).into_iter().zip(shipped.counts) {
            *mine += theirs;
        }
        self.timeline.receive(&shipped.timeline);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Shipped;
    use crate::{
        clock,
        tally::{Ending, Tally},
    };

    #[test]
    fn a_tally_arrives_as_it_was_shipped() {
        let begin = clock::now();
        let second = Duration::from_secs(1);
        let mut tally = Tally::new(begin, second * 10);
        tally.offer(begin, 1);
        tally.start(begin, Duration::from_millis(3));
        tally.let_in(begin + second);
        tally.again(begin + second, false, "503 busy");
        tally.receipt(begin + second, Duration::from_millis(40), second);
        tally.leave(&Ending::Served, begin + second);
        tally.end(&Ending::Served, begin, begin + second);
        let bytes = serde_json::to_vec(&tally.clone().ship()).expect("JSON");
        let shipped: Shipped = serde_json::from_slice(&bytes).expect("the same JSON");
        let mut arrived = Tally::new(begin, second * 10);
        arrived.receive(shipped);
        let counts = |tally: &Tally| (tally.offered, tally.receipts, tally.let_in, tally.left);
        assert_eq!(counts(&arrived), counts(&tally));
        assert_eq!(arrived.timeline.stretches(), tally.timeline.stretches());
        assert_eq!(arrived.timeline.span(0..2).again["outside: 503 busy"], 1);
        let p99 = |tally: &Tally| (tally.submit.quantile_ms(0.99), tally.lag.quantile_ms(0.99));
        assert_eq!(p99(&arrived), p99(&tally));
        arrived.receive(tally.ship());
        assert_eq!((arrived.offered, arrived.submit.count()), (2, 2));
    }
}
