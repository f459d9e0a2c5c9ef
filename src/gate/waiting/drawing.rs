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
        rounds::{BeaconValue, DrawnBeacon, DrawnRound},
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
        let _is_on_disk = self.journal.synced().blocking_recv();
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
        self.calling(supply, now, |_| ());
        Ok(())
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
