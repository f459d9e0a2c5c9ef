//! Sessions that were open before a restart, as the journal remembers them.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Whose, ended::Ended, secret_hash::SecretHash};
use crate::{
    civic::ProvedBy,
    gate::leases::{Lease, Leases},
    ledger::journal::{Event, Opened},
    metrics::SESSIONS_REOPENED,
    vault::Subject,
};

/// What the journal says of visits, gathered while it is read.
pub struct Remembered {
    /// The sessions that have not ended, by the keyed hash of their visit.
    pub(super) open: HashMap<Subject, Kept>,
    pub(super) ended: Ended,
    /// The moment, in real time, until which the journal is whole.
    pub(super) whole_until: Timestamp,
    /// Sessions read so far.
    opened: u64,
}

/// A session that has not ended.
pub(super) struct Kept {
    /// Its place among all of them, oldest first.
    pub(super) order: u64,
    pub(super) expires_at: Timestamp,
    whose: Whose,
    began_at: Timestamp,
    proved_by: ProvedBy,
    generation: u32,
    has_lease: bool,
}

/// A session that is open and was not seen since the restart.
pub(super) struct Asleep {
    pub(super) whose: Whose,
    pub(super) began_at: Timestamp,
    pub(super) proved_by: ProvedBy,
    pub(super) generation: u32,
    pub(super) lease: Option<Lease>,
}

impl Remembered {
    /// Nothing yet.
    #[must_use]
    pub fn nothing() -> Self {
        let (open, ended) = (HashMap::new(), Ended::new());
        Self { open, ended, whole_until: Timestamp::MAX, opened: 0 }
    }

    /// Takes in the next event of the journal.
    pub fn take(&mut self, event: &Event) {
        match *event {
            Event::Opened(opened) => {
                let Opened { visit, person, subject, expires_at, generation, .. } = opened;
                let Opened { began_at, proved_by, .. } = opened;
                self.opened += 1;
                let whose = Whose { subject, person };
                let order = self.opened;
                let has_lease = true;
                let kept =
                    Kept { order, expires_at, whose, began_at, proved_by, generation, has_lease };
                self.open.insert(visit, kept);
            }
            Event::Renewed { visit, generation } => {
                self.change(visit, |kept| kept.generation = kept.generation.max(generation));
            }
            Event::LeaseGone { visit } => self.change(visit, |kept| kept.has_lease = false),
            Event::Ended { visit } => {
                self.open.remove(&visit);
                self.ended.add(SecretHash::of_visit(visit));
            }
            Event::Joined(_)
            | Event::Called { .. }
            | Event::Left(_)
            | Event::SeatMoved(_)
            | Event::Closed { .. }
            | Event::Drawn { .. }
            | Event::Reported(_)
            | Event::Counted { .. } => {}
        }
    }

    /// The journal has been read, and is whole until this moment.
    #[must_use]
    pub fn whole_until(self, whole_until: Timestamp) -> Self {
        Self { whole_until, ..self }
    }

    fn change(&mut self, visit: Subject, change: impl FnOnce(&mut Kept)) {
        if let Some(kept) = self.open.get_mut(&visit) {
            change(kept);
        }
    }
}

impl Kept {
    /// The session, with its lease if it still held one.
    pub(super) fn asleep(self, leases: &Leases) -> Asleep {
        let lease = self.has_lease.then(|| lease_again(leases));
        if lease.is_none() {
            SESSIONS_REOPENED.counter(&["none"]).increment(1);
        }
        let Self { whose, began_at, proved_by, generation, .. } = self;
        Asleep { whose, began_at, proved_by, generation, lease }
    }
}

/// The lease of a session that was open before: its person was promised that they can finish.
pub(super) fn lease_again(leases: &Leases) -> Lease {
    let within = leases.take();
    let label = if within.is_some() { "within" } else { "beyond" };
    SESSIONS_REOPENED.counter(&[label]).increment(1);
    within.unwrap_or_else(|| leases.take_beyond())
}
