//! The order of the waiting room: one round gathers people, the one before it is being called.

mod shared;

pub(super) use self::shared::Further;
use std::collections::{BTreeMap, VecDeque};

use super::{
    pace::Pace,
    seats::{Presence, Seat, Seats, Stage, last_byte},
    turnout::Turnout,
};
use crate::{
    gate::lottery::Number,
    ledger::rounds::{Chain, Commitment, DRAWN_ROUNDS_MAX, DrawnRound, Outlook, Round, Seed},
};

/// A lease is kept free for a person who was called until this long after they were expected, seconds. They may come
/// later, and enter if another lease is free.
const LATE_SECONDS_MAX: u32 = 3;
/// A person whose turn it is and who is overdue by this many seconds has probably gone. Longer than a poll may wait for
/// its turn at the server: else in an overload everybody would seem to have gone, and a whole round would be called.
const OVERDUE_SECONDS: u32 = 15;
/// The next round is closed this long before everybody in the one before is called, seconds: its people have to ask
/// once until they know, and no place should stay empty meanwhile.
pub(super) const DRAWN_AHEAD_SECONDS: u32 = 4;

/// A round that is not drawn.
#[derive(Clone, Copy)]
pub(super) struct Gathering {
    pub(super) round: u64,
    pub(super) seed: Seed,
    pub(super) commitment: Commitment,
    /// The beacon round with whose value its numbers will be mixed, once it is named.
    pub(super) beacon_round: Option<u64>,
    pub(super) people: u32,
    /// Of them, those whose connection was closed since they last asked.
    pub(super) gone: u32,
    /// When the first of them joined; once it is closed, when it was closed. Seconds.
    pub(super) since: u32,
}

/// The round that gathers, the one that is closed, the one that is being called, and the latest drawn ones.
pub(super) struct Turns {
    gather_seconds: u32,
    absent_seconds: u32,
    /// The round that people join.
    pub(super) gathering: Gathering,
    /// The round that nobody joins any more, until it is drawn.
    pub(super) closed: Option<Gathering>,
    /// The round that gathers after the one that does so now.
    following: Round,
    /// The published chains.
    pub(super) chains: [Chain; 2],
    /// Drawn rounds, the latest last.
    drawn: VecDeque<DrawnRound>,
    /// Seats of the round that is being called, the lowest number first, and after them those of the next one, if it is
    /// drawn. How many of them were called or have left, and where the latest round begins.
    order: Vec<u32>,
    head: usize,
    latest_from: usize,
    /// The number that was called last, of the round that is being called.
    called_to: Option<Number>,
    /// The round and the number up to which everybody was called, for the journal.
    pub(super) reached: Option<(u64, Number)>,
    /// How many people were called and have not come yet, by the second in which they are expected.
    called: BTreeMap<u32, usize>,
    /// Until which second those who have not come are counted.
    counted_until: u32,
    /// Of those who were called and expected, who came; of those whose turn it was, who could be expected.
    turnout: Turnout,
    present: Turnout,
    /// The second in which nobody more could be called, and the leases that were free then.
    blocked: Option<(u32, usize)>,
}

impl Turns {
    /// Begins with the first round that is not drawn. A round gathers for `gather_seconds` at least; a person who is
    /// overdue by `absent_seconds` has given up.
    pub(super) fn new(outlook: Outlook, (gather_seconds, absent_seconds): (u32, u32)) -> Self {
        let Outlook { next: [next, following], beacon_round, chains, drawn } = outlook;
        Self {
            gather_seconds,
            absent_seconds,
            gathering: Gathering { beacon_round, ..Gathering::of(next) },
            closed: None,
            following,
            chains,
            drawn: drawn.into(),
            order: Vec::new(),
            head: 0,
            latest_from: 0,
            called_to: None,
            reached: None,
            called: BTreeMap::new(),
            counted_until: 0,
            turnout: Turnout::of_everybody(),
            present: Turnout::of_everybody(),
            blocked: None,
        }
    }

    /// Begins with the first round that is not drawn, and with nobody.
    pub(super) fn begin_anew(&mut self, outlook: Outlook) {
        *self = Self::new(outlook, (self.gather_seconds, self.absent_seconds));
    }

