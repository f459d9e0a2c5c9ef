//! The open sessions, found by the hash of their token.
//!
//! A visit leads to its session's token only when somebody enters; every other request brings the token. A session that
//! was open before a restart sleeps until its token or its visit is seen again: the token holds what the session needs,
//! and the journal which tokens still count. Where the journal is shared by several nodes, so do the sessions of other
//! nodes: they hold no lease here, and are in no count of this node, until they are [`waking`] here.
//!
//! A `DashMap` guards them: all runtimes look sessions up at the same time, and a look-up holds a shard for some
//! hundred nanoseconds. The map is private to this file, and no guard of it lives across an await: a session is handed
//! out as an `Arc`.

mod elsewhere;
mod of_canary;
mod of_person;
mod waking;

use std::{
    collections::HashMap,
    hash::BuildHasherDefault,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use dashmap::{DashMap, Entry};
use jiff::{SignedDuration, Timestamp};
use metrics::{Counter, Gauge};

pub use self::of_person::OwnSession;
use super::{
    Session, Whose,
    asleep::{Asleep, Changed, Early, Remembered},
    ended::Ended,
    secret_hash::{SecretHash, Unhashed},
    token::{self, Contents, next_generation},
    visit::Visit,
};
use crate::{
    gate::leases::{Lease, Leases},
    identity::{Audience, Identity, ProvedBy},
    ledger::journal::{Event, Journal, Opened},
    metrics as list,
    vault::{HouseKeys, Subject},
};

/// Weight of the latest visit in the average number of requests.
const VISIT_WEIGHT: f64 = 0.01;

/// The bounds of sessions.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Sessions open at a time.
    pub sessions_max: usize,
    /// Sessions of one person at a time; one more ends the oldest. Otherwise a few people could hold every lease.
    pub person_sessions_max: usize,
    /// How long a session lasts, seconds.
    pub session_seconds: u32,
}

/// A session, and a copy of its expiry that is read before the session itself.
struct Held {
    expires_at: Timestamp,
    session: Arc<Session>,
}

/// An open session, as its visit leads to it.
struct Known {
    /// The session's keyed visit, by which the journal knows it.
    visit: Subject,
    expires_at: Timestamp,
    /// It counts here, and its lease, if it has one, is held here; else at another node, or it is the canary's.
    is_here: bool,
    /// When it moved last; other nodes know it by a smaller turn.
    turn: u64,
    state: State,
}

enum State {
    /// In the registry.
    Awake(Awake),
    /// Open since before a restart, or at another node, and not seen here yet.
    Asleep(Box<Asleep>),
}

/// A session that was seen here.
struct Awake {
    /// The hash of its token, which is in the registry unless another node has renewed it.
    token: SecretHash,
    session: Arc<Session>,
}

/// All open sessions of this node, and what it knows of those of others.
pub struct Sessions {
    config: Config,
    keys: Arc<HouseKeys>,
    journal: Arc<dyn Journal>,
    leases: Leases,
    by_token: DashMap<SecretHash, Held, BuildHasherDefault<Unhashed>>,
    /// Each open session, also those asleep. A guard of this map may be held while the others are used, never the
    /// reverse.
    by_visit: DashMap<SecretHash, Known, BuildHasherDefault<Unhashed>>,
    /// Each person's visits, oldest first. A guard of this map is never held while another one is used.
    by_person: DashMap<Subject, Vec<SecretHash>>,
    ended: Ended,
    /// What other nodes noted of sessions of whose opening nothing is known yet.
    early: Mutex<HashMap<Subject, Early>>,
    /// The latest moment, in real time, from which the journal has kept everything: a token that was made later may be of
    /// a session whose opening was lost.
    whole_until: Timestamp,
    open: AtomicUsize,
    /// Average number of requests of the visits that have ended lately; `None` while none has.
    requests: Mutex<Option<f64>>,
    gauges: [Gauge; Audience::ALL.len()],
    opened: [Counter; Audience::ALL.len()],
}

/// Who opens a session, and what for.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// The verified identity.
    pub identity: &'a Identity,
    /// The visit.
    pub visit: &'a Visit,
    /// When the session begins; whole seconds count.
    pub began_at: Timestamp,
    /// When the session ends at the latest; whole seconds count.
    pub expires_at: Timestamp,
    /// Real time.
    pub real_now: Timestamp,
}

