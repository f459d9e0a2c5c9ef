//! Visits whose session has ended: none of them opens a session again.
//!
//! A restart reads them from the journal again. Two generations bound the memory: the older one is forgotten once a day,
//! or as soon as the newer one is full.

use std::{
    collections::HashSet,
    hash::BuildHasherDefault,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use super::secret_hash::{SecretHash, Unhashed};

/// Visits in one generation, for at most 19 MB. Space is reserved at the start: growing the table would block everybody.
const GENERATION_MAX: usize = 1_800_000;
/// How long a generation is filled.
const GENERATION_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// The visits that ended within a day, and some of the day before. If more than [`GENERATION_MAX`] end in a day, those
/// that ended first are forgotten earlier: then their client, who alone knows them, could use them again.
pub(super) struct Ended(Mutex<Generations>);

struct Generations {
    generation_max: usize,
    newer: Generation,
    older: Generation,
    since: Timestamp,
}

type Generation = HashSet<u64, BuildHasherDefault<Unhashed>>;

impl Ended {
    pub(super) fn new() -> Self {
        Self::with_generations_of(GENERATION_MAX)
    }

    fn with_generations_of(generation_max: usize) -> Self {
        let generation =
            || Generation::with_capacity_and_hasher(generation_max, BuildHasherDefault::default());
        Self(Mutex::new(Generations {
            generation_max,
            newer: generation(),
            older: generation(),
            since: Timestamp::MIN,
        }))
    }

    pub(super) fn add(&self, visit: SecretHash) {
        let mut generations = self.lock();
        if generations.newer.len() >= generations.generation_max {
            generations.turn();
        }
        generations.newer.insert(visit.word());
    }

    pub(super) fn contains(&self, visit: SecretHash) -> bool {
        let generations = self.lock();
        [&generations.newer, &generations.older].iter().any(|all| all.contains(&visit.word()))
    }

    /// Forgets what ended more than two days ago. Call it at least once a day.
    pub(super) fn sweep(&self, now: Timestamp) {
        let mut generations = self.lock();
        if now.duration_since(generations.since) >= GENERATION_LASTS {
            generations.turn();
            generations.since = now;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn turn(&mut self) {
        std::mem::swap(&mut self.newer, &mut self.older);
        self.newer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Subject;

    #[test]
    fn a_visit_is_remembered_for_a_day_and_not_for_ever() {
        let ended = Ended::new();
        let [first, second] = [1, 2].map(|n| SecretHash::of_visit(Subject([n; 16])));
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        ended.sweep(at(1));
        ended.add(first);
        ended.sweep(at(24));
        ended.add(second);
        assert!(ended.contains(first));
        ended.sweep(at(25));
        assert!(ended.contains(first) && ended.contains(second));
        ended.sweep(at(49));
        assert!(!ended.contains(first) && !ended.contains(second));
    }

    #[test]
    fn the_first_are_forgotten_when_too_many_end_in_a_day() {
        let ended = Ended::with_generations_of(10);
        let visit = |n: usize| SecretHash::of(&n.to_string());
        for n in 0..=20 {
            ended.add(visit(n));
        }
        assert!(!ended.contains(visit(0)) && ended.contains(visit(10)));
    }
}
