//! The waiting room: when the counter is full people wait here, and a draw decides who enters next.
//!
//! People wait in *rounds*. All who come while a round is being called join the next one. A round is drawn when
//! everybody in the one before has been called; then its people are called by their [numbers](super::lottery), the
//! lowest first, as leases become free. So asking early, often or from several devices changes nothing within a round,
//! and nobody waits longer than the rest of one round and the whole of their own.
//!
//! A seat belongs to a person, not to a connection or device: it is found again by the same identity. A person who does
//! not ask again in time, and [`Config::absent_seconds`] later still has not, gives it up. A restart empties the room:
//! people who ask again join its first round.

mod pace;
mod seats;
mod turns;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

use jiff::Timestamp;

use self::{
    pace::Pace,
    seats::{Seats, Stage, seconds},
    turns::Turns,
};
pub use self::{
    seats::Asking,
    turns::{DRAWN_ROUNDS_MAX, DrawnRound},
};
use super::lottery::{Commitment, Number, Rounds, Seed};
use crate::{identity::Audience, vault::Subject};

/// Longest time until a person asks again, unless more people wait than may ask in that time.
const POLL_SECONDS_MAX: u32 = 60;
/// How many times a person asks during the expected wait.
const POLLS_IN_WAIT: u32 = 4;
/// [`Room::tidy`] searches this part of the room for absent people at each call: an eighth.
const TIDY_PARTS: u32 = 8;

/// The bounds of the waiting room.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// People who wait at a time; further ones are refused.
    pub people_max: usize,
    /// Shortest time for which a round gathers people, seconds: otherwise a rush would make many small rounds, called
    /// in the order of arrival.
    pub gather_seconds: u32,
    /// A person who is overdue by this many seconds loses their seat.
    pub absent_seconds: u32,
    /// Shortest time until a person asks again, seconds.
    pub poll_seconds_min: u32,
    /// Requests a second of all people who wait; the time until each asks again follows from it.
    pub polls_per_second_max: u32,
}

/// What a person who waits may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The round they are in.
    pub round: u64,
    /// Its commitment.
    pub commitment: Commitment,
    /// Once it is drawn: its seed and their number in it.
    pub drawn: Option<(Seed, Number)>,
    /// When to ask again, seconds from now.
    pub poll_seconds: u32,
    /// Estimate until they enter, seconds; `None` while nearly nobody enters.
    pub estimate_seconds: Option<u32>,
}

/// The waiting room, one for all runtimes.
pub struct Room {
    config: Config,
    /// How many people are in the room: lets a request skip the lock while nobody waits.
    people: AtomicUsize,
    /// How many people entered since the rate was measured.
    entered: AtomicU32,
    inner: Mutex<Inner>,
}

struct Inner {
    seats: Seats,
    turns: Turns,
    pace: Pace,
    /// The seat at which [`Room::tidy`] continues.
    tidied: u32,
}

impl Room {
    /// An empty room, with its first round ready. That round is named after `real_now`: a demo's `now` repeats at each
    /// start.
    #[must_use]
    pub fn new(
        config: Config,
        rounds: Arc<impl Rounds + 'static>,
        now: Timestamp,
        real_now: Timestamp,
    ) -> Self {
        let waits = (config.gather_seconds, config.absent_seconds);
        let inner = Inner {
            seats: Seats::new(config.people_max),
            turns: Turns::new(rounds, waits, real_now),
            pace: Pace::from(seconds(now)),
            tidied: 0,
        };
        Self {
            config,
            people: AtomicUsize::new(0),
            entered: AtomicU32::new(0),
            inner: Mutex::new(inner),
        }
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.people.load(Ordering::Acquire) == 0
    }

    /// The answer to a person who waits and is not called yet; `None` if they were called or have no seat. Most requests
    /// are of this kind. `free` is how many people can enter now.
    #[must_use]
    pub fn known(
        &self,
        person: Subject,
        audience: Audience,
        free: usize,
        now: Timestamp,
    ) -> Option<Waiting> {
        if self.is_empty() {
            return None;
        }
        self.with(Some(free), now, |inner| {
            let index = inner.seats.of_person(person, audience)?;
            let waits = !inner.seats.get(index).is_called();
            waits.then(|| inner.answer(index, &self.config, seconds(now)))
        })
    }

    /// The answer to a person who has a seat, called or not, and does not ask to enter.
    #[must_use]
    pub fn look(&self, person: Subject, audience: Audience, now: Timestamp) -> Option<Waiting> {
        self.with(None, now, |inner| {
            let index = inner.seats.of_person(person, audience)?;
            Some(inner.answer(index, &self.config, seconds(now)))
        })
    }

    /// Whether a person may enter: they were called, or nobody waits. `free` is how many people can enter now.
    #[must_use]
    pub fn turn_of(
        &self,
        person: Subject,
        audience: Audience,
        free: usize,
        now: Timestamp,
    ) -> bool {
        if self.is_empty() {
            return free > 0;
        }
        self.with(Some(free), now, |inner| {
            let index = inner.seats.of_person(person, audience);
            inner.seats.people() == 0
                || index.is_some_and(|index| inner.seats.get(index).is_called())
        })
    }

