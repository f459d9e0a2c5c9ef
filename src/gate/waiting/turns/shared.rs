//! The order of a waiting room that several nodes share: one of them moves the number up to which everybody is called.

use super::{
    super::seats::{Presence, Seats, Stage},
    Gathering, LATE_SECONDS_MAX, OVERDUE_SECONDS, Turns,
};
use crate::{
    gate::{lottery::Number, waiting::pace::Pace},
    ledger::{
        journal::Node,
        rounds::{DrawnRound, Outlook, Round},
    },
};

/// A round and a number in it: everybody up to there was called, and everybody of the rounds before.
pub(in crate::gate::waiting) type Reach = (u64, Number);

/// How far people can be called.
pub(in crate::gate::waiting) struct Further {
    pub(in crate::gate::waiting) reach: Reach,
    /// Where those people asked last who are not called yet and are up to there.
    pub(in crate::gate::waiting) people: Vec<(Option<Node>, usize)>,
}

impl Turns {
    /// How many more people could be called so that all of them find a place within some seconds: those who were called and
    /// have not come are counted as far as people come. Below zero if too many were.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "people")]
    pub(in crate::gate::waiting) fn spare(
        &mut self,
        (free, pace): (usize, &Pace),
        now: u32,
        seconds: u32,
    ) -> i32 {
        let late = now.saturating_sub(LATE_SECONDS_MAX);
        self.count_absent(late);
        let until = now.saturating_add(seconds);
        let called = self.called.range(late..=until).map(|(_, count)| count).sum::<usize>();
        let come = called as f64 * self.turnout.share();
        ((free + pace.people_in(seconds)) as f64 - come) as i32
    }

    /// How far some `people` more can be called who have not gone; `None` if nobody is left. Call [`call_to`](Self::call_to)
    /// before.
    pub(in crate::gate::waiting) fn further(
        &self,
        seats: &Seats,
        people: usize,
        now: u32,
    ) -> Option<Further> {
        let overdue = now.saturating_sub(OVERDUE_SECONDS);
        let (mut further, mut counted) = (None::<Further>, 0);
        for index in &self.order[self.head..] {
            let seat = seats.get(*index);
            let Stage::Drawn(name) = seat.stage else { continue };
            let Some(round) = self.drawn_round(name) else { continue };
            let reach = (round.round, seat.number);
            let found = further.get_or_insert(Further { reach, people: Vec::new() });
            found.reach = reach;
            // For somebody elsewhere that node knows; it reports what comes of it.
            if seat.elsewhere.is_none() && (seat.is_gone() || seat.due < overdue) {
                continue;
            }
            match found.people.iter_mut().find(|(node, _)| *node == seat.elsewhere) {
                Some((_, count)) => *count += 1,
                None => found.people.push((seat.elsewhere, 1)),
            }
            counted += 1;
            if counted >= people {
                break;
            }
        }
        further
    }

    /// Calls everybody up to there whom this node knows.
    pub(in crate::gate::waiting) fn call_to(&mut self, seats: &mut Seats, reach: Reach, now: u32) {
        self.reached = self.reached.max(Some(reach));
        let Some(reached) = self.reached else { return };
        let overdue = now.saturating_sub(OVERDUE_SECONDS);
        while let Some(index) = self.order.get(self.head).copied() {
            let seat = seats.get(index);
            if let Stage::Drawn(name) = seat.stage {
                let round = self.drawn_round(name).map(|drawn| drawn.round);
                if round.is_some_and(|round| (round, seat.number) > reached) {
                    return;
                }
                if self.head == self.latest_from {
                    self.called_to = None;
                }
                self.called_to = Some(seat.number);
                self.call_seat(seats, index, overdue, now);
            }
            self.head += 1;
        }
    }

