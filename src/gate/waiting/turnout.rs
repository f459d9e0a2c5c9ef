//! The turnout: what share of the people who are called come.

/// Half-life of the weight of people, seconds.
const HALF_LIFE_SECONDS: f64 = 10.0;
/// The latest people whose weight stays, however long ago they were called.
const PEOPLE_MIN: f64 = 100.0;
/// Least share that is believed: a lower one would call the whole round at once.
const SHARE_MIN: f64 = 0.1;

/// Of the people who were called lately, how many came and how many did not.
///
/// The weights are numbers of people, not of reports: absences are noticed once a second and all together, arrivals one
/// by one. With a fixed weight a report, in a large crowd the absent people of one second outweigh all who came before.
pub(super) struct Turnout {
    came: f64,
    absent: f64,
}

impl Turnout {
    /// Before anybody was called, all are expected to come.
    pub(super) fn of_everybody() -> Self {
        Self { came: PEOPLE_MIN, absent: 0.0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "people")]
    pub(super) fn count(&mut self, came: usize, absent: usize) {
        self.came += came as f64;
        self.absent += absent as f64;
    }

    /// Some seconds have passed.
    pub(super) fn forget(&mut self, seconds: u32) {
        let kept = 0.5_f64.powf(f64::from(seconds) / HALF_LIFE_SECONDS);
        let kept = kept.max(PEOPLE_MIN / (self.came + self.absent)).min(1.0);
        self.came *= kept;
        self.absent *= kept;
    }

    /// The share of people who come when they are called.
    pub(super) fn share(&self) -> f64 {
        (self.came / (self.came + self.absent)).max(SHARE_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_that_stays_away_counts_as_one_however_many_are_called_a_second() {
        for called in [20, 1_000, 8_000, 100_000] {
            let mut turnout = Turnout::of_everybody();
            for second in 0..120 {
                turnout.forget(1);
                turnout.count(0, called / 20);
                let after_absences = turnout.share();
                (0..called - called / 20).for_each(|_| turnout.count(1, 0));
                if second > 30 {
                    let shares = [after_absences, turnout.share()];
                    assert!(shares.iter().all(|share| (0.85..0.99).contains(share)), "{shares:?}");
                }
            }
        }
    }

    #[test]
    fn a_crowd_that_stays_away_is_noticed_within_half_a_minute_and_so_is_its_return() {
        let mut turnout = Turnout::of_everybody();
        for (comes, expected) in [(false, 0.1..0.2), (true, 0.8..1.0)] {
            for _ in 0..30 {
                turnout.forget(1);
                turnout.count(if comes { 1_000 } else { 0 }, if comes { 0 } else { 1_000 });
            }
            assert!(expected.contains(&turnout.share()), "{}", turnout.share());
        }
    }
}