    /// The answer to a person who has to wait, on the seat that they have or a new one; `None` if all seats are taken.
    #[must_use]
    pub fn wait(&self, asking: &Asking, now: Timestamp) -> Option<Waiting> {
        let now_s = seconds(now);
        self.with(None, now, |inner| {
            let known = inner.seats.of_person(asking.person, asking.audience);
            let index = if let Some(index) = known {
                index
            } else {
                let number = inner.turns.gathering.seed.number(&asking.fiscal_code);
                let index = inner.seats.take(asking, number, now_s)?;
                inner.turns.joined(now_s);
                index
            };
            Some(inner.answer(index, &self.config, now_s))
        })
    }

    /// Notes that a person entered, and frees their seat if they had one.
    pub fn entered(&self, person: Subject, audience: Audience) {
        self.entered.fetch_add(1, Ordering::Relaxed);
        self.give_up(person, audience);
    }

    /// Frees a person's seat; whether they had one.
    pub fn give_up(&self, person: Subject, audience: Audience) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut inner = self.lock();
        let seat = inner.seats.of_person(person, audience);
        if let Some(index) = seat {
            inner.leave(index);
        }
        self.people.store(inner.seats.people(), Ordering::Release);
        seat.is_some()
    }

    /// Removes absent people, measures the rate, and calls and draws what is due; returns the rounds that were drawn
    /// since the last call. Call it every second or two.
    pub fn tidy(&self, free: usize, now: Timestamp) -> Vec<DrawnRound> {
        let now_s = seconds(now);
        let gone_before = now_s.saturating_sub(self.config.absent_seconds);
        self.with(Some(free), now, |inner| {
            let (waits, called) = (inner.seats.people() > 0, inner.turns.called() > 0);
            inner.pace.measure(now_s, &self.entered, waits, called);
            let from = if inner.tidied < inner.seats.len() { inner.tidied } else { 0 };
            inner.tidied = inner.seats.len().min(from + inner.seats.len() / TIDY_PARTS + 1);
            for index in from..inner.tidied {
                let seat = inner.seats.get(index);
                if seat.stage != Stage::Vacant && seat.due < gone_before {
                    inner.leave(index);
                }
            }
            inner.turns.take_drawn()
        })
    }

    /// How many people wait, by audience.
    #[must_use]
    pub fn waiting(&self) -> [usize; Audience::ALL.len()] {
        self.lock().seats.taken()
    }

    /// The round that a person who comes now would join, and its commitment.
    #[must_use]
    pub fn next_round(&self) -> (u64, Commitment) {
        let gathering = &self.lock().turns.gathering;
        (gathering.round, gathering.commitment)
    }

    /// The latest drawn rounds, the newest first, at most [`DRAWN_ROUNDS_MAX`].
    #[must_use]
    pub fn drawn(&self) -> Vec<DrawnRound> {
        self.lock().turns.drawn().copied().collect()
    }

    /// Calls and draws what is due if `free` is given, then runs `work`.
    fn with<T>(
        &self,
        free: Option<usize>,
        now: Timestamp,
        work: impl FnOnce(&mut Inner) -> T,
    ) -> T {
        let mut inner = self.lock();
        if let Some(free) = free {
            inner.pace.saw(free);
        }
        if let Some(free @ 1..) = free {
            let Inner { seats, turns, pace, .. } = &mut *inner;
            turns.call(seats, (free, pace), now);
        }
        let done = work(&mut inner);
        self.people.store(inner.seats.people(), Ordering::Release);
        done
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Frees the seat of a person who enters, or has given up.
    fn leave(&mut self, index: u32) {
        let seat = self.seats.leave(index);
        self.turns.left(&seat);
    }

    /// The answer to the person on this seat, who is then expected when it says.
    fn answer(&mut self, index: u32, config: &Config, now: u32) -> Waiting {
        let seat = *self.seats.get(index);
        let ahead = self.turns.ahead_of(&seat);
        let estimate_seconds = self.pace.seconds_for(ahead);
        // Nobody of a gathering round enters before its draw, so the draw is the next thing worth asking for.
        let news_after = if seat.stage == Stage::Gathering { self.turns.to_call() } else { ahead };
        let spread = u64::from_be_bytes(seat.person) ^ u64::from(now);
        let poll_seconds = self.poll_seconds(news_after, config, spread);
        let due = now.saturating_add(poll_seconds);
        if seat.is_called() {
            self.turns.expected_no_more(seat.due);
            self.turns.expected(due);
        }
        self.seats.get_mut(index).due = due;
        let gathering = &self.turns.gathering;
        let drawn = self.turns.drawn_round(seat.stage);
        Waiting {
            round: drawn.map_or(gathering.round, |drawn| drawn.round),
            commitment: drawn.map_or(gathering.commitment, |drawn| drawn.commitment),
            drawn: drawn.map(|drawn| (drawn.seed, seat.number)),
            poll_seconds,
            estimate_seconds,
        }
    }

    /// Seconds until to ask again: several times until `news_after` people have entered, bounded by [`Config`], and
    /// spread so that people do not ask at the same moment.
    fn poll_seconds(&self, news_after: usize, config: &Config, spread: u64) -> u32 {
        let people = u32::try_from(self.seats.people()).unwrap_or(u32::MAX);
        let longest = POLL_SECONDS_MAX.max(config.poll_seconds_min);
        let wanted = self.pace.seconds_at_most(news_after) / POLLS_IN_WAIT;
        let base = wanted
            .clamp(config.poll_seconds_min, longest)
            .max(people / config.polls_per_second_max);
        base.saturating_add(u32::try_from(spread % u64::from(base / 2 + 1)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
