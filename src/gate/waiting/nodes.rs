//! The room as one of several nodes that share it: every node knows every seat, one node draws and calls.
//!
//! A node learns from the journal who took a seat, left it or asked elsewhere, which round was closed and drawn, and up to
//! which number everybody was called. About once a second each node reports how many more people it could take; the one that
//! leads moves the number by their sum. A person asks whichever node they like and has the same seat.
//!
//! Nobody may join a round whose seed they could know. So a node lets a person join only within
//! [`JOINS_LAST`](super::JOINS_LAST) of a look into the journal, and who closes a round waits for longer than that before it
//! is drawn. No clocks are compared.

use super::{
    Config, Inner,
    others::SILENT_SECONDS,
    seats::{Presence, Seat, Stage},
    supply::{Rate, Supply},
    turns::DRAWN_AHEAD_SECONDS,
};
use crate::{
    gate::lottery::{Mixer, Number},
    ledger::{
        journal::{Event, Joined, Node, Report, Seated},
        rounds::{DrawnRound, Outlook},
    },
};

/// People of rounds that this node does not know yet; more take a seat again when they ask here.
const EARLY_MAX: usize = 100_000;
/// Places for people are planned so far ahead, seconds: until the call is known everywhere and those who are called have asked.
const AHEAD_SECONDS: u32 = 4;
/// The latest calls that are remembered, until every node has reported after them.
const CALLS_MAX: usize = 64;

impl Inner {
    /// Learns what another node has noted; whether there is something to draw.
    pub(super) fn learn(&mut self, node: Node, event: &Event, now: u32) -> bool {
        let Some(nodes) = &mut self.nodes else { return false };
        match *event {
            Event::Joined(joined) => self.learn_joined(node, joined, now),
            Event::SeatMoved(who) => self.learn_moved(node, who),
            Event::Left(who) => {
                if let Some(index) = self.seats.of(who) {
                    let seat = self.seats.free(index);
                    self.turns.left(&seat);
                }
            }
            Event::Closed { round } => {
                nodes.closed_to = nodes.closed_to.max(Some(round));
                self.catch_up_closing(now);
            }
            Event::Drawn { .. } => {
                nodes.is_behind = true;
                return true;
            }
            Event::Called { round, number } => {
                let reach = (round, Number::from_bytes(number));
                self.turns.call_to(&mut self.seats, reach, now);
            }
            Event::Reported(report) => nodes.hear(node, now, Some(report)),
            Event::Opened(_)
            | Event::Renewed { .. }
            | Event::LeaseGone { .. }
            | Event::Moved { .. }
            | Event::Ended { .. }
            | Event::Counted { .. } => {}
        }
        false
    }

    fn learn_joined(&mut self, node: Node, joined: Joined, now: u32) {
        let Some(nodes) = &mut self.nodes else { return };
        nodes.hear(node, now, None);
        if self.seats.of(joined.who).is_some() {
            self.learn_moved(node, joined.who);
            return;
        }
        let Joined { who, round, number } = joined;
        let number = Number::from_bytes(number);
        if round == self.turns.gathering.round + 1 && self.turns.closed.is_none() {
            // Somebody joined the next one, so this one is closed.
            nodes.closed_to = nodes.closed_to.max(Some(round - 1));
            self.catch_up_closing(now);
        }
        if round > self.turns.gathering.round {
            if let Some(nodes) = self.nodes.as_mut().filter(|nodes| nodes.early.len() < EARLY_MAX) {
                nodes.early.push((node, joined));
            }
            return;
        }
        let drawn = self.turns.drawn().find(|drawn| drawn.round == round).copied();
        if let Some(drawn) = drawn {
            let number = drawn.mixed_with().map_or(number, |value| Mixer::new(value).mix(number));
            let is_called = self.turns.reached.is_some_and(|reached| (round, number) <= reached);
            let stage = Stage::of_drawn(round, is_called);
            let index = self.seats.restore(who, (stage, number), Some(node));
            if let (Some(index), false, Some(nodes)) = (index, is_called, &mut self.nodes) {
                self.turns.add_late(index);
                nodes.has_late = true;
            }
            return;
        }
        let stage = Stage::of_undrawn(round);
        if self.turns.undrawn(stage).is_some()
            && self.seats.restore(who, (stage, number), Some(node)).is_some()
            && let Some(gathering) = self.turns.undrawn(stage)
        {
            gathering.join(now);
        }
    }

    /// A person asked at another node.
    fn learn_moved(&mut self, node: Node, who: Seated) {
        let Some(index) = self.seats.of(who) else { return };
        let seat = *self.seats.get(index);
        self.awaits_no_more(&seat);
        self.seats.set_elsewhere(index, Some(node));
    }

    /// Undoes what was counted because this node waits for a person.
    fn awaits_no_more(&mut self, seat: &Seat) {
        if seat.is_called() && seat.is_awaited() {
            self.turns.expected_no_more(seat.due);
        }
        if seat.is_gone()
            && let Some(round) = self.turns.undrawn(seat.stage)
        {
            round.gone -= 1;
        }
    }

