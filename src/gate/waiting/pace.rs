//! How fast people go in.

/// How fast the pace follows what was measured last.
const FOLLOWS: f64 = 0.3;

/// How many go in a second, measured while somebody waits.
pub(super) struct Pace {
    per_second: f64,
    entered: u32,
    since: u32,
}

impl Pace {
    pub(super) fn from(now: u32) -> Self {
        Self { per_second: 0.0, entered: 0, since: now }
    }

    /// Somebody went in.
    pub(super) fn entered(&mut self) {
        self.entered += 1;
    }

    /// Takes in what was counted since the last time.
    pub(super) fn measure(&mut self, now: u32) {
        let elapsed = now.saturating_sub(self.since);
        if elapsed == 0 {
            return;
        }
        let latest = f64::from(self.entered) / f64::from(elapsed);
        self.per_second += FOLLOWS * (latest - self.per_second);
        self.entered = 0;
        self.since = now;
    }

    /// How many go in within so many seconds.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "people")]
    pub(super) fn people_in(&self, seconds: f64) -> usize {
        (self.per_second * seconds) as usize
    }

    /// How long so many people take; none while hardly anybody goes in.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of seconds"
    )]
    pub(super) fn seconds_for(&self, people: usize) -> Option<u32> {
        let seconds = (people as f64 / self.per_second).ceil();
        (seconds <= f64::from(u32::MAX)).then_some(seconds as u32)
    }
}
