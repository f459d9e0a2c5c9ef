//! The order of the waiting room: one round gathers people, the one before it is being called.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    pace::Pace,
    seats::{Seat, Seats, Stage, seconds},
};
use crate::gate::lottery::{Commitment, NextRound, Number, Rounds, Seed};

/// Drawn rounds that are kept and published, the latest ones.
pub const DRAWN_ROUNDS_MAX: usize = 64;
/// A lease is kept free for a person who was called until this long after they were expected, seconds. They may come
/// later, and enter if another lease is free.
const LATE_SECONDS_MAX: u32 = 10;

/// A round that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawnRound {
    /// Its name: greater than that of every round before.
    pub round: u64,
    /// Its commitment, published before anybody joined it.
    pub commitment: Commitment,
    /// Its seed, from which the number of each person in it is made.
    pub seed: Seed,
    /// How many people were in it.
    pub people: u32,
    /// When it was drawn.
    pub drawn_at: Timestamp,
}

impl fmt::Display for DrawnRound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { round, commitment, seed, people, .. } = self;
        write!(
            formatter,
            "round {round} drawn, {people} people, commitment {commitment}, seed {seed}"
        )
    }
}

/// The round that people join now.
pub(super) struct Gathering {
    pub(super) round: u64,
    pub(super) seed: Seed,
    pub(super) commitment: Commitment,
    pub(super) people: u32,
    /// When the first of them joined, seconds.
    since: u32,
}

/// The round that gathers, the one that is being called, and the latest drawn ones.
pub(super) struct Turns {
    rounds: Arc<dyn Rounds>,
    gather_seconds: u32,
    absent_seconds: u32,
    pub(super) gathering: Gathering,
    /// Drawn rounds, the latest last; how many were drawn in all, and how many of them [`take_drawn`](Self::take_drawn)
    /// has returned.
    drawn: VecDeque<DrawnRound>,
    drawn_count: u64,
    taken_count: u64,
    /// Seats of the round that is being called, the lowest number first, and how many of them were called or have left.
    order: Vec<u32>,
    head: usize,
    /// The number that was called last.
    called_to: Option<Number>,
    /// How many people were called and have not come yet, by the second in which they are expected.
    called: BTreeMap<u32, usize>,
}

impl Turns {
    /// Begins with the first round of `rounds`. A round gathers for `gather_seconds` at least; a person who is overdue
    /// by `absent_seconds` has given up.
    pub(super) fn new(
        rounds: Arc<dyn Rounds>,
        (gather_seconds, absent_seconds): (u32, u32),
        real_now: Timestamp,
    ) -> Self {
        Self {
            gathering: Gathering::of(rounds.after(0, real_now), real_now),
            rounds,
            gather_seconds,
            absent_seconds,
            drawn: VecDeque::new(),
            drawn_count: 0,
            taken_count: 0,
            order: Vec::new(),
            head: 0,
            called_to: None,
            called: BTreeMap::new(),
        }
    }

    /// A person joined the gathering round.
    pub(super) fn joined(&mut self, now: u32) {
        if self.gathering.people == 0 {
            self.gathering.since = now;
        }
        self.gathering.people += 1;
    }

    /// The person on this seat entered, or has given up.
    pub(super) fn left(&mut self, seat: &Seat) {
        match seat.stage {
            Stage::Gathering => self.gathering.people -= 1,
            Stage::Called(_) => self.expected_no_more(seat.due),
            Stage::Drawn(_) | Stage::Vacant => {}
        }
    }

    /// Calls people as long as leases will be free when they come: those `free` now, and those that become free until
    /// then at this pace. Draws the next round when everybody in the last one has been called.
    pub(super) fn call(&mut self, seats: &mut Seats, (free, pace): (usize, &Pace), now: Timestamp) {
        let now_s = seconds(now);
        let gone_before = now_s.saturating_sub(self.absent_seconds);
        loop {
            let Some(index) = self.order.get(self.head).copied() else {
                let drawn_from = self.gathering.since.saturating_add(self.gather_seconds);
                if self.gathering.people == 0 || now_s < drawn_from {
                    return;
                }
                self.draw(seats, now);
                continue;
            };
            let seat = seats.get_mut(index);
            // The person may have left, and another one may have taken the seat.
            if let Stage::Drawn(name) = seat.stage {
                if seat.due < gone_before {
                    seats.leave(index);
                } else {
                    let comes = seat.due.max(now_s);
                    if !has_room(&self.called, comes, now_s, |until| free + pace.people_in(until)) {
                        return;
                    }
                    self.called_to = Some(seat.number);
                    (seat.stage, seat.due) = (Stage::Called(name), comes);
                    self.expected(comes);
                }
            }
            self.head += 1;
        }
    }

