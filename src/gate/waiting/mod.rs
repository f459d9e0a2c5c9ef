//! The waiting room: when the counter is full people wait here, and a draw decides who enters next.
//!
//! People wait in *rounds*. All who come while a round is being called join the next one. A round is closed when
//! everybody in the one before has been called, and [drawn](Room::draw) at once or when the value of its beacon round
//! has arrived; then its people are called by their [numbers](super::lottery), the lowest first, as leases become free.
//! So asking early, often or from several devices changes nothing within a round, and nobody waits longer than the rest
//! of one round and the whole of their own.
//!
//! A seat belongs to a person, not to a connection or device: it is found again by the same identity. A person who does
//! not ask again in time, and [`Config::absent_seconds`] later still has not, gives it up. The journal knows who sits where
//! and who was called, so a restart changes nothing of it.

mod answering;
mod drawing;
mod nodes;
mod others;
mod pace;
mod polling;
mod restoring;
mod seats;
mod supply;
mod turnout;
mod turns;

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

use jiff::Timestamp;

pub use self::{
    others::JOINS_LAST,
    restoring::Remembered,
    seats::{Asking, Waiter},
    supply::{Rate, Supply},
};
use self::{
    others::Nodes,
    pace::Pace,
    seats::{Seats, Stage, seconds},
    turns::Turns,
};
use super::{beacon::Beacon, lottery::Number};
use crate::{
    identity::Audience,
    ledger::{
        journal::{Event, Journal, Node, SeatEntry},
        rounds::{Chain, Commitment, DrawnRound, Rounds, Seed},
    },
    vault::Subject,
};

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
    /// The beacon round with whose value their number is or will be mixed.
    pub beacon_round: Option<u64>,
    /// Whether it is their turn.
    pub is_called: bool,
    /// Once it is drawn: its seed and their number in it.
    pub drawn: Option<(Seed, Number)>,
    /// When to ask again, seconds from now.
    pub poll_seconds: u32,
    /// Estimate until they enter, seconds; `None` while nearly nobody enters.
    pub estimate_seconds: Option<u32>,
}

/// What everybody may know of the draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draws {
    /// The latest drawn rounds, the newest first.
    pub drawn: Vec<DrawnRound>,
    /// The round that waits for its beacon: its index, its commitment and the beacon round.
    pub closed: Option<(u64, Commitment, u64)>,
    /// The chain of the next round that is drawn, and the chain after it.
    pub chains: [Chain; 2],
}

/// The waiting room, one for all runtimes.
pub struct Room {
    config: Config,
    beacon: Option<Beacon>,
    /// Held by the thread that draws, also while it waits for the disk.
    rounds: Mutex<Box<dyn Rounds>>,
    journal: Arc<dyn Journal>,
    /// Called when a round was closed.
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
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
    /// The other nodes, if there may be some.
    nodes: Option<Nodes>,
}

impl Room {
    /// The room as it is `remembered`; an empty one if nobody waited. Numbers are mixed with `beacon`, if there is one.
    #[must_use]
    pub fn new(
        config: Config,
        rounds: Box<dyn Rounds>,
        beacon: Option<Beacon>,
        (journal, remembered): (Arc<dyn Journal>, Remembered),
        now: Timestamp,
    ) -> Self {
        let waits = (config.gather_seconds, config.absent_seconds);
        let mut inner = Inner {
            seats: Seats::new(config.people_max, Arc::clone(&journal)),
            turns: Turns::new(rounds.outlook(), waits),
            pace: Pace::from(seconds(now)),
            tidied: 0,
            nodes: journal.is_shared().then(Nodes::default),
        };
        inner.restore(remembered, &config, seconds(now));
        Self {
            config,
            beacon,
            rounds: Mutex::new(rounds),
            journal,
            wake: OnceLock::new(),
            people: AtomicUsize::new(inner.seats.people()),
            entered: AtomicU32::new(0),
            inner: Mutex::new(inner),
        }
    }

