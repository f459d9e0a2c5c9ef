//! The opening of a time slice: when the people who were refused before it come in.
//!
//! A crowd that waits for 16:00 must not arrive at 16:00:00. So an opening is spread over a time that is long enough for
//! everybody who was refused before it, at the rate at which people outside can be served. When in this time a person's
//! turn is follows from their lot, an HMAC under a secret seed of this opening: asking early, late, often or from several
//! devices does not change it, and who comes sooner is told the same moment again.
//!
//! The time grows while people are refused, so those who were told a shorter one come back once more. It is in memory: a
//! restart forgets who was refused.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::lottery::Number;
use crate::{civic::FiscalCode, identity::Audience, ledger::rounds::Seed, vault::fill_random};

/// How often a person comes back at most: in the time that they were told before all others were refused, and at their
/// turn.
const RETURNS_MAX: f64 = 2.0;
/// Shortest time over which people are asked to come back, seconds. A crowd that can be served in this time comes as it
/// likes: nobody's turn is waited for.
const SPREAD_SECONDS_MIN: f64 = 10.0;
/// Lots that are kept to estimate the number of different people: to one part in thirty.
const LOTS_KEPT: usize = 1_024;

/// The coming or latest opening of each audience.
#[derive(Default)]
pub struct Spread([Mutex<Option<Opening>>; Audience::ALL.len()]);

/// What bounds the time over which an opening is spread.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// People outside who can be served a second.
    pub per_second: f64,
    /// Longest time.
    pub longest: SignedDuration,
}

struct Opening {
    at: Timestamp,
    seed: Seed,
    refused: People,
    /// The time over which it is spread.
    lasts: SignedDuration,
}

/// How many different people there are, estimated from the lowest of their lots: lots are uniform, so the more people,
/// the lower.
#[derive(Default)]
struct People(BTreeSet<Number>);

impl Spread {
    /// Notes that a person was refused because the slice of their audience opens at `opens_at`, and returns when they
    /// come back: at the opening or later.
    #[must_use]
    pub fn refuse(
        &self,
        (audience, person): (Audience, &FiscalCode),
        opens_at: Timestamp,
        pace: Pace,
    ) -> Timestamp {
        let mut opening = self.0[audience as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let opening = match &mut *opening {
            Some(opening) if opening.at == opens_at => opening,
            other => other.insert(Opening::at(opens_at)),
        };
        let lot = opening.seed.number(person);
        opening.refused.add(lot);
        opening.lasts = pace.spread_of(opening.refused.count());
        opening.turn_of(lot)
    }

    /// When a person may enter who comes before their turn in an opening that is spread; `None` if they may now.
    #[must_use]
    pub fn turn_of(
        &self,
        (audience, person): (Audience, &FiscalCode),
        now: Timestamp,
    ) -> Option<Timestamp> {
        let opening = self.0[audience as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let opening = opening.as_ref().filter(|opening| opening.is_under_way(now))?;
        let turn = opening.turn_of(opening.seed.number(person));
        (now < turn).then_some(turn)
    }
}

impl Pace {
    /// The time over which an opening is spread for this many people.
    fn spread_of(self, people: f64) -> SignedDuration {
        let longest = self.longest.as_secs_f64();
        let wanted = RETURNS_MAX * people / self.per_second;
        // A rate of zero makes it infinite, or no number if nobody was refused.
        let seconds = wanted.max(SPREAD_SECONDS_MIN).min(longest);
        SignedDuration::from_secs_f64(seconds)
    }
}

impl Opening {
    fn at(at: Timestamp) -> Self {
        let mut seed = Seed([0; 32]);
        fill_random(&mut seed.0);
        Self { at, seed, refused: People::default(), lasts: SignedDuration::ZERO }
    }

    fn turn_of(&self, lot: Number) -> Timestamp {
        let after = self.lasts.as_secs_f64() * lot.share_below();
        self.at.saturating_add(SignedDuration::from_secs_f64(after)).unwrap_or(Timestamp::MAX)
    }

    /// Whether people come in turn now: the slice has opened, and those who were refused are too many to come at once.
    fn is_under_way(&self, now: Timestamp) -> bool {
        let since = now.duration_since(self.at);
        self.lasts.as_secs_f64() > SPREAD_SECONDS_MIN
            && since >= SignedDuration::ZERO
            && since < self.lasts
    }
}

impl People {
    fn add(&mut self, lot: Number) {
        if self.0.len() < LOTS_KEPT || self.0.last().is_some_and(|highest| lot < *highest) {
            self.0.insert(lot);
            if self.0.len() > LOTS_KEPT {
                self.0.pop_last();
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn count(&self) -> f64 {
        match self.0.last() {
            Some(highest) if self.0.len() == LOTS_KEPT => {
                (LOTS_KEPT - 1) as f64 / highest.share_below()
            }
            _ => self.0.len() as f64,
        }
    }
}

#[cfg(test)]
mod tests;
