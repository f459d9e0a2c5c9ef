//! Drawing the closed round: what has to be durable first, and the value of the beacon.

use std::{fmt::Display, sync::PoisonError, thread};

use jiff::Timestamp;

use super::{
    Room,
    seats::{Stage, seconds},
    supply::Supply,
    turns::Gathering,
};
use crate::{
    gate::lottery::Mixer,
    ledger::{
        fault::StorageFault,
        journal::Event,
        rounds::{BeaconValue, DrawnBeacon, DrawnRound, Rounds},
    },
    metrics::DRAWN_WITHOUT_BEACON,
};

/// Seats that are mixed without releasing the lock.
const MIX_SEATS: u32 = 4096;

impl Room {
    /// Draws the closed round, if there is one and the value of its beacon round has arrived; then calls people. Calls
    /// `note` with what the audit trail has to record. May wait for the disk.
    ///
    /// A round whose beacon value is too late is drawn without it, which everybody can see.
    ///
    /// # Errors
    /// [`StorageFault`]: the round is not drawn and its seed is secret; try again later.
    pub fn draw(
        &self,
        supply: &Supply,
        now: Timestamp,
        real_now: Timestamp,
        note: impl Fn(&dyn Display),
    ) -> Result<(), StorageFault> {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.may_draw(&mut **rounds, now)? {
            return Ok(());
        }
        let Some(mut closed) = self.lock().turns.closed else { return Ok(()) };
        if let (None, Some(beacon)) = (closed.beacon_round, &self.beacon) {
            let named = beacon.round_after(real_now);
            rounds.name_beacon(named)?;
            let Gathering { round, commitment, .. } = closed;
            note(&format_args!(
                "round {round} closed, commitment {commitment}, beacon round {named}"
            ));
            closed.beacon_round = Some(named);
            self.lock().turns.name_beacon(named);
        }
        let beacon = match closed.beacon_round {
            None => None,
            Some(round) => match self.beacon_value(&closed, round, now, real_now) {
                Found::Value(value) => Some(DrawnBeacon { round, value: Some(value) }),
                Found::Nothing => Some(DrawnBeacon { round, value: None }),
                Found::NotYet => return Ok(()),
            },
        };
        // Nobody joins it any more. Once it is drawn, everybody in it must be known after a power cut, too. An error: the
        // journal has failed, and remembers nobody.
        let is_on_disk = self.journal.synced().blocking_recv().is_ok();
        let drawn_after = self.lock().nodes.as_ref().map(|nodes| nodes.drawn_after);
        if let Some(drawn_after) = drawn_after {
            if !is_on_disk {
                return Ok(());
            }
            // Other nodes let people join until they know that it is closed.
            thread::sleep(drawn_after);
        }
        let people = self.lock().turns.closed.map_or(0, |closed| closed.people);
        let Gathering { round, seed, commitment, .. } = closed;
        let drawn = DrawnRound { round, seed, commitment, beacon, people, drawn_at: now };
        rounds.end(&drawn)?;
        note(&drawn);
        let outlook = rounds.outlook();
        let known = self.lock().turns.chains;
        for chain in outlook.chains.iter().filter(|chain| !known.contains(chain)) {
            note(chain);
        }
        if let Some(value) = drawn.mixed_with() {
            self.mix(closed.stage(), &Mixer::new(value));
        }
        self.with(|inner| inner.turns.draw(&mut inner.seats, drawn, &outlook));
        if self.journal.is_shared() {
            self.journal.note(Event::Drawn { round });
        }
        self.calling(supply, now, |_| ());
        Ok(())
    }

    /// Whether this node draws. Takes over what other nodes have drawn.
    fn may_draw(&self, rounds: &mut dyn Rounds, now: Timestamp) -> Result<bool, StorageFault> {
        let is_behind = match &self.lock().nodes {
            None => return Ok(true),
            Some(_) if self.is_empty() => return Ok(false),
            Some(nodes) => nodes.is_behind || nodes.leads,
        };
        let leads = rounds.leads();
        if is_behind || leads {
            if let Some(nodes) = &mut self.lock().nodes {
                nodes.is_behind = false;
            }
            // A draw whose outcome this node did not learn counts, too.
            if let Err(fault) = rounds.refresh() {
                if let Some(nodes) = &mut self.lock().nodes {
                    nodes.is_behind = is_behind;
                }
                return Err(fault);
            }
            let outlook = rounds.outlook();
            let elsewhere = self.lock().drawn_elsewhere(&outlook);
            for (drawn, after) in elsewhere {
                self.with(|inner| inner.close_for(drawn.round, seconds(now)));
                if let Some(value) = drawn.mixed_with() {
                    self.mix(Stage::of_undrawn(drawn.round), &Mixer::new(value));
                }
                self.with(|inner| inner.draw_elsewhere((drawn, &after), seconds(now)));
            }
            if let Some(named) = outlook.beacon_round {
                self.lock().turns.name_beacon(named);
            }
        }
        if let Some(nodes) = &mut self.lock().nodes {
            nodes.leads = leads;
        }
        Ok(leads)
    }

    /// Mixes the numbers of the people in this stage. Releases the lock after each part, so that others can ask while a
    /// million numbers are mixed. A seat that is taken anew meanwhile belongs to a later round.
    fn mix(&self, stage: Stage, mixer: &Mixer) {
        let mut from = 0;
        loop {
            let mut inner = self.lock();
            let until = inner.seats.len().min(from + MIX_SEATS);
            for index in from..until {
                let seat = inner.seats.get_mut(index);
                if seat.stage == stage {
                    seat.number = mixer.mix(seat.number);
                }
            }
            if until == inner.seats.len() {
                return;
            }
            drop(inner);
            from = until;
            thread::yield_now();
        }
    }

    fn beacon_value(
        &self,
        closed: &Gathering,
        round: u64,
        now: Timestamp,
        real_now: Timestamp,
    ) -> Found {
        let (fault, is_overdue) = match &self.beacon {
            None => (Some("beacon.file is not set any more".to_owned()), true),
            Some(beacon) => {
                let waited = seconds(now).saturating_sub(closed.since);
                let is_overdue =
                    waited > beacon.late_seconds_max && beacon.is_overdue(round, real_now);
                match beacon.value(round) {
                    Ok(Some(value)) => return Found::Value(value),
                    Ok(None) => (None, is_overdue),
                    Err(fault) => (Some(fault.to_string()), is_overdue),
                }
            }
        };
        if !is_overdue {
            return Found::NotYet;
        }
        tracing::error!(
            round = closed.round,
            beacon_round = round,
            fault,
            "the beacon's value is missing: the round is drawn without it, visibly; repair what writes beacon.file"
        );
        DRAWN_WITHOUT_BEACON.counter(&[]).increment(1);
        Found::Nothing
    }
}

enum Found {
    Value(BeaconValue),
    NotYet,
    /// It is too late.
    Nothing,
}