    /// The round that a person joins: the gathering one, or the closed one if they `held` a seat in it.
    pub(super) fn round_to_join(&mut self, held: Option<u64>) -> &mut Gathering {
        match &mut self.closed {
            Some(closed) if Some(closed.round) == held => closed,
            _ => &mut self.gathering,
        }
    }

    /// The person on this seat entered, or has given up.
    pub(super) fn left(&mut self, seat: &Seat) {
        self.blocked = None;
        match seat.stage {
            Stage::Gathering(_) => {
                if let Some(round) = self.undrawn(seat.stage) {
                    round.people -= 1;
                    round.gone -= u32::from(seat.is_gone());
                }
            }
            Stage::Called(_) if seat.is_awaited() => {
                self.expected_no_more(seat.due);
                self.turnout.count(1, 0);
            }
            Stage::Called(_) | Stage::Drawn(_) | Stage::Vacant => {}
        }
    }

    /// Calls people as long as leases will be free when they come: those `free` now, and those that become free until
    /// then at this pace. No lease is kept for people who have gone or are overdue; they may enter if one is free. Closes
    /// the gathering round shortly before everybody in the last one is called; returns whether it did so.
    pub(super) fn call(
        &mut self,
        seats: &mut Seats,
        (free, pace): (usize, &Pace),
        now_s: u32,
    ) -> bool {
        if self.blocked.is_some_and(|(second, then)| second == now_s && free <= then) {
            return false;
        }
        let gone_before = now_s.saturating_sub(self.absent_seconds);
        let overdue = now_s.saturating_sub(OVERDUE_SECONDS);
        self.count_absent(now_s.saturating_sub(LATE_SECONDS_MAX));
        loop {
            let Some(index) = self.order.get(self.head).copied() else {
                let free_until = |seconds| free + pace.people_in(seconds);
                let fits =
                    self.has_room(self.gathering.present(), (now_s, u32::MAX), now_s, free_until);
                return self.close(now_s, fits);
            };
            if self.head == self.latest_from && self.head > 0 {
                self.called_to = None;
            }
            let seat = seats.get_mut(index);
            // The person may have left, and another one may have taken the seat.
            let mut is_expected = false;
            if let Stage::Drawn(name) = seat.stage {
                if seat.due < gone_before {
                    seats.leave(index);
                } else if seat.presence == Presence::Gone || seat.due < overdue {
                    (seat.stage, seat.presence) = (Stage::Called(name), Presence::Gone);
                    self.has_called(name, seat.number);
                } else {
                    let comes = seat.due.max(now_s);
                    let free_until = |seconds| free + pace.people_in(seconds);
                    if !self.has_room(1, (comes, u32::MAX), now_s, free_until) {
                        self.blocked = Some((now_s, free));
                        let is_last = self.head >= self.latest_from;
                        let soon = self.to_call() <= pace.people_in(DRAWN_AHEAD_SECONDS);
                        return is_last && soon && self.close(now_s, false);
                    }
                    (seat.stage, seat.due) = (Stage::Called(name), comes);
                    self.has_called(name, seat.number);
                    self.expected(comes);
                    is_expected = true;
                }
            }
            self.present.count(usize::from(is_expected), usize::from(!is_expected));
            self.head += 1;
        }
    }

    /// A person with this number in this round was called.
    fn has_called(&mut self, name: u8, number: Number) {
        self.called_to = Some(number);
        if let Some(round) = self.drawn_round(name).map(|drawn| drawn.round) {
            self.reached = Some((round, number));
        }
    }

    /// Calls people in this order from now on, which begins after those who were `called` before: seats with their
    /// rounds, the latest round last.
    pub(super) fn call_from(
        &mut self,
        order: impl Iterator<Item = (u64, u32)>,
        called: Option<(u64, Number)>,
    ) {
        let latest = self.drawn.back().map(|drawn| drawn.round);
        let order: Vec<_> = order.collect();
        self.latest_from =
            order.iter().position(|(round, _)| Some(*round) == latest).unwrap_or(order.len());
        let first = order.first().map(|(round, _)| *round);
        self.called_to =
            called.filter(|(round, _)| Some(*round) == first).map(|(_, number)| number);
        self.reached = called;
        self.order = order.into_iter().map(|(_, index)| index).collect();
    }

