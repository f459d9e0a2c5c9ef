//! The sessions of one person: what they may know of them, how they end them, and how many there may be.

use std::sync::atomic::Ordering::Relaxed;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;

use super::{
    super::{Session, asleep::lease_again},
    Awake, Known, Sessions, State,
};
use crate::{
    civic::ProvedBy,
    gate::leases::Lease,
    identity::Audience,
    ledger::journal::Event,
    session::{Whose, secret_hash::SecretHash},
    vault::Subject,
};

/// What a person may know of one of their open sessions.
pub struct OwnSession {
    /// Names it to its person. It is no secret, and too short to be a visit.
    pub handle: String,
    /// When it began.
    pub began_at: Timestamp,
    /// The first instant at which it is over.
    pub expires_at: Timestamp,
    /// What proved who they are, when it began.
    pub proved_by: ProvedBy,
    /// Whether it is the session in which they ask.
    pub is_current: bool,
}

impl Sessions {
    /// The open sessions of a session's person for the same principal, oldest first.
    ///
    /// Those of other nodes are listed too, and after a restart those that were not seen again yet. One whose opening the journal lost in a power
    /// cut is listed from the moment on at which its token is seen again.
    #[must_use]
    pub fn of_person(&self, mine: &Session, now: Timestamp) -> Vec<OwnSession> {
        self.own(mine, now).into_iter().map(|(_, own)| own).collect()
    }

    /// Ends one of them; false if none has this handle.
    pub fn end_own(&self, mine: &Session, handle: &str, now: Timestamp) -> bool {
        let own = self.own(mine, now);
        let found = own.iter().find(|(_, own)| own.handle == handle);
        found.inspect(|(visit, _)| self.end(visit)).is_some()
    }

    /// Ends all of them but this one; returns how many.
    pub fn end_others(&self, mine: &Session, now: Timestamp) -> usize {
        let own = self.own(mine, now);
        own.iter().filter(|(_, own)| !own.is_current).inspect(|(visit, _)| self.end(visit)).count()
    }

    fn own(&self, mine: &Session, now: Timestamp) -> Vec<(SecretHash, OwnSession)> {
        let whose = Whose { subject: mine.subject, person: mine.person };
        let own = |visit: SecretHash| {
            let known = self.by_visit.get(&visit).filter(|known| now < known.expires_at)?;
            let (theirs, began_at, proved_by) = match &known.state {
                State::Asleep(asleep) => (asleep.whose == whose, asleep.began_at, asleep.proved_by),
                State::Awake(Awake { session, .. }) => {
                    (session.is_of(whose), session.began_at, session.proved_by)
                }
            };
            let own = OwnSession {
                handle: self.keys.session_handle(known.visit),
                began_at,
                expires_at: known.expires_at,
                proved_by,
                is_current: known.visit == mine.visit_hash,
            };
            theirs.then_some((visit, own))
        };
        self.visits_of(mine.person).into_iter().filter_map(own).collect()
    }

    /// Takes the lease of a session that the person has open already, so that they can enter from another device and
    /// finish there.
    #[must_use]
    pub fn hand_over(&self, person: Subject, audience: Audience) -> Option<Lease> {
        self.visits_of(person).iter().find_map(|key| {
            let mut known = self.by_visit.get_mut(key)?;
            let Known { visit, is_here, state, .. } = &mut *known;
            let visit = *visit;
            let lease = match state {
                State::Asleep(asleep) if asleep.whose.audience() == audience => {
                    asleep.take_lease(&self.leases)
                }
                State::Awake(Awake { session, .. }) if session.audience == audience => {
                    // Another node may hold it, which learns that it is gone.
                    let is_elsewhere = || !*is_here && !session.finished.swap(true, Relaxed);
                    let lease = session.take_lease();
                    lease.or_else(|| is_elsewhere().then(|| lease_again(&self.leases)))
                }
                State::Asleep(_) | State::Awake(_) => None,
            };
            lease.inspect(|_| self.journal.note(Event::LeaseGone { visit }))
        })
    }

    /// The person of the open session that has this `Subject-Tag` or handle, and how many sessions of theirs are open, for
    /// all principals. Looks through all sessions: call it where that may take a moment.
    #[must_use]
    pub fn of_one_named(&self, name: &str, now: Timestamp) -> Option<(Subject, usize)> {
        let person = self.person_named(name)?;
        Some((person, self.open_visits_of(person, now).len()))
    }

    /// Ends all sessions of a person, for all principals; returns how many were open.
    pub fn end_all_of(&self, person: Subject, now: Timestamp) -> usize {
        self.open_visits_of(person, now).iter().inspect(|visit| self.end(visit)).count()
    }

    fn person_named(&self, name: &str) -> Option<Subject> {
        // A tag or a handle is a hash. None is made while a shard of the map is held, where people would wait for it.
        let known = self.by_visit.iter().map(|known| {
            let whose = match &known.state {
                State::Asleep(asleep) => asleep.whose,
                State::Awake(Awake { session, .. }) => {
                    Whose { subject: session.subject, person: session.person }
                }
            };
            (known.visit, whose)
        });
        let known: Vec<_> = known.collect();
        known.into_iter().find_map(|(visit, Whose { subject, person })| {
            let is_tag = || URL_SAFE_NO_PAD.encode(self.keys.tag(visit, person, subject)) == name;
            (self.keys.session_handle(visit) == name || is_tag()).then_some(person)
        })
    }

    /// The visits of a person's open sessions, for all principals.
    fn open_visits_of(&self, person: Subject, now: Timestamp) -> Vec<SecretHash> {
        let is_open = |visit: &SecretHash| {
            self.by_visit.get(visit).is_some_and(|known| now < known.expires_at)
        };
        self.visits_of(person).into_iter().filter(is_open).collect()
    }

    /// Adds a session to a person's; returns the oldest one if they are now too many.
    pub(super) fn add_to_person(&self, person: Subject, visit: SecretHash) -> Option<SecretHash> {
        let mut theirs = self.by_person.entry(person).or_default();
        theirs.push(visit);
        (theirs.len() > self.config.person_sessions_max).then(|| theirs.remove(0))
    }

    /// A person's visits, for all principals, oldest first.
    fn visits_of(&self, person: Subject) -> Vec<SecretHash> {
        self.by_person.get(&person).map(|theirs| theirs.clone()).unwrap_or_default()
    }
}