/// Why a session is not opened.
#[derive(Debug)]
pub enum NotOpened {
    /// [`Config::sessions_max`] sessions are open.
    Full,
    /// The visit has a session, or had one. The lease is returned.
    Taken(Lease),
}

impl Sessions {
    /// The sessions that `remembered` holds, asleep. Each keeps the lease that it held, beyond the bound of `leases` if need
    /// be; if the journal is shared, each is one of another node. Those that have expired at `now` have ended.
    #[must_use]
    pub fn new(
        config: Config,
        keys: Arc<HouseKeys>,
        journal: Arc<dyn Journal>,
        remembered: Remembered,
        leases: &Leases,
        now: Timestamp,
    ) -> Self {
        let gauges = Audience::ALL.map(|audience| list::SESSIONS.gauge(&[audience.as_str()]));
        for lease in ["within", "beyond", "none"] {
            list::SESSIONS_REOPENED.counter(&[lease]).increment(0);
        }
        let opened =
            Audience::ALL.map(|audience| list::SESSIONS_OPENED.counter(&[audience.as_str()]));
        let Remembered { open, ended, early, whole_until, .. } = remembered;
        let sessions = Self {
            config,
            keys,
            journal,
            leases: leases.clone(),
            by_token: DashMap::default(),
            by_visit: DashMap::default(),
            by_person: DashMap::new(),
            ended,
            early: Mutex::new(Early::all(early)),
            whole_until,
            open: AtomicUsize::new(0),
            requests: Mutex::default(),
            gauges,
            opened,
        };
        let mut open: Vec<_> = open.into_iter().collect();
        open.sort_unstable_by_key(|(_, kept)| kept.order);
        for (visit, kept) in open {
            if kept.expires_at <= now {
                sessions.ended.add(SecretHash::of_visit(visit));
            } else if sessions.journal.is_shared() {
                let expires_at = kept.expires_at;
                let (asleep, turn) = kept.elsewhere();
                sessions.lay_down(visit, expires_at, turn, asleep);
            } else {
                let expires_at = kept.expires_at;
                let asleep = kept.asleep(leases);
                sessions.begin_to_count(asleep.whose.audience());
                sessions.lay_down(visit, expires_at, 0, asleep);
            }
        }
        sessions
    }

    /// Adds a session that sleeps.
    fn lay_down(&self, visit: Subject, expires_at: Timestamp, turn: u64, asleep: Asleep) {
        let (key, whose) = (SecretHash::of_visit(visit), asleep.whose);
        let is_here = !self.journal.is_shared();
        let state = State::Asleep(Box::new(asleep));
        self.by_visit.insert(key, Known { visit, expires_at, is_here, turn, state });
        self.by_person.entry(whose.person).or_default().push(key);
    }

    fn begin_to_count(&self, audience: Audience) {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.gauges[audience as usize].increment(1.0);
    }