    /// Sets what is called when a round was closed, so that it can be [drawn](Self::draw) at once. Only the first call
    /// counts.
    pub fn on_closed(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _set_before = self.wake.set(Box::new(wake));
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.people.load(Ordering::Acquire) == 0
    }

    /// The answer to a person who waits and may not enter yet; `None` if it is their turn or they have no seat. Most
    /// requests are of this kind.
    #[must_use]
    pub fn known(
        &self,
        person: Subject,
        audience: Audience,
        supply: &Supply,
        now: Timestamp,
    ) -> Option<Waiting> {
        if self.is_empty() {
            return None;
        }
        self.calling(supply, now, |inner| {
            let index = inner.comes_back(person, audience, seconds(now))?;
            let waits = !inner.may_enter(index, supply, seconds(now));
            waits.then(|| inner.answer(index, &self.config, supply, seconds(now)))
        })
    }

    /// The answer to a person who has a seat, called or not, and does not ask to enter.
    #[must_use]
    pub fn look(
        &self,
        person: Subject,
        audience: Audience,
        supply: &Supply,
        now: Timestamp,
    ) -> Option<Waiting> {
        self.with(|inner| {
            let index = inner.comes_back(person, audience, seconds(now))?;
            Some(inner.answer(index, &self.config, supply, seconds(now)))
        })
    }

    /// Whether a person may enter: they were called and do not ask too early; or they have no seat, and the place that they
    /// take will be missing to nobody.
    #[must_use]
    pub fn turn_of(
        &self,
        person: Subject,
        audience: Audience,
        supply: &Supply,
        now: Timestamp,
    ) -> bool {
        if self.is_empty() {
            return supply.free > 0;
        }
        self.calling(supply, now, |inner| match inner.comes_back(person, audience, seconds(now)) {
            Some(index) => inner.may_enter(index, supply, seconds(now)),
            None => inner.leaves_a_place(&self.config, supply, seconds(now)),
        })
    }

    /// The answer to a person who has to wait, on the seat that they have or a new one; `None` if all seats are taken.
    ///
    /// Who `held` a seat in the closed round gets one in it again: a power cut may have taken it, and people cannot gain
    /// by coming back to a round that they were in.
    #[must_use]
    pub fn wait(
        &self,
        asking: &Asking,
        held: Option<u64>,
        supply: &Supply,
        now: Timestamp,
    ) -> Option<Waiting> {
        let now_s = seconds(now);
        self.with(|inner| {
            let known = inner.comes_back(asking.person, asking.audience, now_s);
            let index = if let Some(index) = known {
                index
            } else {
                // One seat a person: who waits as a citizen gives up the seat of their office, and the reverse.
                for audience in Audience::ALL {
                    if let Some(other) = inner.seats.of_person(asking.person, audience) {
                        inner.leave(other);
                    }
                }
                let joined = inner.turns.round_to_join(held);
                let number = joined.seed.number(&asking.fiscal_code);
                let index = inner.seats.take(asking, (joined.round, number), now_s)?;
                joined.join(now_s);
                index
            };
            Some(inner.answer(index, &self.config, supply, now_s))
        })
    }

    /// Of many nodes, the seat on which a person was called and its round: the first visit to
    /// [claim](Journal::claim_entry) it lets them in.
    #[must_use]
    pub fn called(&self, person: Subject) -> Option<SeatEntry> {
        if !self.journal.is_shared() || self.is_empty() {
            return None;
        }
        let inner = self.lock();
        Audience::ALL.into_iter().find_map(|audience| {
            let seat = *inner.seats.get(inner.seats.of_person(person, audience)?);
            let round = inner.turns.round_of(seat.stage).err().map(|drawn| drawn.round)?;
            Some(SeatEntry { who: seat.who(), round })
        })
    }

    /// Notes that a person entered, and frees their seats if they had any.
    pub fn entered(&self, person: Subject) {
        self.entered.fetch_add(1, Ordering::Relaxed);
        self.leave(person);
    }

