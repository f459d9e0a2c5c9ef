//! The waiting room: whoever finds the counter full waits here, and lots decide who goes in next.
//!
//! People wait in *rounds*. Whoever comes while a round is being called is in the next one, the first to come and the last
//! alike. A round is drawn when the one before has been called to its end, and from then on calls its people by their
//! [numbers](super::lottery), the lowest first, as places inside become free. So asking early, often or from several devices
//! changes nothing within a round, and nobody waits longer than the rest of one round and the whole of their own.
//!
//! A place belongs to a person, not to a connection or device: whoever asks again with the same identity finds it. It is given
//! up by whoever stays away longer than they were told to and [`Config::absent_seconds`]. A restart empties the room: who asks
//! again is in the first round of the new one.

mod pace;
mod rounds;
mod seats;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

use jiff::Timestamp;

pub use self::rounds::Round;
use self::{
    pace::Pace,
    rounds::Rounds,
    seats::{Seats, Stage},
};
use super::lottery::{Commitment, Number, Seed};
use crate::{
    civic::FiscalCode,
    identity::Audience,
    vault::{HouseKeys, Subject},
};

/// Rounds whose seeds are told, the latest ones.
pub const ROUNDS_TOLD_MAX: usize = 64;
/// Nobody is told to stay away longer, unless there are more people than may ask in that time.
const POLL_SECONDS_MAX: u32 = 60;
/// People ask this often in the time that they are expected to wait.
const POLLS_IN_WAIT: u32 = 4;
/// Parts of the room that are looked through for absent people, one each time.
const TIDY_PARTS: u32 = 8;

/// The bounds of the waiting room.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// People who wait at a time; further ones are told to come back.
    pub people_max: usize,
    /// A round gathers people at least this long before it is drawn, seconds: else a rush would be many small rounds,
    /// called in the order of arrival.
    pub gather_seconds: u32,
    /// Whoever is overdue by so many seconds has given up their place.
    pub absent_seconds: u32,
    /// Nobody is asked to come back sooner, seconds.
    pub poll_seconds_min: u32,
    /// All who wait are told to come back at such times that at most so many ask in a second.
    pub polls_per_second_max: u32,
}

/// Somebody who asks to be let in, with a verified identity.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Who it is.
    pub person: Subject,
    /// The same as a fiscal code, from which their number is made.
    pub fiscal_code: FiscalCode,
    /// As whom they come.
    pub audience: Audience,
    /// The identity token that was verified.
    pub token: &'a str,
    /// Until when it is valid.
    pub valid_until: Timestamp,
}

/// What somebody who waits is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The round they are in.
    pub round: u64,
    /// Its commitment.
    pub commitment: Commitment,
    /// Once it is drawn: its seed and their number in it.
    pub drawn: Option<(Seed, Number)>,
    /// When to ask again, seconds from now.
    pub poll_seconds: u32,
    /// About how long it takes until they go in, seconds; none while nobody goes in.
    pub estimate_seconds: Option<u32>,
}

/// The waiting room, one for the whole counter.
pub struct Room {
    config: Config,
    keys: Arc<HouseKeys>,
    /// People in the room: entering asks this before anything else.
    people: AtomicUsize,
    /// People who went in since the pace was measured.
    entered: AtomicU32,
    inner: Mutex<Inner>,
}

struct Inner {
    seats: Seats,
    rounds: Rounds,
    pace: Pace,
    /// The seat at which [`Room::tidy`] goes on.
    tidied: u32,
}

