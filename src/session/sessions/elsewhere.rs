//! What other nodes note of sessions.
//!
//! The events of one node come in their order, those of several in any: the outcome is the same.

use std::{
    collections::HashMap,
    sync::{MutexGuard, PoisonError, atomic::Ordering},
};

use super::{
    super::{
        asleep::{Asleep, Early, Promised},
        secret_hash::SecretHash,
    },
    Awake, Changed, Entry, Known, Sessions, State,
};
use crate::{
    ledger::journal::{Event, Opened},
    vault::Subject,
};

/// Sessions of which something is known before their opening. It comes with the same look at the journal or the next, so
/// there are hardly any; one more is not kept.
const EARLY_MAX: usize = 100_000;
/// Sweeps after which the opening is not expected any more.
const EARLY_SWEEPS: u32 = 60;

impl Sessions {
    /// Takes in what another node notes.
    pub fn learn(&self, event: &Event) {
        match event {
            Event::Opened(opened) => self.learn_opened(opened),
            Event::Ended { visit } => {
                let key = SecretHash::of_visit(*visit);
                self.ended.add(key);
                self.take_off(&key, false);
                self.early().remove(visit);
            }
            other => {
                if let Some((visit, changed)) = Changed::by(other) {
                    self.learn_changed(visit, changed);
                }
            }
        }
    }

    fn learn_opened(&self, opened: &Opened) {
        let Opened { visit, expires_at, generation, .. } = *opened;
        let key = SecretHash::of_visit(visit);
        match self.by_visit.entry(key) {
            // Its person entered at two nodes at once. One of the tokens is over, and one node keeps the lease.
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                self.change(known, Changed { generation, ..Changed::default() });
                if known.is_here {
                    self.note_moved(known);
                }
            }
            Entry::Vacant(free) if !self.ended.contains(key) => {
                let asleep = Asleep::opened(opened);
                let person = asleep.whose.person;
                let state = State::Asleep(Box::new(asleep));
                let mut known = Known { visit, expires_at, is_here: false, turn: 0, state };
                if let Some(Early { changed, .. }) = self.early().remove(&visit) {
                    self.change(&mut known, changed);
                }
                drop(free.insert(known));
                self.by_person.entry(person).or_default().push(key);
            }
            Entry::Vacant(_) => {}
        }
    }

    fn learn_changed(&self, visit: Subject, changed: Changed) {
        let key = SecretHash::of_visit(visit);
        if let Some(mut known) = self.by_visit.get_mut(&key) {
            self.change(&mut known, changed);
            return;
        }
        let mut early = self.early();
        if !self.ended.contains(key) && (early.contains_key(&visit) || early.len() < EARLY_MAX) {
            let nothing = Early { changed: Changed::default(), sweeps: 0 };
            early.entry(visit).or_insert(nothing).changed.add(changed);
        }
    }

    /// Changes what is known of a session.
    fn change(&self, known: &mut Known, changed: Changed) {
        let Changed { generation, turn, is_lease_gone } = changed;
        let moves = turn > known.turn;
        known.turn = known.turn.max(turn);
        match &mut known.state {
            State::Asleep(asleep) => {
                asleep.generation = asleep.generation.max(generation);
                if is_lease_gone {
                    asleep.lease = Promised::Gone;
                }
            }
            State::Awake(Awake { token, session }) => {
                if generation > session.generation.fetch_max(generation, Ordering::Relaxed) {
                    self.by_token.remove(token);
                }
                if is_lease_gone {
                    session.finished.store(true, Ordering::Relaxed);
                }
                if is_lease_gone || moves {
                    drop(session.take_lease());
                }
                if moves && known.is_here {
                    known.is_here = false;
                    self.cease_to_count(session.audience);
                }
            }
        }
    }

    /// Forgets what is known of sessions whose opening does not come.
    pub(super) fn sweep_early(&self) {
        self.early().retain(|_, early| {
            early.sweeps += 1;
            early.sweeps <= EARLY_SWEEPS
        });
    }

    fn early(&self) -> MutexGuard<'_, HashMap<Subject, Early>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
