//! Sessions that were not seen here yet, or not lately: they wake by their token, and their lease follows them.

use std::sync::{Arc, atomic::Ordering};

use jiff::Timestamp;

use super::{
    super::{
        Session, Whose,
        asleep::{Promised, lease_again},
        secret_hash::SecretHash,
        token::{self, Contents},
    },
    Awake, Entry, Known, Sessions, State,
};
use crate::{ledger::journal::Event, metrics::SESSIONS_REOPENED, vault::fill_random};

impl Sessions {
    /// Opens the session of a token that was open before a restart, or is open at another node, exactly as it was; `None`
    /// if the token is none of ours, or its session is over or [unheard of](Self::is_unheard_of).
    #[must_use]
    pub fn reopen(&self, token: &str, now: Timestamp) -> Option<Arc<Session>> {
        let contents = token::open(&self.keys, token)?;
        let visit = self.keys.visit(contents.visit.as_str());
        if now >= contents.expires_at {
            return None;
        }
        let key = SecretHash::of_visit(visit);
        match self.by_visit.entry(key) {
            Entry::Occupied(mut known) => self.see_again(known.get_mut(), contents, token),
            Entry::Vacant(free) => {
                let is_lost = contents.issued_at >= self.whole_until && !self.ended.contains(key);
                if !is_lost {
                    return None;
                }
                let lease = lease_again(&self.leases);
                let session = self.session_of(contents, visit, Some(lease));
                self.note_opened(&session);
                drop(free.insert(self.awake(token, &session, true)));
                self.begin_to_count(session.audience);
                if let Some(oldest) = self.add_to_person(session.person, key) {
                    self.end(&oldest);
                }
                Some(session)
            }
        }
    }

    fn see_again(
        &self,
        known: &mut Known,
        contents: Contents,
        token: &str,
    ) -> Option<Arc<Session>> {
        let (whose, generation) = (Whose::of(&self.keys, &contents.identity), contents.generation);
        match &mut known.state {
            State::Asleep(asleep) => {
                let is_valid = asleep.whose == whose && generation >= asleep.generation;
                is_valid.then(|| self.wake(known, contents, token)).flatten()
            }
            State::Awake(Awake { token: current, session }) => {
                let hash = SecretHash::of(token);
                // A request at the same time has woken it.
                let is_current = hash == *current && self.by_token.contains_key(current);
                if !is_current {
                    let known = session.generation.load(Ordering::Relaxed);
                    let is_free = !self.by_token.contains_key(current);
                    let is_newer = generation > known || (generation == known && is_free);
                    if !session.is_of(whose) || !is_newer {
                        return None;
                    }
                    // Another node has renewed it.
                    self.by_token.remove(current);
                    session.generation.store(generation, Ordering::Relaxed);
                    *current = self.register(token, session);
                }
                Some(Arc::clone(session))
            }
        }
    }

    /// Whether a token is one of ours, not expired, and nothing is known of its visit: another node may have opened its
    /// session a moment ago.
    #[must_use]
    pub fn is_unheard_of(&self, token: &str, now: Timestamp) -> bool {
        let contents = token::open(&self.keys, token);
        contents.is_some_and(|contents| now < contents.expires_at && !self.knows(&contents.visit))
    }

    /// Wakes a session that sleeps, with its lease; `None` if it is awake.
    pub(super) fn wake(
        &self,
        known: &mut Known,
        contents: Contents,
        token: &str,
    ) -> Option<Arc<Session>> {
        let State::Asleep(asleep) = &mut known.state else { return None };
        if matches!(asleep.lease, Promised::Gone) && !known.is_here {
            SESSIONS_REOPENED.counter(&["none"]).increment(1);
        }
        let lease = asleep.take_lease(&self.leases);
        let session = self.session_of(contents, known.visit, lease);
        let token = self.register(token, &session);
        known.state = State::Awake(Awake { token, session: Arc::clone(&session) });
        self.claim(known, &session);
        Some(session)
    }

    /// Takes the lease of a session back that another node holds: its person is about to submit here.
    pub fn take_back(&self, session: &Session) {
        let known = self.by_visit.get_mut(&SecretHash::of_visit(session.visit_hash));
        if let Some(mut known) = known {
            self.bring_here(&mut known);
        }
    }

    /// Counts a session that is awake here, and holds its lease, unless that is so.
    pub(super) fn bring_here(&self, known: &mut Known) {
        if known.is_here {
            return;
        }
        let State::Awake(Awake { session, .. }) = &known.state else { return };
        let session = Arc::clone(session);
        if session.is_canary() {
            return;
        }
        if !session.finished.load(Ordering::Relaxed) {
            session.keep(lease_again(&self.leases));
        }
        self.claim(known, &session);
    }

    /// Counts a session here from now on, unless it is, and tells the others.
    pub(super) fn claim(&self, known: &mut Known, session: &Session) {
        if !known.is_here {
            known.is_here = true;
            self.begin_to_count(session.audience);
            self.note_moved(known);
        }
    }

    /// Notes that this node has a session, whichever node thinks that it does.
    pub(super) fn note_moved(&self, known: &mut Known) {
        let mut lot = [0; 4];
        fill_random(&mut lot);
        known.turn = (((known.turn >> 32) + 1) << 32) | u64::from(u32::from_be_bytes(lot));
        self.journal.note(Event::Moved { visit: known.visit, turn: known.turn });
    }

    /// Notes that a session has used the lease that it was opened with, so that no restart and no other node reserves one
    /// again.
    pub fn has_finished(&self, session: &Session) {
        if !session.finished.swap(true, Ordering::Relaxed) {
            self.journal.note(Event::LeaseGone { visit: session.visit_hash });
        }
    }
}