impl Room {
    /// An empty room, with its first round ready; rounds are named after the world's time, `real_now`, for a demo's time comes
    /// again.
    #[must_use]
    pub fn new(config: Config, keys: Arc<HouseKeys>, now: Timestamp, real_now: Timestamp) -> Self {
        let inner = Inner {
            seats: Seats::new(config.people_max),
            rounds: Rounds::new(&keys, real_now),
            pace: Pace::from(seconds(now)),
            tidied: 0,
        };
        Self {
            config,
            keys,
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

    /// The place of whoever shows a token that was verified before and is still valid, as long as it is not their turn: most
    /// who ask are those, and verifying a signature costs more than all the rest. `free` is how many may still go in.
    #[must_use]
    pub fn known(&self, token: &str, free: usize, now: Timestamp) -> Option<(Audience, Place)> {
        if self.is_empty() {
            return None;
        }
        self.with(Some(free), now, |inner| {
            let index = inner.seats.of_token(token)?;
            let seat = inner.seats.get(index);
            let (audience, called) = (seat.audience, seat.is_called());
            let calm = !called && seconds(now) < seat.valid_until;
            calm.then(|| (audience, inner.place(index, &self.config, seconds(now))))
        })
    }

    /// Whether whoever shows this token, verified before, was called.
    #[must_use]
    pub fn has_called(&self, token: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let seats = &self.lock().seats;
        let called = |index| seats.get(index).is_called();
        seats.of_token(token).is_some_and(called)
    }

    /// Whether it is a person's turn, when `free` may go in: they were called, or nobody waits.
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

    /// The place of somebody who has to wait, the one that they have or a new one; none when the room is full, too.
    #[must_use]
    pub fn wait(&self, asking: &Asking<'_>, now: Timestamp) -> Option<Place> {
        let (now_s, valid_until) = (seconds(now), seconds(asking.valid_until));
        self.with(None, now, |inner| {
            let known = inner.seats.of_person(asking.person, asking.audience);
            let index = if let Some(index) = known {
                inner.seats.show_token(index, asking.token, valid_until);
                index
            } else {
                let number = inner.rounds.gathering.seed.number(&asking.fiscal_code);
                let index = inner.seats.take(asking, number, valid_until, now_s)?;
                inner.rounds.joined(now_s);
                index
            };
            Some(inner.place(index, &self.config, now_s))
        })
    }

    /// Somebody went in: their place is free, should they have had one.
    pub fn entered(&self, person: Subject, audience: Audience) {
        self.entered.fetch_add(1, Ordering::Relaxed);
        if self.is_empty() {
            return;
        }
        let mut inner = self.lock();
        if let Some(index) = inner.seats.of_person(person, audience) {
            inner.leave(index);
        }
        self.people.store(inner.seats.people(), Ordering::Release);
    }

    /// Looks for people who stay away, measures the pace, and calls and draws what is due; returns the rounds that were drawn
    /// since it was called before. Call it every second or two.
    pub fn tidy(&self, free: usize, now: Timestamp) -> Vec<Round> {
        let now_s = seconds(now);
        let gone_before = now_s.saturating_sub(self.config.absent_seconds);
        self.with(Some(free), now, |inner| {
            let (waits, called) = (inner.seats.people() > 0, inner.rounds.called() > 0);
            inner.pace.measure(now_s, &self.entered, waits, called);
            let from = if inner.tidied < inner.seats.len() { inner.tidied } else { 0 };
            inner.tidied = inner.seats.len().min(from + inner.seats.len() / TIDY_PARTS + 1);
            for index in from..inner.tidied {
                let seat = inner.seats.get(index);
                if seat.stage != Stage::Vacant && seat.due < gone_before {
                    inner.leave(index);
                }
            }
            inner.rounds.untold()
        })
    }

    /// People who wait, by audience.
    #[must_use]
    pub fn waiting(&self) -> [usize; Audience::ALL.len()] {
        self.lock().seats.taken()
    }

    /// The round that whoever comes now would be in, and its commitment.
    #[must_use]
    pub fn next_round(&self) -> (u64, Commitment) {
        let inner = self.lock();
        (inner.rounds.gathering.round, inner.rounds.gathering.commitment)
    }

    /// The latest rounds that were drawn, the newest first, at most [`ROUNDS_TOLD_MAX`].
    #[must_use]
    pub fn drawn(&self) -> Vec<Round> {
        self.lock().rounds.drawn().copied().collect()
    }

    /// Calls and draws what is due, if it is told how many may go in, and then does what is asked for.
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
            let Inner { seats, rounds, pace, .. } = &mut *inner;
            rounds.go_on(seats, &self.config, &self.keys, (free, pace), now);
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
    /// Somebody goes in, or has given up.
    fn leave(&mut self, index: u32) {
        let seat = self.seats.leave(index);
        self.rounds.left(&seat);
    }

    /// What somebody on this seat is told, who is expected back at the time that they are told.
    fn place(&mut self, index: u32, config: &Config, now: u32) -> Place {
        let seat = *self.seats.get(index);
        let ahead = self.rounds.ahead_of(&seat);
        let estimate_seconds = self.pace.seconds_for(ahead);
        // Before the draw nobody goes in: what is worth asking for is what came of it.
        let news_after = if seat.stage == Stage::Gathering { self.rounds.to_call() } else { ahead };
        let spread = u64::from_be_bytes(seat.person) ^ u64::from(now);
        let poll_seconds = self.poll_seconds(news_after, config, spread);
        let due = now.saturating_add(poll_seconds);
        if seat.is_called() {
            self.rounds.expected_no_more(seat.due);
            self.rounds.expected(due);
        }
        self.seats.get_mut(index).due = due;
        let gathering = &self.rounds.gathering;
        let drawn = self.rounds.drawn_round(seat.stage);
        Place {
            round: drawn.map_or(gathering.round, |drawn| drawn.round),
            commitment: drawn.map_or(gathering.commitment, |drawn| drawn.commitment),
            drawn: drawn.map(|drawn| (drawn.seed, seat.number)),
            poll_seconds,
            estimate_seconds,
        }
    }

    /// When to ask again: several times until so many people went in, no more people in a second than may, each at another
    /// moment.
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

/// A moment in whole seconds, in four bytes.
fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