    /// A person who was called is expected in this second.
    pub(super) fn expected(&mut self, due: u32) {
        *self.called.entry(due).or_default() += 1;
    }

    /// A person who was expected in this second entered, left, or was given another time.
    pub(super) fn expected_no_more(&mut self, due: u32) {
        if let Some(count) = self.called.get_mut(&due) {
            *count -= 1;
            if *count == 0 {
                self.called.remove(&due);
            }
        }
    }

    /// Draws the gathering round, and begins the next.
    fn draw(&mut self, seats: &mut Seats, now: Timestamp) {
        let name = last_byte(self.drawn_count);
        self.order.clear();
        self.head = 0;
        self.called_to = None;
        self.order.reserve_exact(self.gathering.people as usize);
        for (index, seat) in seats.iter_mut() {
            if seat.stage == Stage::Gathering {
                seat.stage = Stage::Drawn(name);
                self.order.push(index);
            }
        }
        self.order.sort_unstable_by_key(|index| seats.get(*index).number);
        let next = Gathering::of(self.rounds.after(self.gathering.round, now), now);
        let Gathering { round, seed, commitment, people, .. } =
            std::mem::replace(&mut self.gathering, next);
        if self.drawn.len() == DRAWN_ROUNDS_MAX {
            self.drawn.pop_front();
        }
        self.drawn.push_back(DrawnRound { round, commitment, seed, people, drawn_at: now });
        self.drawn_count += 1;
    }

    /// The drawn round of a person in this stage, if they are in one and it is still kept.
    pub(super) fn drawn_round(&self, stage: Stage) -> Option<&DrawnRound> {
        let (Stage::Drawn(name) | Stage::Called(name)) = stage else { return None };
        let ago = last_byte(self.drawn_count).wrapping_sub(name);
        self.drawn.len().checked_sub(ago.into()).and_then(|at| self.drawn.get(at))
    }

    /// Drawn rounds, the newest first.
    pub(super) fn drawn(&self) -> impl Iterator<Item = &DrawnRound> {
        self.drawn.iter().rev()
    }

    /// Rounds that were drawn since the last call.
    pub(super) fn take_drawn(&mut self) -> Vec<DrawnRound> {
        let new = usize::try_from(self.drawn_count - self.taken_count).unwrap_or(usize::MAX);
        self.taken_count = self.drawn_count;
        self.drawn().take(new).copied().collect()
    }

    /// Estimate of how many people enter before the one on this seat. Numbers are uniform, so it needs no count. For a
    /// person in the gathering round it includes the whole round, because their number must not show before the draw.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of people"
    )]
    pub(super) fn ahead_of(&self, seat: &Seat) -> usize {
        match seat.stage {
            Stage::Called(_) | Stage::Vacant => 0,
            Stage::Gathering => self.called() + self.to_call() + self.gathering.people as usize,
            Stage::Drawn(_) => {
                let called_to = self.called_to.map_or(0.0, Number::share_below);
                let before = (seat.number.share_below() - called_to) / (1.0 - called_to).max(1e-9);
                self.called() + (self.to_call() as f64 * before.clamp(0.0, 1.0)) as usize
            }
        }
    }

    /// How many people of the round that is being called have not been called yet.
    pub(super) fn to_call(&self) -> usize {
        self.order.len() - self.head
    }

    /// How many people were called and have not come yet.
    pub(super) fn called(&self) -> usize {
        self.called.values().sum()
    }
}

impl Gathering {
    fn of(next: NextRound, now: Timestamp) -> Self {
        let NextRound { name, seed } = next;
        Self { round: name, seed, commitment: seed.commitment(), people: 0, since: seconds(now) }
    }
}

/// Whether a lease will be free for a person who comes in the second `comes`, and for everyone already called.
/// `free_until` returns how many leases become free within a number of seconds.
fn has_room(
    called: &BTreeMap<u32, usize>,
    comes: u32,
    now: u32,
    free_until: impl Fn(u32) -> usize,
) -> bool {
    let late = now.saturating_sub(LATE_SECONDS_MAX);
    let mut inside = 1 + called.range(late..=comes).map(|(_, count)| count).sum::<usize>();
    inside <= free_until(comes - now)
        && called.range(comes.saturating_add(1)..).all(|(due, count)| {
            inside += count;
            inside <= free_until(due - now)
        })
}

fn last_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}