    /// Counts those who were expected before a second and have not come.
    fn count_absent(&mut self, second: u32) {
        if self.counted_until < second {
            let absent = self.called.range(self.counted_until..second).map(|(_, count)| count);
            for turnout in [&mut self.turnout, &mut self.present] {
                turnout.forget(second - self.counted_until);
            }
            self.turnout.count(0, absent.sum());
            self.counted_until = second;
        }
    }

    /// Whether leases will be free for some `people` who come in the second `comes`, and for everyone already called who
    /// is expected before the second `until`, as far as people come. `free_until` returns how many leases become free within
    /// a number of seconds.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "people"
    )]
    pub(super) fn has_room(
        &self,
        people: usize,
        (comes, until): (u32, u32),
        now: u32,
        free_until: impl Fn(u32) -> usize,
    ) -> bool {
        let (late, after) = (now.saturating_sub(LATE_SECONDS_MAX), comes.saturating_add(1));
        let share = self.turnout.share();
        let come = |called: usize| people + (called as f64 * share) as usize;
        let mut inside = self.called.range(late..=comes).map(|(_, count)| count).sum::<usize>();
        come(inside) <= free_until(comes - now)
            && self.called.range(after..until.max(after)).all(|(due, count)| {
                inside += count;
                come(inside) <= free_until(due - now)
            })
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

    /// Closes the gathering round if it is due, and opens the next one; returns whether it did so. If everybody in it
    /// `fits`, numbers decide nothing, and it need not gather for longer than its first second.
    fn close(&mut self, now: u32, fits: bool) -> bool {
        let gathers = if fits { 1 } else { self.gather_seconds };
        let due = self.gathering.since.saturating_add(gathers);
        if self.closed.is_some() || self.gathering.people == 0 || now < due {
            return false;
        }
        let closed = self.replace_gathering();
        self.closed = Some(Gathering { since: now, ..closed });
        true
    }

    /// Lets the following round gather, and returns the one that did so.
    pub(super) fn replace_gathering(&mut self) -> Gathering {
        std::mem::replace(&mut self.gathering, Gathering::of(self.following))
    }

    /// Names the beacon round of the closed round.
    pub(super) fn name_beacon(&mut self, beacon_round: u64) {
        if let Some(closed) = &mut self.closed {
            closed.beacon_round = Some(beacon_round);
        }
    }

    /// Puts the people of the closed round in order; their numbers are mixed with the beacon, if there is one.
    /// `outlook` is the state after the draw.
    pub(super) fn draw(&mut self, seats: &mut Seats, drawn: DrawnRound, outlook: &Outlook) {
        let Some(closed) = self.closed.take() else { return };
        let name = last_byte(closed.round);
        self.blocked = None;
        self.order.drain(..self.head);
        (self.head, self.latest_from) = (0, self.order.len());
        if self.order.is_empty() {
            self.called_to = None;
        }
        self.order.reserve_exact(closed.people as usize);
        for (index, seat) in seats.iter_mut() {
            if seat.stage == Stage::Gathering(name) {
                seat.stage = Stage::Drawn(name);
                self.order.push(index);
            }
        }
        self.order[self.latest_from..].sort_unstable_by_key(|index| seats.get(*index).number);
        if self.drawn.len() == DRAWN_ROUNDS_MAX {
            self.drawn.pop_front();
        }
        self.drawn.push_back(drawn);
        self.following = outlook.next[1];
        self.chains = outlook.chains;
    }

    /// The round of a person in this stage, if it is not drawn.
    pub(super) fn undrawn(&mut self, stage: Stage) -> Option<&mut Gathering> {
        [Some(&mut self.gathering), self.closed.as_mut()]
            .into_iter()
            .flatten()
            .find(|round| round.stage() == stage)
    }

    /// The round of a person in this stage, not yet drawn or drawn. The gathering round stands in for a drawn one that
    /// is not kept any more.
    pub(super) fn round_of(&self, stage: Stage) -> Result<&Gathering, &DrawnRound> {
        match (stage, &self.closed) {
            (Stage::Drawn(name) | Stage::Called(name), _) => {
                self.drawn_round(name).map_or(Ok(&self.gathering), Err)
            }
            (_, Some(closed)) if closed.stage() == stage => Ok(closed),
            _ => Ok(&self.gathering),
        }
    }

    fn drawn_round(&self, name: u8) -> Option<&DrawnRound> {
        let ago = last_byte(self.drawn.back()?.round).wrapping_sub(name);
        self.drawn.iter().rev().nth(ago.into())
    }

    /// Drawn rounds, the newest first.
    pub(super) fn drawn(&self) -> impl Iterator<Item = &DrawnRound> {
        self.drawn.iter().rev()
    }

    /// Estimate of how many people enter before the one on this seat, as far as people come. Numbers are uniform, so it
    /// needs no count. For a person in a round that is not drawn it includes the whole round, because their number must
    /// not show before the draw.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of people"
    )]
    pub(super) fn ahead_of(&self, seat: &Seat, now: u32) -> usize {
        let late = now.saturating_sub(LATE_SECONDS_MAX);
        let expected = self.called.range(late..).map(|(_, count)| count).sum::<usize>();
        let waiting = match seat.stage {
            Stage::Called(_) | Stage::Vacant => return 0,
            Stage::Gathering(_) => {
                let closed = self.closed.map_or(0, |closed| closed.people);
                let is_closed = self.closed.is_some_and(|closed| closed.stage() == seat.stage);
                let gathering = if is_closed { 0 } else { self.gathering.people };
                self.to_call() + (closed + gathering) as usize
            }
            Stage::Drawn(name) => {
                let earlier = self.latest_from.saturating_sub(self.head);
                let latest = self.drawn.back().map(|drawn| last_byte(drawn.round));
                let (before_all, of, called_to) = match latest == Some(name) {
                    true if earlier > 0 => (earlier, self.to_call() - earlier, None),
                    true => (0, self.to_call(), self.called_to),
                    false => (0, earlier, self.called_to),
                };
                let called_to = called_to.map_or(0.0, Number::share_below);
                let before = (seat.number.share_below() - called_to) / (1.0 - called_to).max(1e-9);
                before_all + (of as f64 * before.clamp(0.0, 1.0)) as usize
            }
        };
        let come = expected as f64 + waiting as f64 * self.present.share();
        (come * self.turnout.share()) as usize
    }

    /// How many people of the round that is being called have not been called yet.
    pub(super) fn to_call(&self) -> usize {
        self.order.len() - self.head
    }

    /// How many people wait, whether they were called or not; without those whose connection was closed, where that is
    /// counted.
    pub(super) fn waiting(&self, now: u32) -> usize {
        let late = now.saturating_sub(LATE_SECONDS_MAX);
        let expected = self.called.range(late..).map(|(_, count)| count).sum::<usize>();
        let closed = self.closed.as_ref().map_or(0, Gathering::present);
        expected + self.to_call() + self.gathering.present() + closed
    }

    /// How many people who were called are expected until a little after now.
    pub(super) fn called_until(&self, now: u32) -> usize {
        let soon = now.saturating_sub(LATE_SECONDS_MAX)..=now.saturating_add(LATE_SECONDS_MAX);
        self.called.range(soon).map(|(_, count)| count).sum()
    }

    /// How many people were called and have not come yet.
    pub(super) fn called(&self) -> usize {
        self.called.values().sum()
    }
}

impl Gathering {
    fn of(round: Round) -> Self {
        let Round { index, seed } = round;
        let commitment = seed.commitment();
        Self { round: index, seed, commitment, beacon_round: None, people: 0, gone: 0, since: 0 }
    }

    /// A person joined it.
    pub(super) fn join(&mut self, now: u32) {
        if self.people == 0 {
            self.since = now;
        }
        self.people += 1;
    }

    /// How many people are in it whose connection was not closed.
    fn present(&self) -> usize {
        (self.people - self.gone) as usize
    }

    /// The stage of its people.
    pub(super) fn stage(&self) -> Stage {
        Stage::of_undrawn(self.round)
    }
}