    fn cease_to_count(&self, audience: Audience) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        self.gauges[audience as usize].decrement(1.0);
    }

    /// When a session ends at the latest that opens at `now`.
    #[must_use]
    pub fn expiry(&self, now: Timestamp) -> Timestamp {
        let lasts = SignedDuration::from_secs(self.config.session_seconds.into());
        now.saturating_add(lasts).unwrap_or(Timestamp::MAX)
    }

    /// Opens a session and returns it with its token, which is not stored and cannot be shown again.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(
        &self,
        opening: Opening<'_>,
        lease: Lease,
    ) -> Result<(String, Arc<Session>), NotOpened> {
        let visit = self.keys.visit(opening.visit.as_str());
        let key = SecretHash::of_visit(visit);
        let free = match self.by_visit.entry(key) {
            Entry::Vacant(free) if !self.ended.contains(key) => free,
            _ => return Err(NotOpened::Taken(lease)),
        };
        let room = |open: usize| (open < self.config.sessions_max).then_some(open + 1);
        self.open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room)
            .map_err(|_| NotOpened::Full)?;
        let [began_at, expires_at] = [opening.began_at, opening.expires_at].map(in_seconds);
        let proved_by = opening.identity.proved_by;
        let (token, contents) = self.fresh_token(opening, (began_at, expires_at), proved_by, None);
        let session = self.session_of(contents, visit, Some(lease));
        self.note_opened(&session);
        drop(free.insert(self.awake(&token, &session, true)));
        self.gauges[session.audience as usize].increment(1.0);
        self.opened[session.audience as usize].increment(1);
        if let Some(oldest) = self.add_to_person(session.person, key) {
            self.end(&oldest);
        }
        Ok((token, session))
    }

    /// Whether a visit has a session, or had one.
    #[must_use]
    pub fn knows(&self, visit: &Visit) -> bool {
        let key = self.key_of(visit);
        self.by_visit.contains_key(&key) || self.ended.contains(key)
    }

    /// Whether a visit has a session that is open.
    #[must_use]
    pub fn has_open(&self, visit: &Visit) -> bool {
        self.by_visit.contains_key(&self.key_of(visit))
    }

    /// Gives the open session of a visit a fresh token; the old one ends. `None` if the session has ended or is not this
    /// person's for the same principal. Its expiry stays, whatever `opening` says.
    ///
    /// Hand out the token when the [`journal`](Journal::synced) has it: otherwise the old one could open the session
    /// again after a restart.
    #[must_use]
    pub fn renew(&self, opening: Opening<'_>, now: Timestamp) -> Option<(String, Arc<Session>)> {
        let whose = Whose::of(&self.keys, opening.identity);
        let mut known = self.by_visit.get_mut(&self.key_of(opening.visit))?;
        if now >= known.expires_at {
            return None;
        }
        let known = &mut *known;
        let (visit, expires_at) = (known.visit, known.expires_at);
        let (token, session) = match &mut known.state {
            State::Awake(Awake { token, session }) if session.is_of(whose) => {
                self.by_token.remove(token);
                let before = Some(session.generation.load(Ordering::Relaxed));
                let (time, by) = ((session.began_at, expires_at), session.proved_by);
                let (fresh, contents) = self.fresh_token(opening, time, by, before);
                session.generation.store(contents.generation, Ordering::Relaxed);
                *token = self.register(&fresh, session);
                let session = Arc::clone(session);
                self.bring_here(known);
                (fresh, session)
            }
            State::Asleep(asleep) if asleep.whose == whose => {
                let before = Some(asleep.generation);
                let (time, by) = ((asleep.began_at, expires_at), asleep.proved_by);
                let (token, contents) = self.fresh_token(opening, time, by, before);
                let session = self.wake(known, contents, &token)?;
                (token, session)
            }
            State::Awake(_) | State::Asleep(_) => return None,
        };
        let generation = session.generation.load(Ordering::Relaxed);
        self.journal.note(Event::Renewed { visit, generation });
        Some((token, session))
    }

    /// The session of a token, if it is open at `now` and not asleep.
    #[must_use]
    pub fn find(&self, token: &str, now: Timestamp) -> Option<Arc<Session>> {
        let held = self.by_token.get(&SecretHash::of(token))?;
        (now < held.expires_at).then(|| Arc::clone(&held.session))
    }

    /// How many more sessions may be opened.
    #[must_use]
    pub fn free(&self) -> usize {
        self.config.sessions_max.saturating_sub(self.len())
    }

    /// Ends the session of a token.
    pub fn close(&self, token: &str) {
        let visit = self.by_token.get(&SecretHash::of(token)).map(|held| held.session.visit_hash);
        if let Some(visit) = visit {
            self.end(&SecretHash::of_visit(visit));
        }
    }

    /// Ends every session that has expired at `now`, and returns their leases. Call it every few seconds.
    pub fn sweep(&self, now: Timestamp) {
        let over = |known: &Known| now >= known.expires_at;
        let ended: Vec<(SecretHash, bool)> = self
            .by_visit
            .iter()
            .filter(|entry| over(entry.value()))
            .map(|entry| (*entry.key(), entry.is_here))
            .collect();
        for (visit, is_here) in &ended {
            // Each node sees by itself that a session of another one has expired.
            self.take_off(visit, *is_here);
        }
        self.ended.sweep(now);
        self.sweep_early();
    }

    /// How many sessions are open, without those of other nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Whether no session is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Average number of requests of the visits that have ended lately, entering not counted; `None` while none has.
    #[must_use]
    pub fn requests_per_visit(&self) -> Option<f64> {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_visit(&self, requests: u32) {
        let mut average = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = f64::from(requests);
        *average = Some(average.map_or(latest, |known| known + VISIT_WEIGHT * (latest - known)));
    }

    /// A fresh token of a session that has one of generation `before`, and what it holds.
    fn fresh_token(
        &self,
        opening: Opening<'_>,
        (began_at, expires_at): (Timestamp, Timestamp),
        proved_by: ProvedBy,
        before: Option<u32>,
    ) -> (String, Contents) {
        let contents = Contents {
            identity: Identity { proved_by, ..opening.identity.clone() },
            visit: opening.visit.clone(),
            began_at,
            expires_at,
            issued_at: in_seconds(opening.real_now),
            generation: next_generation(before),
        };
        (token::seal(&self.keys, &contents), contents)
    }

    fn session_of(
        &self,
        contents: Contents,
        visit_hash: Subject,
        lease: Option<Lease>,
    ) -> Arc<Session> {
        let Contents { identity, visit, began_at, expires_at, generation, .. } = contents;
        let Whose { subject, person } = Whose::of(&self.keys, &identity);
        Arc::new(Session {
            subject,
            person,
            fiscal_code: identity.fiscal_code,
            audience: identity.audience(),
            visit,
            visit_hash,
            tag: URL_SAFE_NO_PAD.encode(self.keys.tag(visit_hash, person, subject)),
            began_at,
            proved_by: identity.proved_by,
            expires_at,
            office: identity.office,
            finished: AtomicBool::new(lease.is_none()),
            lease: Mutex::new(lease),
            generation: AtomicU32::new(generation),
            ended: AtomicBool::new(false),
            connections: Arc::default(),
            handshakes: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            noted: Mutex::default(),
        })
    }

    /// Puts a session into the registry, under the hash of its token.
    fn register(&self, token: &str, session: &Arc<Session>) -> SecretHash {
        let hash = SecretHash::of(token);
        let held = Held { expires_at: session.expires_at, session: Arc::clone(session) };
        self.by_token.insert(hash, held);
        hash
    }

    /// A session that begins here.
    fn awake(&self, token: &str, session: &Arc<Session>, is_here: bool) -> Known {
        let token = self.register(token, session);
        let state = State::Awake(Awake { token, session: Arc::clone(session) });
        let (visit, expires_at) = (session.visit_hash, session.expires_at);
        Known { visit, expires_at, is_here, turn: 0, state }
    }

    fn note_opened(&self, session: &Session) {
        self.journal.note(Event::Opened(Opened {
            visit: session.visit_hash,
            person: session.person,
            subject: session.subject,
            began_at: session.began_at,
            proved_by: session.proved_by,
            expires_at: session.expires_at,
            generation: session.generation.load(Ordering::Relaxed),
        }));
    }

    /// Ends the session of a visit, here and at every other node.
    fn end(&self, key: &SecretHash) {
        self.take_off(key, true);
    }

    /// Ends the session of a visit, and notes that unless another node has.
    fn take_off(&self, key: &SecretHash, is_noted: bool) {
        if !self.by_visit.contains_key(key) {
            return;
        }
        // Before the visit is free: nothing may open a session in it in between.
        self.ended.add(*key);
        let Some((_, Known { visit, is_here, state, .. })) = self.by_visit.remove(key) else {
            return;
        };
        let (person, audience, is_canarys) = match state {
            State::Asleep(asleep) => (asleep.whose.person, asleep.whose.audience(), false),
            State::Awake(Awake { token, session }) => {
                self.by_token.remove(&token);
                session.ended.store(true, Ordering::Release);
                if !session.is_canary() {
                    self.count_visit(session.requests.load(Ordering::Relaxed));
                }
                // A request may still hold the session; its lease is returned now nevertheless.
                drop(session.take_lease());
                (session.person, session.audience, session.is_canary())
            }
        };
        self.by_person.remove_if_mut(&person, |_, theirs| {
            theirs.retain(|known| known != key);
            theirs.is_empty()
        });
        if is_noted && !is_canarys {
            self.journal.note(Event::Ended { visit });
        }
        if is_here {
            self.cease_to_count(audience);
        }
    }

    fn key_of(&self, visit: &Visit) -> SecretHash {
        SecretHash::of_visit(self.keys.visit(visit.as_str()))
    }
}

/// The moment without its fraction of a second, as tokens and the journal keep it.
fn in_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests;
