//! The open sessions, found by the hash of their token.
//!
//! A visit leads to its session's token only when somebody enters; every other request brings the token.
//!
//! A `DashMap` guards them: all runtimes look sessions up at the same time, and a look-up holds a shard for some
//! hundred nanoseconds. The map is private to this file, and no guard of it lives across an await: a session is handed
//! out as an `Arc`.

use std::{
    hash::BuildHasherDefault,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use dashmap::{DashMap, Entry};
use jiff::{SignedDuration, Timestamp};
use metrics::Gauge;

use super::{
    Session, Whose,
    ended::Ended,
    secret_hash::{SecretHash, Unhashed},
    visit::Visit,
};
use crate::{
    gate::leases::Lease,
    identity::{Audience, Identity},
    metrics as list,
    vault::{Subject, fill_random},
};

const TOKEN_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
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

/// All open sessions of this node.
pub struct Sessions {
    config: Config,
    by_token: DashMap<SecretHash, Held, BuildHasherDefault<Unhashed>>,
    /// The token of each open visit. A guard of this map may be held while the others are used, never the reverse.
    by_visit: DashMap<SecretHash, SecretHash, BuildHasherDefault<Unhashed>>,
    /// Each person's sessions, oldest first. A guard of this map is never held while `by_token` is used.
    by_person: DashMap<Subject, Vec<SecretHash>>,
    ended: Ended,
    /// Keys the hashes of visits.
    visit_key: [u8; 32],
    open: AtomicUsize,
    /// Average number of requests of the visits that have ended lately; `None` while none has.
    requests: Mutex<Option<f64>>,
    gauges: [Gauge; Audience::ALL.len()],
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
    /// No session is open yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut visit_key = [0; 32];
        fill_random(&mut visit_key);
        let gauges = Audience::ALL.map(|audience| list::SESSIONS.gauge(&[audience.as_str()]));
        Self {
            config,
            by_token: DashMap::default(),
            by_visit: DashMap::default(),
            by_person: DashMap::new(),
            ended: Ended::new(),
            visit_key,
            open: AtomicUsize::new(0),
            requests: Mutex::default(),
            gauges,
        }
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
        identity: &Identity,
        whose: Whose,
        visit: &Visit,
        lease: Lease,
        expires_at: Timestamp,
    ) -> Result<(String, Arc<Session>), NotOpened> {
        let key = self.key_of(visit);
        let free = match self.by_visit.entry(key) {
            Entry::Vacant(free) if !self.ended.contains(key) => free,
            _ => return Err(NotOpened::Taken(lease)),
        };
        let room = |open: usize| (open < self.config.sessions_max).then_some(open + 1);
        self.open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room)
            .map_err(|_| NotOpened::Full)?;
        let (token, tag) = fresh_texts();
        let session = Arc::new(Session {
            subject: whose.subject,
            person: whose.person,
            fiscal_code: identity.fiscal_code,
            audience: identity.audience(),
            visit: visit.clone(),
            tag,
            expires_at,
            office: identity.office.clone(),
            lease: Mutex::new(Some(lease)),
            ended: AtomicBool::new(false),
            connections: Arc::default(),
            requests: AtomicU32::new(0),
            noted: Mutex::default(),
        });
        let held = Held { expires_at: session.expires_at, session: Arc::clone(&session) };
        let hash = SecretHash::of(&token);
        self.by_token.insert(hash, held);
        drop(free.insert(hash));
        if let Some(oldest) = self.add_to_person(whose.person, hash) {
            self.end(&oldest);
        }
        self.gauges[identity.audience() as usize].increment(1.0);
        Ok((token, session))
    }

    /// Whether a visit has a session, or had one.
    #[must_use]
    pub fn knows(&self, visit: &Visit) -> bool {
        let key = self.key_of(visit);
        self.by_visit.contains_key(&key) || self.ended.contains(key)
    }

    /// Gives the open session of a visit a fresh token; the old one ends. `None` if the session has ended or is not this
    /// person's for the same principal.
    #[must_use]
    pub fn renew(
        &self,
        visit: &Visit,
        whose: Whose,
        now: Timestamp,
    ) -> Option<(String, Arc<Session>)> {
        let (token, _) = fresh_texts();
        let fresh = SecretHash::of(&token);
        let mut current = self.by_visit.get_mut(&self.key_of(visit))?;
        let (old, held) = self
            .by_token
            .remove_if(&current, |_, held| now < held.expires_at && held.session.is_of(whose))?;
        let session = Arc::clone(&held.session);
        self.by_token.insert(fresh, held);
        *current = fresh;
        drop(current);
        let renewed = self.by_person.get_mut(&session.person).is_some_and(|mut theirs| {
            let known = theirs.iter_mut().find(|known| **known == old);
            known.map(|known| *known = fresh).is_some()
        });
        if !renewed {
            // The person has opened a further session meanwhile, and this one had to make way.
            self.end(&fresh);
            return None;
        }
        Some((token, session))
    }

    /// The session of a token, if it is open at `now`.
    #[must_use]
    pub fn find(&self, token: &str, now: Timestamp) -> Option<Arc<Session>> {
        let held = self.by_token.get(&SecretHash::of(token))?;
        (now < held.expires_at).then(|| Arc::clone(&held.session))
    }

    /// Takes the lease of a session that the person has open already, so that they can enter from another device and
    /// finish there.
    #[must_use]
    pub fn hand_over(&self, person: Subject, audience: Audience) -> Option<Lease> {
        let theirs = self.by_person.get(&person)?.clone();
        theirs.iter().find_map(|token| {
            let held = self.by_token.get(token)?;
            (held.session.audience == audience).then(|| held.session.take_lease()).flatten()
        })
    }

    /// How many more sessions may be opened.
    #[must_use]
    pub fn free(&self) -> usize {
        self.config.sessions_max.saturating_sub(self.len())
    }

    /// Ends the session of a token.
    pub fn close(&self, token: &str) {
        self.end(&SecretHash::of(token));
    }

    /// Ends every session that has expired at `now`, and returns their leases. Call it every few seconds.
    pub fn sweep(&self, now: Timestamp) {
        let over = |held: &Held| now >= held.expires_at;
        let ended: Vec<SecretHash> = self
            .by_token
            .iter()
            .filter(|entry| over(entry.value()))
            .map(|entry| *entry.key())
            .collect();
        for token in &ended {
            self.end(token);
        }
        self.ended.sweep(now);
    }

    /// How many sessions are open.
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

    /// Adds a session to a person's; returns the oldest one if they are now too many.
    fn add_to_person(&self, person: Subject, token: SecretHash) -> Option<SecretHash> {
        let mut theirs = self.by_person.entry(person).or_default();
        theirs.push(token);
        (theirs.len() > self.config.person_sessions_max).then(|| theirs.remove(0))
    }

    fn end(&self, token: &SecretHash) {
        let Some((_, Held { session, .. })) = self.by_token.remove(token) else { return };
        self.by_person.remove_if_mut(&session.person, |_, theirs| {
            theirs.retain(|known| known != token);
            theirs.is_empty()
        });
        session.ended.store(true, Ordering::Release);
        self.count_visit(session.requests.load(Ordering::Relaxed));
        let visit = self.key_of(&session.visit);
        self.ended.add(visit);
        self.by_visit.remove(&visit);
        self.count_out(&session);
    }

    fn key_of(&self, visit: &Visit) -> SecretHash {
        SecretHash::keyed(&self.visit_key, visit.as_str())
    }

    fn count_out(&self, session: &Session) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        self.gauges[session.audience as usize].decrement(1.0);
        // A request may still hold the session; its lease is returned now nevertheless.
        drop(session.take_lease());
    }
}