    /// The person on this seat was called.
    fn call_seat(&mut self, seats: &mut Seats, index: u32, overdue: u32, now: u32) {
        let seat = seats.get_mut(index);
        let (Stage::Drawn(name) | Stage::Called(name)) = seat.stage else { return };
        seat.stage = Stage::Called(name);
        if seat.elsewhere.is_some() {
            return;
        }
        let is_expected = seat.presence != Presence::Gone && seat.due >= overdue;
        if is_expected {
            seat.due = seat.due.max(now);
            let due = seat.due;
            self.expected(due);
        } else {
            seat.presence = Presence::Gone;
        }
        self.present.count(usize::from(is_expected), usize::from(!is_expected));
    }

    /// Puts a person into the order whose seat became known after their round was drawn. Call [`tidy_order`](Self::tidy_order)
    /// when all are known.
    pub(in crate::gate::waiting) fn add_late(&mut self, index: u32) {
        self.order.push(index);
    }

    /// Sorts those who are not called yet.
    pub(in crate::gate::waiting) fn tidy_order(&mut self, seats: &Seats) {
        let place = |index: &u32| {
            let seat = seats.get(*index);
            let Stage::Drawn(name) = seat.stage else { return None };
            self.drawn_round(name).map(|drawn| (drawn.round, seat.number))
        };
        let mut rest: Vec<_> = self.order[self.head..]
            .iter()
            .filter_map(|index| place(index).map(|reach| (reach, *index)))
            .collect();
        rest.sort_unstable();
        rest.dedup();
        let latest = self.drawn.back().map_or(0, |drawn| drawn.round);
        self.latest_from = rest.partition_point(|((round, _), _)| *round < latest);
        self.order = rest.into_iter().map(|(_, index)| index).collect();
        self.head = 0;
    }

    /// Closes the gathering round because another node has, if it is this one or an earlier one; whether it did so. While the
    /// round before is closed here still, it has to be drawn first.
    pub(in crate::gate::waiting) fn close_to(&mut self, round: u64, now: u32) -> bool {
        if self.closed.is_some() || self.gathering.round > round {
            return false;
        }
        let closed = self.replace_gathering();
        self.closed = Some(Gathering { since: now, ..closed });
        true
    }

    /// Closes the gathering round if it is due: when nearly everybody in the last one was called. `spare`: people who could be
    /// called, `soon`: people who enter within some seconds.
    pub(in crate::gate::waiting) fn close_if_due(
        &mut self,
        spare: usize,
        soon: usize,
        now: u32,
    ) -> bool {
        let is_last = self.head >= self.latest_from;
        let fits = self.to_call() == 0 && self.gathering.present() <= spare;
        is_last && self.to_call() <= soon && self.close(now, fits)
    }

    /// The drawn rounds that this node does not know yet, the earliest first, each with what is known after it; `None` if some
    /// between them are not kept any more.
    pub(in crate::gate::waiting) fn unknown(
        &self,
        outlook: &Outlook,
    ) -> Option<Vec<(DrawnRound, Outlook)>> {
        let next = self.closed.as_ref().map_or(self.gathering.round, |closed| closed.round);
        let drawn: Vec<DrawnRound> =
            outlook.drawn.iter().filter(|drawn| drawn.round >= next).copied().collect();
        let is_whole = drawn.first().map_or(outlook.next[0].index, |drawn| drawn.round) <= next;
        let round_at = |index| {
            let ahead = outlook.next.iter().find(|round| round.index == index).copied();
            let was = |drawn: &&DrawnRound| drawn.round == index;
            ahead.or_else(|| drawn.iter().find(was).map(|drawn| Round { index, seed: drawn.seed }))
        };
        let after = |drawn: &DrawnRound| {
            let next = [round_at(drawn.round + 1)?, round_at(drawn.round + 2)?];
            Some((*drawn, Outlook { next, ..outlook.clone() }))
        };
        is_whole.then(|| drawn.iter().map(after).collect::<Option<Vec<_>>>()).flatten()
    }
}
