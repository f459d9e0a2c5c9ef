//! Whether it is a person's turn, and the answer to one who has to wait.

use super::{
    Config, Inner, Waiting,
    polling::Polling,
    seats::{Presence, Stage},
    supply::Supply,
};

/// A person who was called may enter this long before they were told to ask again, seconds: the place is kept for them
/// as long afterwards. Where polls get lost, such as in a proxy that is full, places would stay empty without it.
const EARLY_SECONDS_MAX: u32 = 3;

impl Inner {
    /// Whether it is the turn of the person on this seat: they were called, and do not ask [long](EARLY_SECONDS_MAX) before
    /// they were told to. Who does may enter only if nobody who was called is expected to need the place: who asks when
    /// told loses nothing.
    pub(super) fn may_enter(&self, index: u32, supply: &Supply, now: u32) -> bool {
        let seat = self.seats.get(index);
        let Stage::Called(_) = seat.stage else { return false };
        if !seat.is_early(now) || seat.due - now <= EARLY_SECONDS_MAX {
            return true;
        }
        // From when they are expected, their place is counted already.
        let until = if seat.presence == Presence::Gone { u32::MAX } else { seat.due };
        self.has_room_until(until, supply, now)
    }

    /// Whether somebody without a seat may enter: a place is free that nobody who was called needs, everybody who waits and
    /// they themselves could enter before anybody asks again, and nobody is kept out of the room itself. Without it each
    /// short crowd, and a few people who have gone, would send all who come after them into rounds, while places stay empty.
    pub(super) fn leaves_a_place(&self, config: &Config, supply: &Supply, now: u32) -> bool {
        let soon = supply.free + self.pace.people_in(config.poll_seconds_min);
        !supply.is_crowded
            && self.turns.waiting(now) < soon
            && self.has_room_until(u32::MAX, supply, now)
    }

    /// Whether a place is left for somebody who comes now, beside those for all who were called and are expected before the
    /// second `until`.
    fn has_room_until(&self, until: u32, supply: &Supply, now: u32) -> bool {
        let free_until = |seconds| supply.free + self.pace.people_in(seconds);
        self.turns.has_room(1, (now, until), now, free_until)
    }

    /// The connection of the person on this seat was closed. Of those who were called only the others are expected.
    pub(super) fn has_gone(&mut self, index: u32) {
        let was = self.set_presence(index, Presence::Gone);
        let seat = self.seats.get(index);
        if was != Presence::Gone && seat.is_called() {
            self.turns.expected_no_more(seat.due);
        }
    }

    /// Notes how a person stands; returns how they stood.
    fn set_presence(&mut self, index: u32, presence: Presence) -> Presence {
        let seat = self.seats.get_mut(index);
        let was = std::mem::replace(&mut seat.presence, presence);
        if let Some(round) = self.turns.undrawn(seat.stage) {
            round.gone += u32::from(presence == Presence::Gone);
            round.gone -= u32::from(was == Presence::Gone);
        }
        was
    }

    /// The answer to the person on this seat, who is then expected when it says. An early request changes nothing: its
    /// answer names the same moment again.
    pub(super) fn answer(
        &mut self,
        index: u32,
        config: &Config,
        supply: &Supply,
        now: u32,
    ) -> Waiting {
        let seat = *self.seats.get(index);
        let is_turn = self.may_enter(index, supply, now);
        let ahead = self.turns.ahead_of(&seat, now);
        let poll_seconds = if seat.is_early(now) && !is_turn {
            seat.due - now
        } else {
            self.poll_seconds(index, ahead, (config, supply), now)
        };
        let is_expected = seat.is_called() && seat.presence != Presence::Gone;
        if is_expected {
            self.turns.expected_no_more(seat.due);
        }
        let due = now.saturating_add(poll_seconds);
        if seat.is_called() {
            self.turns.expected(due);
        }
        self.seats.get_mut(index).due = due;
        self.set_presence(index, if is_turn { Presence::MayCome } else { Presence::Expected });
        let estimate = self.pace.seconds_for(ahead);
        let (round, commitment, beacon_round, drawn) = match self.turns.round_of(seat.stage) {
            Ok(round) => (round.round, round.commitment, round.beacon_round, None),
            Err(drawn) => {
                let mixed = drawn.beacon.filter(|beacon| beacon.value.is_some());
                let told = Some((drawn.seed, seat.number));
                (drawn.round, drawn.commitment, mixed.map(|beacon| beacon.round), told)
            }
        };
        Waiting {
            round,
            commitment,
            beacon_round,
            is_called: is_turn,
            drawn,
            poll_seconds,
            estimate_seconds: estimate
                .map(|seconds| if is_turn { 0 } else { seconds.max(poll_seconds) }),
        }
    }

    /// Seconds until the person on this seat asks again, with this many people before them.
    pub(super) fn poll_seconds(
        &self,
        index: u32,
        ahead: usize,
        (config, supply): (&Config, &Supply),
        now: u32,
    ) -> u32 {
        let Self { seats, turns, pace, .. } = self;
        let seat = seats.get(index);
        let polling = Polling::of(config, supply, seats.here(), (turns, pace));
        let person = u64::from_be_bytes(seat.person);
        let spread = person ^ u64::from(now);
        match seat.stage {
            Stage::Called(_) => polling.when_called(turns.called_until(now), spread),
            Stage::Drawn(_) | Stage::Vacant => {
                polling.before_turn(pace.seconds_at_most(ahead), spread)
            }
            // Nobody enters before the draw of their round, so the draw is the next thing worth asking for.
            Stage::Gathering(_) => {
                polling.before_draw(pace.seconds_at_most(turns.to_call()), (now, person))
            }
        }
    }
}
