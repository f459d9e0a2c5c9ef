//! Rounds: one gathers, the one before is called.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use jiff::Timestamp;

use super::{
    Config, ROUNDS_TOLD_MAX,
    pace::Pace,
    seats::{Seat, Seats, Stage},
    seconds,
};
use crate::{
    gate::lottery::{Commitment, Number, Seed},
    vault::HouseKeys,
};

/// The place of somebody who was called is kept free for so long after they were expected, seconds. They may still come later,
/// and go in if another is free.
const LATE_SECONDS_MAX: u32 = 10;

/// A round that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its name: a number that only rises.
    pub round: u64,
    /// What was published before it.
    pub commitment: Commitment,
    /// What everybody's number in it was made from.
    pub seed: Seed,
    /// How many people were in it.
    pub people: u32,
    /// When it was drawn.
    pub drawn_at: Timestamp,
}

impl fmt::Display for Round {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { round, commitment, seed, people, .. } = self;
        write!(
            formatter,
            "round {round} drawn, {people} people, commitment {commitment}, seed {seed}"
        )
    }
}

/// The round that people come into now.
pub(super) struct Gathering {
    pub(super) round: u64,
    pub(super) seed: Seed,
    pub(super) commitment: Commitment,
    pub(super) people: u32,
    /// When the first of them came.
    since: u32,
}

/// The round that gathers, the one that is called, and those that were.
pub(super) struct Rounds {
    pub(super) gathering: Gathering,
    /// Drawn rounds, the latest last; how many there were at all, and how many of them [`untold`](Self::untold) has told.
    drawn: VecDeque<Round>,
    drawn_ever: u64,
    told: u64,
    /// Seats of the round that is called, the lowest number first, and how many of them were called or are gone.
    order: Vec<u32>,
    head: usize,
    /// The number that was called last.
    called_to: Option<Number>,
    /// People who were called and have not come yet, by the second in which they are expected.
    called: BTreeMap<u32, usize>,
}

impl Rounds {
    pub(super) fn new(keys: &HouseKeys, real_now: Timestamp) -> Self {
        Self {
            gathering: Gathering::after(0, keys, real_now),
            drawn: VecDeque::new(),
            drawn_ever: 0,
            told: 0,
            order: Vec::new(),
            head: 0,
            called_to: None,
            called: BTreeMap::new(),
        }
    }

    /// Somebody came.
    pub(super) fn joined(&mut self, now: u32) {
        if self.gathering.people == 0 {
            self.gathering.since = now;
        }
        self.gathering.people += 1;
    }

    /// Somebody from this seat went in, or has given up.
    pub(super) fn left(&mut self, seat: &Seat) {
        match seat.stage {
            Stage::Gathering => self.gathering.people -= 1,
            Stage::Called(_) => self.expected_no_more(seat.due),
            Stage::Drawn(_) | Stage::Vacant => {}
        }
    }

    /// Calls people as long as places will be free when they come: the `free` ones of now and those that become free until
    /// then at this pace. Draws the next round once everybody of the last one was called.
    pub(super) fn go_on(
        &mut self,
        seats: &mut Seats,
        config: &Config,
        keys: &HouseKeys,
        (free, pace): (usize, &Pace),
        now: Timestamp,
    ) {
        let now_s = seconds(now);
        let gone_before = now_s.saturating_sub(config.absent_seconds);
        loop {
            let Some(index) = self.order.get(self.head).copied() else {
                let drawn_from = self.gathering.since.saturating_add(config.gather_seconds);
                if self.gathering.people == 0 || now_s < drawn_from {
                    return;
                }
                self.draw(seats, keys, now);
                continue;
            };
            let seat = seats.get_mut(index);
            // Whoever sat here may have left, and somebody else may have come since.
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

    /// Somebody who was called is expected in this second.
    pub(super) fn expected(&mut self, due: u32) {
        *self.called.entry(due).or_default() += 1;
    }

    /// They came or left, or were told another time.
    pub(super) fn expected_no_more(&mut self, due: u32) {
        if let Some(count) = self.called.get_mut(&due) {
            *count -= 1;
            if *count == 0 {
                self.called.remove(&due);
            }
        }
    }

    /// Draws the round that gathered, and begins the next.
    fn draw(&mut self, seats: &mut Seats, keys: &HouseKeys, now: Timestamp) {
        let name = last_byte(self.drawn_ever);
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
        let next = Gathering::after(self.gathering.round, keys, now);
        let Gathering { round, seed, commitment, people, .. } =
            std::mem::replace(&mut self.gathering, next);
        if self.drawn.len() == ROUNDS_TOLD_MAX {
            self.drawn.pop_front();
        }
        self.drawn.push_back(Round { round, commitment, seed, people, drawn_at: now });
        self.drawn_ever += 1;
    }

    /// The drawn round of somebody in this stage, if they are in one and it is among the latest.
    pub(super) fn drawn_round(&self, stage: Stage) -> Option<&Round> {
        let (Stage::Drawn(name) | Stage::Called(name)) = stage else { return None };
        let ago = last_byte(self.drawn_ever).wrapping_sub(name);
        self.drawn.len().checked_sub(ago.into()).and_then(|at| self.drawn.get(at))
    }

    /// Drawn rounds, the newest first.
    pub(super) fn drawn(&self) -> impl Iterator<Item = &Round> {
        self.drawn.iter().rev()
    }

    /// Rounds that were drawn since this was asked before.
    pub(super) fn untold(&mut self) -> Vec<Round> {
        let untold = usize::try_from(self.drawn_ever - self.told).unwrap_or(usize::MAX);
        self.told = self.drawn_ever;
        self.drawn().take(untold).copied().collect()
    }

    /// About how many go in before the one on this seat. Numbers are spread evenly, so nobody has to be counted; whoever is in
    /// the round that gathers is told as if all of it went before them, for their number is not known before the draw.
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

    /// People of the round that is called whose turn is still to come.
    pub(super) fn to_call(&self) -> usize {
        self.order.len() - self.head
    }

    /// People who were called and have not come yet.
    pub(super) fn called(&self) -> usize {
        self.called.values().sum()
    }
}

impl Gathering {
    /// The round after the one of that name. Rounds are named after the second in which they became ready, or one later.
    fn after(last: u64, keys: &HouseKeys, now: Timestamp) -> Self {
        let round = u64::try_from(now.as_second()).unwrap_or(0).max(last + 1);
        let seed = Seed::new(keys.draw_seed(round));
        Self { round, seed, commitment: seed.commitment(), people: 0, since: seconds(now) }
    }
}

/// Whether somebody who comes in the second `comes` finds a place, and all who are called already do so, too, when so many
/// become free until a number of seconds from now.
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
