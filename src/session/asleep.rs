//! Sessions that were open before a restart, or are open at another node, as the journal tells of them.

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
    /// What another node noted of a session whose opening is not read yet.
    pub(super) early: HashMap<Subject, Changed>,
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
    changed: Changed,
}

/// What has changed since a session was opened. Changes come in any order from several nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Changed {
    /// The greatest generation of its tokens.
    pub(super) generation: u32,
    /// The greatest turn in which it moved.
    pub(super) turn: u64,
    pub(super) is_lease_gone: bool,
}

/// A session that is open and was not seen here yet.
pub(super) struct Asleep {
    pub(super) whose: Whose,
    pub(super) began_at: Timestamp,
    pub(super) proved_by: ProvedBy,
    pub(super) generation: u32,
    pub(super) lease: Promised,
}

/// The lease of a session that sleeps.
pub(super) enum Promised {
    /// It is held here.
    Held(Lease),
    /// Another node holds it, or held it before it ended.
    Elsewhere,
    /// It was used, or handed over.
    Gone,
}

impl Remembered {
    /// Nothing yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            open: HashMap::new(),
            ended: Ended::new(),
            early: HashMap::new(),
            whole_until: Timestamp::MAX,
            opened: 0,
        }
    }

    /// Takes in the next event of the journal. Those of one node come in their order, those of several in any.
    pub fn take(&mut self, event: &Event) {
        match *event {
            Event::Opened(opened) => self.take_opened(opened),
            Event::Ended { visit } => {
                self.open.remove(&visit);
                self.early.remove(&visit);
                self.ended.add(SecretHash::of_visit(visit));
            }
            _ => {
                let Some((visit, changed)) = Changed::by(event) else { return };
                if let Some(kept) = self.open.get_mut(&visit) {
                    kept.changed.add(changed);
                } else if !self.ended.contains(SecretHash::of_visit(visit)) {
                    self.early.entry(visit).or_default().add(changed);
                }
            }
        }
    }

    fn take_opened(&mut self, opened: Opened) {
        let Opened { visit, expires_at, .. } = opened;
        if self.ended.contains(SecretHash::of_visit(visit)) {
            return;
        }
        self.opened += 1;
        let order = self.opened;
        let Asleep { whose, began_at, proved_by, generation, .. } = Asleep::opened(&opened);
        let mut changed = Changed { generation, ..Changed::default() };
        if let Some(early) = self.early.remove(&visit) {
            changed.add(early);
        }
        if let Some(twice) = self.open.get(&visit) {
            changed.add(twice.changed);
        }
        let kept = Kept { order, expires_at, whose, began_at, proved_by, changed };
        self.open.insert(visit, kept);
    }

    /// The journal has been read, and is whole until this moment.
    #[must_use]
    pub fn whole_until(self, whole_until: Timestamp) -> Self {
        Self { whole_until, ..self }
    }
}

/// What is known of a session before its opening.
pub(super) struct Early {
    pub(super) changed: Changed,
    /// How often sweeps have found it.
    pub(super) sweeps: u32,
}

impl Early {
    /// What a restart has read.
    pub(super) fn all(changed: HashMap<Subject, Changed>) -> HashMap<Subject, Self> {
        changed.into_iter().map(|(visit, changed)| (visit, Self { changed, sweeps: 0 })).collect()
    }
}

impl Changed {
    /// Which session an event changes, and how; `None` if it is not a change of one.
    pub(super) fn by(event: &Event) -> Option<(Subject, Self)> {
        let nothing = Self::default();
        match *event {
            Event::Renewed { visit, generation } => Some((visit, Self { generation, ..nothing })),
            Event::LeaseGone { visit } => Some((visit, Self { is_lease_gone: true, ..nothing })),
            Event::Moved { visit, turn } => Some((visit, Self { turn, ..nothing })),
            Event::Opened(_)
            | Event::Ended { .. }
            | Event::Joined(_)
            | Event::Called { .. }
            | Event::Left(_)
            | Event::SeatMoved(_)
            | Event::Closed { .. }
            | Event::Drawn { .. }
            | Event::Reported(_)
            | Event::Counted { .. } => None,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.generation = self.generation.max(other.generation);
        self.turn = self.turn.max(other.turn);
        self.is_lease_gone |= other.is_lease_gone;
    }
}

impl Kept {
    /// The session, with its lease if it still held one.
    pub(super) fn asleep(self, leases: &Leases) -> Asleep {
        let lease = if self.changed.is_lease_gone {
            SESSIONS_REOPENED.counter(&["none"]).increment(1);
            Promised::Gone
        } else {
            Promised::Held(lease_again(leases))
        };
        Asleep { lease, ..self.elsewhere().0 }
    }

    /// The session as one of another node, and its turn.
    pub(super) fn elsewhere(self) -> (Asleep, u64) {
        let Self { whose, began_at, proved_by, changed, .. } = self;
        let generation = changed.generation;
        let lease = if changed.is_lease_gone { Promised::Gone } else { Promised::Elsewhere };
        (Asleep { whose, began_at, proved_by, generation, lease }, changed.turn)
    }
}

impl Asleep {
    /// A session as another node has opened it.
    pub(super) fn opened(opened: &Opened) -> Self {
        let &Opened { person, subject, began_at, proved_by, generation, .. } = opened;
        let whose = Whose { subject, person };
        Self { whose, began_at, proved_by, generation, lease: Promised::Elsewhere }
    }

    /// Its lease, if it still has one.
    pub(super) fn take_lease(&mut self, leases: &Leases) -> Option<Lease> {
        match std::mem::replace(&mut self.lease, Promised::Gone) {
            Promised::Held(lease) => Some(lease),
            Promised::Elsewhere => Some(lease_again(leases)),
            Promised::Gone => None,
        }
    }
}

/// The lease of a session that was open before, or elsewhere: its person was promised that they can finish.
pub(super) fn lease_again(leases: &Leases) -> Lease {
    let within = leases.take();
    let label = if within.is_some() { "within" } else { "beyond" };
    SESSIONS_REOPENED.counter(&[label]).increment(1);
    within.unwrap_or_else(|| leases.take_beyond())
}