/// A new session's token and tag.
fn fresh_texts() -> (String, String) {
    // One call for both: the call costs more than the bytes.
    let mut bytes = [0; TOKEN_BYTES + TAG_BYTES];
    fill_random(&mut bytes);
    let (token, tag) = bytes.split_at(TOKEN_BYTES);
    (URL_SAFE_NO_PAD.encode(token), URL_SAFE_NO_PAD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{civic::FiscalCode, gate::leases::Leases, identity::Office, vault::HouseKeys};

    type Opened = Result<(String, Arc<Session>), NotOpened>;

    fn citizen(n: u64) -> (Identity, Whose) {
        let identity = Identity {
            fiscal_code: FiscalCode::made_up(n),
            office: None,
            valid_until: Timestamp::MAX,
        };
        let person = HouseKeys::from_master(&[7; 32]).subject(&identity.fiscal_code);
        (identity, Whose { subject: person, person })
    }

    fn open_in(visit: &str, sessions: &Sessions, leases: &Leases, n: u64) -> Opened {
        let ((identity, whose), visit) = (citizen(n), Visit::parse(visit).unwrap());
        let lease = leases.take().unwrap();
        sessions.open(&identity, whose, &visit, lease, sessions.expiry(Timestamp::UNIX_EPOCH))
    }

    fn open(sessions: &Sessions, leases: &Leases, n: u64) -> Opened {
        open_in(&fresh_texts().1, sessions, leases, n)
    }

    #[test]
    fn a_session_is_found_by_its_token_until_it_ends_and_returns_its_lease() {
        let sessions =
            Sessions::new(Config { sessions_max: 2, person_sessions_max: 2, session_seconds: 60 });
        let leases = Leases::new(10);
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let (first, session) = open(&sessions, &leases, 1).unwrap();
        let (second, _) = open(&sessions, &leases, 2).unwrap();
        assert_ne!(first, second);
        assert!(matches!(open(&sessions, &leases, 3), Err(NotOpened::Full)));
        assert_eq!(leases.held(), 2, "the refused one returned its lease");

        assert_eq!(sessions.find(&first, at(59)).unwrap().subject, session.subject);
        assert!(sessions.find(&first, at(60)).is_none());
        assert!(sessions.find("made up", at(0)).is_none());

        sessions.close(&second);
        sessions.close(&second);
        assert_eq!((sessions.len(), leases.held()), (1, 1));
        sessions.sweep(at(60));
        assert_eq!((sessions.len(), leases.held()), (0, 0));
    }

    #[test]
    fn a_visit_has_one_session_whose_token_is_renewed_for_its_person_alone() {
        let sessions =
            Sessions::new(Config { sessions_max: 9, person_sessions_max: 1, session_seconds: 60 });
        let leases = Leases::new(9);
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let visit = Visit::parse(&"v".repeat(22)).unwrap();
        let renew = |whose, seconds| sessions.renew(&visit, whose, at(seconds));
        let mine = citizen(1).1;
        let at_work = Whose { subject: HouseKeys::from_master(&[7; 32]).office("a"), ..mine };
        assert!(!sessions.knows(&visit) && renew(mine, 0).is_none());
        let (first, session) = open_in(visit.as_str(), &sessions, &leases, 1).unwrap();
        assert!(renew(citizen(2).1, 1).is_none() && renew(at_work, 1).is_none());
        let again = open_in(visit.as_str(), &sessions, &leases, 2);
        assert!(matches!(again, Err(NotOpened::Taken(_))));
        drop(again);

        let (second, renewed) = renew(mine, 1).unwrap();
        assert!(Arc::ptr_eq(&session, &renewed), "a request under way keeps the same session");
        assert!(sessions.find(&first, at(1)).is_none() && sessions.find(&second, at(1)).is_some());
        assert_eq!((sessions.len(), leases.held()), (1, 1));
        sessions.close(&first);
        assert_eq!(sessions.len(), 1, "the old token ends nothing");
        assert!(renew(mine, 60).is_none(), "it has expired");

        let (other, _) = open(&sessions, &leases, 1).unwrap();
        assert!(sessions.find(&second, at(1)).is_none(), "a further session of the same person");
        assert!(sessions.knows(&visit) && renew(mine, 1).is_none(), "an ended visit stays ended");
        let again = open_in(visit.as_str(), &sessions, &leases, 1);
        assert!(matches!(again, Err(NotOpened::Taken(_))));
        sessions.close(&other);
        assert!(sessions.by_visit.is_empty() && sessions.by_person.is_empty());
    }

    #[test]
    fn a_person_holds_a_few_sessions_and_the_oldest_makes_way() {
        let sessions =
            Sessions::new(Config { sessions_max: 9, person_sessions_max: 2, session_seconds: 60 });
        let leases = Leases::new(9);
        let now = Timestamp::UNIX_EPOCH;
        let tokens: Vec<_> = (0..3).map(|_| open(&sessions, &leases, 1).unwrap().0).collect();
        let (other, _) = open(&sessions, &leases, 2).unwrap();
        let found = |token: &String| sessions.find(token, now).is_some();
        assert_eq!(tokens.iter().map(found).collect::<Vec<_>>(), [false, true, true]);
        assert!(found(&other));
        assert_eq!((sessions.len(), leases.held()), (3, 3));
        for token in &tokens {
            sessions.close(token);
        }
        sessions.close(&other);
        assert_eq!((sessions.len(), leases.held()), (0, 0));
        assert!(sessions.by_person.is_empty(), "nobody without a session is remembered");
    }

    #[test]
    fn a_lease_is_handed_over_within_one_audience_only() {
        let sessions =
            Sessions::new(Config { sessions_max: 9, person_sessions_max: 9, session_seconds: 60 });
        let leases = Leases::new(9);
        let (citizen, whose) = citizen(1);
        let clerk = Identity { office: Office::parse("patronato-7").ok(), ..citizen };
        let visit = Visit::parse(&fresh_texts().1).unwrap();
        let lease = leases.take().unwrap();
        let opened = sessions.open(&clerk, whose, &visit, lease, Timestamp::MAX);
        assert!(opened.is_ok());
        assert!(sessions.hand_over(whose.person, Audience::Citizens).is_none());
        let lease = sessions.hand_over(whose.person, Audience::Intermediaries);
        assert!(lease.is_some());
        assert!(sessions.hand_over(whose.person, Audience::Intermediaries).is_none(), "once");
    }

    #[test]
    fn a_try_to_finish_keeps_the_lease_unless_it_is_done() {
        let sessions =
            Sessions::new(Config { sessions_max: 1, person_sessions_max: 1, session_seconds: 60 });
        let leases = Leases::new(1);
        let (token, session) = open(&sessions, &leases, 1).unwrap();
        drop(session.finishing(&leases).unwrap());
        assert_eq!(leases.held(), 1, "the session keeps it for the next try");
        session.finishing(&leases).unwrap().done();
        assert_eq!(leases.held(), 0);
        let other = leases.take().unwrap();
        assert!(session.finishing(&leases).is_none(), "the only lease is somebody else's now");
        drop(other);
        let finishing = session.finishing(&leases).unwrap();
        sessions.close(&token);
        drop(finishing);
        drop(session);
        assert_eq!(leases.held(), 0, "a session that ended meanwhile keeps nothing");
    }

    #[test]
    fn a_session_in_a_log_line_names_nobody() {
        let sessions =
            Sessions::new(Config { sessions_max: 1, person_sessions_max: 1, session_seconds: 60 });
        let (token, session) = open(&sessions, &Leases::new(1), 1).unwrap();
        let line = format!("{session:?}");
        for secret in [session.fiscal_code.as_str(), &token, &session.tag] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}
