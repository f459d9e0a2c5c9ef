//! The room after a restart: everybody has the seat, the round and the number that they had, as the journal remembers
//! them.

use std::collections::HashMap;

use super::{
    Config, Inner,
    seats::{Seats, Stage},
    supply::Supply,
    turns::{Gathering, Turns},
};
use crate::{
    gate::lottery::{Mixer, Number},
    ledger::journal::{Event, Joined, Node, Seated},
    metrics::SEATS_RESTORED,
};

/// What the journal says of the room, gathered while it is read.
#[derive(Default)]
pub struct Remembered {
    seats: HashMap<Seated, Known>,
    /// The round and the number up to which people were called.
    called: Option<(u64, Number)>,
    /// The latest round that another node closed.
    closed: Option<u64>,
}

/// A seat: its round, its number, and the other node at which its person asked last.
#[derive(Clone, Copy)]
struct Known {
    round: u64,
    number: Number,
    elsewhere: Option<Node>,
}

impl Remembered {
    /// Takes in the next event of the journal; `node`: the other node that noted it.
    pub fn take(&mut self, node: Option<Node>, event: &Event) {
        match *event {
            Event::Joined(Joined { who, round, number }) => {
                let number = Number::from_bytes(number);
                self.seats.insert(who, Known { round, number, elsewhere: node });
            }
            Event::SeatMoved(who) => {
                if let Some(known) = self.seats.get_mut(&who) {
                    known.elsewhere = node;
                }
            }
            Event::Closed { round } => self.closed = self.closed.max(Some(round)),
            Event::Left(who) => {
                self.seats.remove(&who);
            }
            Event::Called { round, number } => {
                self.called = self.called.max(Some((round, Number::from_bytes(number))));
            }
            Event::Opened(_)
            | Event::Renewed { .. }
            | Event::LeaseGone { .. }
            | Event::Moved { .. }
            | Event::Ended { .. }
            | Event::Drawn { .. }
            | Event::Reported(_)
            | Event::Counted { .. } => {}
        }
    }
}

impl Inner {
    /// Gives everybody their seat again. Their next request is expected as if they had been answered now.
    pub(super) fn restore(&mut self, remembered: Remembered, config: &Config, now: u32) {
        let Self { seats, turns, .. } = self;
        turns.close_again(&remembered, now);
        let waiting = turns.seat_again(seats, remembered);
        let supply = Supply::of(0);
        for (place, index) in waiting {
            let due = now.saturating_add(self.poll_seconds(index, place, (config, &supply), now));
            let seat = self.seats.get_mut(index);
            seat.due = due;
            if seat.is_called() && seat.elsewhere.is_none() {
                self.turns.expected(due);
            }
        }
    }
}

impl Turns {
    /// Closes the first round again if it was closed: its beacon round was named, or somebody joined the one after it.
    fn close_again(&mut self, remembered: &Remembered, now: u32) {
        let next = self.gathering.round + 1;
        let mut rounds = remembered.seats.values().map(|known| known.round);
        if self.gathering.beacon_round.is_some()
            || remembered.closed >= Some(self.gathering.round)
            || rounds.any(|round| round == next)
        {
            let closed = self.replace_gathering();
            self.closed = Some(Gathering { since: now, ..closed });
        }
        self.gathering.since = now;
    }

    /// Seats everybody whose round is still known. Returns each seat, with how many people are called before it.
    fn seat_again(&mut self, seats: &mut Seats, remembered: Remembered) -> Vec<(usize, u32)> {
        let Remembered { seats: people, called, .. } = remembered;
        let (mut drawn, mut others, mut lost) = (Vec::new(), Vec::new(), 0);
        let mixers: HashMap<u64, Option<Mixer>> =
            self.drawn().map(|drawn| (drawn.round, drawn.mixed_with().map(Mixer::new))).collect();
        for (who, Known { round, number, elsewhere }) in people {
            let (stage, number) = match mixers.get(&round) {
                Some(mixer) => {
                    let number = mixer.as_ref().map_or(number, |mixer| mixer.mix(number));
                    let is_called = called.is_some_and(|called| (round, number) <= called);
                    (Stage::of_drawn(round, is_called), number)
                }
                None if self.join_again(round) => (Stage::of_undrawn(round), number),
                None => {
                    lost += 1;
                    continue;
                }
            };
            let Some(index) = seats.restore(who, (stage, number), elsewhere) else {
                lost += 1;
                continue;
            };
            match stage {
                Stage::Drawn(_) => drawn.push((round, number, index)),
                _ => others.push(index),
            }
        }
        SEATS_RESTORED.counter(&["kept"]).increment(seats.people() as u64);
        SEATS_RESTORED.counter(&["lost"]).increment(lost);
        drawn.sort_unstable();
        self.call_from(drawn.iter().map(|(round, _, index)| (*round, *index)), called);
        let to_call = drawn.len();
        let gathering = others
            .into_iter()
            .map(|index| (if seats.get(index).is_called() { 0 } else { to_call }, index));
        let drawn = drawn.iter().enumerate().map(|(place, (_, _, index))| (place, *index));
        gathering.chain(drawn).collect()
    }

    /// Counts a person in a round that is not drawn; whether there is one of this index.
    fn join_again(&mut self, round: u64) -> bool {
        let rounds = [Some(&mut self.gathering), self.closed.as_mut()];
        let found = rounds.into_iter().flatten().find(|known| known.round == round);
        found.map(|known| known.people += 1).is_some()
    }
}
