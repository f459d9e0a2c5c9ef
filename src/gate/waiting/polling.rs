//! When people who wait ask again: all of them together no more often than they may, and each the more often the nearer
//! their turn is.

use super::{
    Config,
    pace::Pace,
    supply::{Rate, Supply},
    turns::Turns,
};

/// Longest time until a person asks again, unless more people wait than may ask in that time.
const POLL_SECONDS_MAX: u32 = 60;
/// The part of the expected wait after which a person asks again, while polls are plentiful and while they are scarce.
/// The time is [spread](Polling::spread) by up to half of itself: with 2/3 nobody is away for longer than they wait. It
/// may be more while the rate of admissions is uncertain, because a lower one would make people ask too often.
const PART_MIN: f64 = 0.25;
const PART_MAX: f64 = 2.0 / 3.0;
/// The part of all polls that is for the people near their turn, while there are any.
const NEAR_SHARE: f64 = 0.5;

/// How long people stay away who ask at one moment.
pub(super) struct Polling {
    /// All polls of people who wait.
    polls: Rate,
    seconds_min: u32,
    seconds_max: u32,
    /// Seconds until all people have asked once.
    everybody_seconds: u32,
    /// The part of the expected wait after which a person asks again.
    part: f64,
}

impl Polling {
    pub(super) fn of(
        config: &Config,
        supply: &Supply,
        people: usize,
        (turns, pace): (&Turns, &Pace),
    ) -> Self {
        let polls = supply.polls.min(Rate::per_second(config.polls_per_second_max.into()));
        let far_share = if turns.to_call() == 0 { 1.0 } else { 1.0 - NEAR_SHARE };
        let everybody_seconds = polls.share(far_share).seconds_for(people).unwrap_or(u32::MAX);
        let seconds_min = config.poll_seconds_min;
        let seconds_max = POLL_SECONDS_MAX.max(seconds_min).max(everybody_seconds);
        // Who asks again each time after a part of their wait asks ln(longest / shortest) / part times.
        let times = (f64::from(seconds_max) / f64::from(seconds_min)).ln();
        let part = pace.assumed().share(times).for_each_of(polls.share(NEAR_SHARE));
        let part_max = if pace.is_controlled() { PART_MAX } else { f64::INFINITY };
        let part = part.clamp(PART_MIN, part_max);
        Self { polls, seconds_min, seconds_max, everybody_seconds, part }
    }

    /// Seconds until a person asks again whose turn is in `wait` seconds.
    pub(super) fn before_turn(&self, wait: u32, spread: u64) -> u32 {
        Self::spread(self.part_of(wait).clamp(self.seconds_min, self.seconds_max), spread)
    }

    /// Seconds until a person asks again who was called, and found that of the places of all who are `called` none is
    /// free.
    pub(super) fn when_called(&self, called: usize, spread: u64) -> u32 {
        let all = self.polls.seconds_for(called).unwrap_or(u32::MAX);
        Self::spread(self.seconds_min.max(all), spread)
    }

    /// Seconds until a person asks again whose round is drawn in `wait` seconds.
    ///
    /// Nobody knows yet whose turn is soon, so all ask equally often, each in a second of the period that is theirs
    /// however early they came. Periods are powers of two: when a longer one is needed, a person's seconds stay theirs.
    pub(super) fn before_draw(&self, wait: u32, (now, theirs): (u32, u64)) -> u32 {
        let wanted =
            self.part_of(wait).clamp(self.seconds_min, POLL_SECONDS_MAX.max(self.seconds_min));
        let period = floor_of_power(wanted).max(ceiling_of_power(self.everybody_seconds));
        #[expect(clippy::cast_possible_truncation, reason = "a second of the period")]
        let theirs = theirs as u32;
        let more = theirs.wrapping_sub(now.wrapping_add(self.seconds_min)) & (period - 1);
        self.seconds_min.saturating_add(more)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds")]
    fn part_of(&self, wait: u32) -> u32 {
        (f64::from(wait) * self.part) as u32
    }

    /// Up to half as much again, so that people do not ask at the same moment.
    fn spread(seconds: u32, spread: u64) -> u32 {
        seconds.saturating_add(u32::try_from(spread % u64::from(seconds / 2 + 1)).unwrap_or(0))
    }
}

/// The highest power of two that is no more than this, seconds.
fn floor_of_power(seconds: u32) -> u32 {
    1 << seconds.max(1).ilog2()
}

/// The lowest power of two that is no less, seconds; 24 days at most.
fn ceiling_of_power(seconds: u32) -> u32 {
    seconds.checked_next_power_of_two().unwrap_or(u32::MAX).min(1 << 21)
}