    /// Frees the seats of a person who enters at another node.
    pub fn leave(&self, person: Subject) {
        for audience in Audience::ALL {
            self.give_up(person, audience);
        }
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

    /// Notes that the connection of a person who waits was closed. They keep their seat, but until they ask again no lease
    /// is kept free for them: people who leave together would leave the counter empty.
    pub fn has_gone(&self, waiter: Waiter) {
        if self.is_empty() {
            return;
        }
        let mut inner = self.lock();
        let seat = inner.seats.of_person(waiter.person, waiter.audience);
        if let Some(index) = seat.filter(|index| inner.seats.get(*index).elsewhere.is_none()) {
            inner.has_gone(index);
        }
    }

    /// Removes absent people, measures the rate, calls people and closes the round that is due. Call it every second or
    /// two.
    pub fn tidy(&self, supply: &Supply, now: Timestamp) {
        let now_s = seconds(now);
        let gone_before = now_s.saturating_sub(self.config.absent_seconds);
        self.calling(supply, now, |inner| {
            let called = inner.turns.called();
            // Free leases say nothing while people for them are on their way: of many nodes, the one that calls learns late.
            let is_known = inner.nodes.is_none() || called < supply.free;
            let waits = inner.seats.people() > 0 && is_known;
            inner.pace.measure(now_s, &self.entered, waits, called > 0);
            let from = if inner.tidied < inner.seats.len() { inner.tidied } else { 0 };
            inner.tidied = inner.seats.len().min(from + inner.seats.len() / TIDY_PARTS + 1);
            for index in from..inner.tidied {
                inner.adopt(index, now_s);
                let seat = inner.seats.get(index);
                let is_here = seat.stage != Stage::Vacant && seat.elsewhere.is_none();
                if is_here && seat.due < gone_before {
                    inner.leave(index);
                }
            }
        });
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

    /// What everybody may know of the draws.
    #[must_use]
    pub fn draws(&self) -> Draws {
        let turns = &self.lock().turns;
        let closed = turns.closed.and_then(|closed| {
            closed.beacon_round.map(|beacon| (closed.round, closed.commitment, beacon))
        });
        Draws { drawn: turns.drawn().copied().collect(), closed, chains: turns.chains }
    }

    /// Calls people and closes the round that is due, then runs `work`.
    fn calling<T>(&self, supply: &Supply, now: Timestamp, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut closed = false;
        let done = self.with(|inner| {
            let Inner { seats, turns, pace, nodes, .. } = inner;
            pace.saw(supply);
            if nodes.is_some() {
                closed = inner.lead(&self.config, supply, seconds(now));
            } else if supply.places > 0 {
                let before = turns.reached;
                closed = turns.call(seats, (supply.free, pace), seconds(now));
                if let Some((round, number)) = turns.reached.filter(|_| turns.reached != before) {
                    self.journal.note(Event::Called { round, number: number.to_bytes() });
                }
            }
            work(inner)
        });
        if closed && let Some(wake) = self.wake.get() {
            wake();
        }
        done
    }

    /// Learns what another node has noted in the journal. Waits for nothing.
    pub fn learn(&self, node: Node, event: &Event, now: Timestamp) {
        let is_drawn = self.with(|inner| inner.learn(node, event, seconds(now)));
        if is_drawn && let Some(wake) = self.wake.get() {
            wake();
        }
    }

    /// Runs `work`, and notes how many people are left.
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let done = work(&mut inner);
        self.people.store(inner.seats.people(), Ordering::Release);
        done
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The seat of a person who asks here.
    fn comes_back(&mut self, person: Subject, audience: Audience, now: u32) -> Option<u32> {
        let index = self.seats.of_person(person, audience)?;
        self.comes_here(index, now);
        Some(index)
    }

    /// Frees the seat of a person who enters, or has given up.
    fn leave(&mut self, index: u32) {
        let seat = self.seats.leave(index);
        self.turns.left(&seat);
    }
}

#[cfg(test)]
mod tests;