    /// A person asks here, or is waited for here from now on.
    pub(super) fn comes_here(&mut self, index: u32, now: u32) {
        let seat = *self.seats.get(index);
        if seat.elsewhere.is_none() {
            return;
        }
        self.seats.set_elsewhere(index, None);
        self.seats.get_mut(index).due = now;
        self.seats.get_mut(index).presence = Presence::MayCome;
        if seat.is_called() {
            self.turns.expected(now);
        }
        self.seats.note(Event::SeatMoved(seat.who()));
    }

    /// Closes the rounds that were closed elsewhere, as far as those before them are drawn here.
    fn catch_up_closing(&mut self, now: u32) {
        let Some(nodes) = &mut self.nodes else { return };
        if let Some(round) = nodes.closed_to
            && self.turns.close_to(round, now)
        {
            for (node, joined) in std::mem::take(&mut nodes.early) {
                self.learn_joined(node, joined, now);
            }
        }
    }

    /// The rounds that were drawn elsewhere, the earliest first, with what is known after each.
    pub(super) fn drawn_elsewhere(&mut self, outlook: &Outlook) -> Vec<(DrawnRound, Outlook)> {
        self.turns.unknown(outlook).unwrap_or_else(|| {
            // Cut off for so long that people have asked elsewhere since.
            tracing::warn!(
                "too many rounds were drawn meanwhile: the waiting room begins anew here"
            );
            for index in 0..self.seats.len() {
                if self.seats.get(index).stage != Stage::Vacant {
                    self.seats.free(index);
                }
            }
            self.turns.begin_anew(outlook.clone());
            Vec::new()
        })
    }

    /// Closes a round that was drawn elsewhere.
    pub(super) fn close_for(&mut self, round: u64, now: u32) {
        if let Some(nodes) = &mut self.nodes {
            nodes.closed_to = nodes.closed_to.max(Some(round));
        }
        self.catch_up_closing(now);
    }

    /// Takes over one of them; its numbers are mixed already.
    pub(super) fn draw_elsewhere(&mut self, (drawn, after): (DrawnRound, &Outlook), now: u32) {
        self.turns.draw(&mut self.seats, drawn, after);
        if let Some(reached) = self.turns.reached {
            self.turns.call_to(&mut self.seats, reached, now);
        }
        self.catch_up_closing(now);
    }

    /// Once a second: reports, and calls people and closes the round that is due if this node leads; whether a round was closed.
    pub(super) fn lead(&mut self, config: &Config, supply: &Supply, now: u32) -> bool {
        let Self { seats, turns, pace, nodes: Some(nodes), .. } = self else { return false };
        if seats.people() == 0 {
            nodes.since = None;
            return false;
        }
        let since = *nodes.since.get_or_insert(now);
        if nodes.reported == now {
            return false;
        }
        nodes.reported = now;
        nodes.heard.retain(|_, (at, _)| now.saturating_sub((*at).max(since)) <= 2 * SILENT_SECONDS);
        if std::mem::take(&mut nodes.has_late) {
            turns.tidy_order(seats);
            if let Some(reached) = turns.reached {
                turns.call_to(seats, reached, now);
            }
        }
        let ahead = AHEAD_SECONDS.max(config.poll_seconds_min);
        let spare = turns.spare((supply.free, pace), now, ahead);
        let (round, number) = turns.reached.unwrap_or((0, Number::from_bytes([0; 8])));
        let entering_per_kilosecond = pace.own_per_kilosecond();
        let reached = (round, number.to_bytes());
        seats.note(Event::Reported(Report { spare, entering_per_kilosecond, reached }));
        let others = nodes.reports(now).map(|(_, report)| report.entering_per_kilosecond);
        pace.set_others(Rate::per_second(others.map(f64::from).sum::<f64>() / 1000.0));
        if !nodes.leads {
            return false;
        }
        let of_others: i64 =
            nodes.reports(now).map(|(node, report)| nodes.spare_of(node, report)).sum();
        let spare = usize::try_from(i64::from(spare) + of_others).unwrap_or(0);
        if spare > 0
            && let Some(further) = turns.further(seats, spare, now)
        {
            let (round, number) = further.reach;
            turns.call_to(seats, further.reach, now);
            seats.note(Event::Called { round, number: number.to_bytes() });
            if nodes.calls.len() == CALLS_MAX {
                nodes.calls.pop_front();
            }
            nodes.calls.push_back(further);
        }
        let soon = pace.all_in(DRAWN_AHEAD_SECONDS);
        let is_closed = turns.close_if_due(spare, soon, now);
        if is_closed && let Some(closed) = &turns.closed {
            let round = closed.round;
            nodes.closed_to = nodes.closed_to.max(Some(round));
            seats.note(Event::Closed { round });
        }
        is_closed
    }

    /// The node that leads waits for the people of nodes that have ended, so that who does not ask elsewhere loses their seat.
    pub(super) fn adopt(&mut self, index: u32, now: u32) {
        let seat = *self.seats.get(index);
        let is_orphan = self.nodes.as_ref().is_some_and(|nodes| {
            nodes.leads && seat.elsewhere.is_some_and(|node| nodes.is_silent(node, now))
        });
        if is_orphan && seat.stage != Stage::Vacant {
            self.comes_here(index, now);
        }
    }
}
