//! The sessions that are open, found by the hash of their token.
//!
//! A `DashMap` guards them: look-ups come from every runtime at once and hold a shard for some hundred nanoseconds. It is never seen
//! outside this file, and no guard of it lives across an await: a session is handed out as an `Arc`.

use std::{
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use dashmap::DashMap;
use jiff::{SignedDuration, Timestamp};
use metrics::Gauge;

use super::{Session, Whose};
use crate::{
    gate::leases::Lease,
    identity::{Audience, Identity},
    metrics as list,
    vault::{Subject, fill_random},
};

const TOKEN_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// The bounds of sessions.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Sessions open at a time.
    pub sessions_max: usize,
    /// Sessions of one person at a time; the oldest makes way. Otherwise a few people could hold every lease.
    pub person_sessions_max: usize,
    /// How long a session lasts, seconds.
    pub session_seconds: u32,
}

/// Half of the hash of a token, uniform already: nobody finds a second token for one of a million halves of 128 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct TokenHash([u8; 16]);

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [word, ..] = self.0.as_chunks::<8>().0 else { return };
        hasher.write_u64(u64::from_le_bytes(*word));
    }
}

/// Takes what is uniform as it is: hashing it again costs as much as the rest of the look-up.
#[derive(Clone, Copy, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A session, and when it is over, which is asked first.
struct Seat {
    expires_at: Timestamp,
    session: Arc<Session>,
}

/// The open sessions.
pub struct Registry {
    config: Config,
    by_token: DashMap<TokenHash, Seat, BuildHasherDefault<AsItIs>>,
    /// Of each person inside, oldest first. Its guard is never held while the other map is asked.
    by_person: DashMap<Subject, Vec<TokenHash>>,
    open: AtomicUsize,
    gauges: [Gauge; Audience::ALL.len()],
}

/// As many sessions are open as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Registry {
    /// Without any session.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let gauges = Audience::ALL.map(|audience| list::SESSIONS.gauge(&[audience.as_str()]));
        Self {
            config,
            by_token: DashMap::default(),
            by_person: DashMap::new(),
            open: AtomicUsize::new(0),
            gauges,
        }
    }

    /// Opens a session and returns it with its token, which is told once and kept nowhere.
    ///
    /// # Errors
    /// [`Full`] when [`Config::sessions_max`] are open; the lease is returned.
    pub fn open(
        &self,
        identity: &Identity,
        whose: Whose,
        lease: Lease,
        now: Timestamp,
    ) -> Result<(String, Arc<Session>), Full> {
        let room = |open: usize| (open < self.config.sessions_max).then_some(open + 1);
        self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).map_err(|_| Full)?;
        let lasts = SignedDuration::from_secs(self.config.session_seconds.into());
        let (token, tag) = fresh_texts();
        let session = Arc::new(Session {
            subject: whose.subject,
            person: whose.person,
            fiscal_code: identity.fiscal_code,
            audience: identity.audience(),
            tag,
            expires_at: now.saturating_add(lasts).unwrap_or(Timestamp::MAX),
            office: identity.office.clone(),
            lease: Mutex::new(Some(lease)),
            told: Mutex::default(),
        });
        let seat = Seat { expires_at: session.expires_at, session: Arc::clone(&session) };
        self.by_token.insert(hash_of(&token), seat);
        if let Some(oldest) = self.add_to_person(whose.person, hash_of(&token)) {
            self.end(&oldest);
        }
        self.gauges[identity.audience() as usize].increment(1.0);
        Ok((token, session))
    }

    /// The session of a token, if it is open at `now`.
    #[must_use]
    pub fn find(&self, token: &str, now: Timestamp) -> Option<Arc<Session>> {
        let seat = self.by_token.get(&hash_of(token))?;
        (now < seat.expires_at).then(|| Arc::clone(&seat.session))
    }

    /// The lease of a session that the person has open already: who was let in may come in again, from another device, and
    /// finish there.
    #[must_use]
    pub fn hand_over(&self, person: Subject) -> Option<Lease> {
        let theirs = self.by_person.get(&person)?.clone();
        theirs.iter().find_map(|token| self.by_token.get(token)?.session.take_lease())
    }

    /// Sessions that may still be opened.
    #[must_use]
    pub fn free(&self) -> usize {
        self.config.sessions_max.saturating_sub(self.len())
    }

    /// Ends the session of a token.
    pub fn close(&self, token: &str) {
        self.end(&hash_of(token));
    }

    /// Ends every session that is over at `now`; their leases return. Call it every few seconds.
    pub fn sweep(&self, now: Timestamp) {
        let over = |seat: &Seat| now >= seat.expires_at;
        let ended: Vec<TokenHash> = self
            .by_token
            .iter()
            .filter(|entry| over(entry.value()))
            .map(|entry| *entry.key())
            .collect();
        for token in &ended {
            self.end(token);
        }
    }

    /// Sessions open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes a session of a person; returns the oldest one if that makes too many.
    fn add_to_person(&self, person: Subject, token: TokenHash) -> Option<TokenHash> {
        let mut theirs = self.by_person.entry(person).or_default();
        theirs.push(token);
        (theirs.len() > self.config.person_sessions_max).then(|| theirs.remove(0))
    }

    fn end(&self, token: &TokenHash) {
        let Some((_, Seat { session, .. })) = self.by_token.remove(token) else { return };
        self.by_person.remove_if_mut(&session.person, |_, theirs| {
            theirs.retain(|known| known != token);
            theirs.is_empty()
        });
        self.gone(&session);
    }

    fn gone(&self, session: &Session) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        self.gauges[session.audience as usize].decrement(1.0);
        // A request of this session may still be under way and hold the session; the lease returns now all the same.
        drop(session.take_lease());
    }
}

fn hash_of(token: &str) -> TokenHash {
    let mut half = [0; 16];
    half.copy_from_slice(&blake3::hash(token.as_bytes()).as_bytes()[..16]);
    TokenHash(half)
}

/// A session's token and tag.
fn fresh_texts() -> (String, String) {
    // Drawn together: drawing costs more than what is drawn.
    let mut bytes = [0; TOKEN_BYTES + TAG_BYTES];
    fill_random(&mut bytes);
    let (token, tag) = bytes.split_at(TOKEN_BYTES);
    (URL_SAFE_NO_PAD.encode(token), URL_SAFE_NO_PAD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{civic::FiscalCode, gate::leases::Leases, vault::HouseKeys};

    fn open(registry: &Registry, leases: &Leases, n: u64) -> Result<(String, Arc<Session>), Full> {
        let identity = Identity {
            fiscal_code: FiscalCode::made_up(n),
            office: None,
            valid_until: Timestamp::MAX,
        };
        let person = HouseKeys::from_master(&[7; 32]).subject(&identity.fiscal_code);
        let whose = Whose { subject: person, person };
        registry.open(&identity, whose, leases.take().unwrap(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_session_is_found_by_its_token_until_it_ends_and_returns_its_lease() {
        let registry =
            Registry::new(Config { sessions_max: 2, person_sessions_max: 2, session_seconds: 60 });
        let leases = Leases::new(10);
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let (first, session) = open(&registry, &leases, 1).unwrap();
        let (second, _) = open(&registry, &leases, 2).unwrap();
        assert_ne!(first, second);
        assert_eq!(open(&registry, &leases, 3).unwrap_err(), Full);
        assert_eq!(leases.held(), 2, "the refused one returned its lease");

        assert_eq!(registry.find(&first, at(59)).unwrap().subject, session.subject);
        assert!(registry.find(&first, at(60)).is_none());
        assert!(registry.find("made up", at(0)).is_none());

        registry.close(&second);
        registry.close(&second);
        assert_eq!((registry.len(), leases.held()), (1, 1));
        registry.sweep(at(60));
        assert_eq!((registry.len(), leases.held()), (0, 0));
    }

    #[test]
    fn a_person_holds_a_few_sessions_and_the_oldest_makes_way() {
        let registry =
            Registry::new(Config { sessions_max: 9, person_sessions_max: 2, session_seconds: 60 });
        let leases = Leases::new(9);
        let now = Timestamp::UNIX_EPOCH;
        let tokens: Vec<_> = (0..3).map(|_| open(&registry, &leases, 1).unwrap().0).collect();
        let (other, _) = open(&registry, &leases, 2).unwrap();
        let found = |token: &String| registry.find(token, now).is_some();
        assert_eq!(tokens.iter().map(found).collect::<Vec<_>>(), [false, true, true]);
        assert!(found(&other));
        assert_eq!((registry.len(), leases.held()), (3, 3));
        for token in &tokens {
            registry.close(token);
        }
        registry.close(&other);
        assert_eq!((registry.len(), leases.held()), (0, 0));
        assert!(registry.by_person.is_empty(), "nobody is remembered who is not inside");
    }

    #[test]
    fn a_try_to_finish_keeps_the_lease_unless_it_is_done() {
        let registry =
            Registry::new(Config { sessions_max: 1, person_sessions_max: 1, session_seconds: 60 });
        let leases = Leases::new(1);
        let (token, session) = open(&registry, &leases, 1).unwrap();
        drop(session.finishing(&leases).unwrap());
        assert_eq!(leases.held(), 1, "the session keeps it for the next try");
        session.finishing(&leases).unwrap().done();
        assert_eq!(leases.held(), 0);
        let other = leases.take().unwrap();
        assert!(session.finishing(&leases).is_none(), "the only lease is somebody else's now");
        drop(other);
        let finishing = session.finishing(&leases).unwrap();
        registry.close(&token);
        drop(finishing);
        drop(session);
        assert_eq!(leases.held(), 0, "a session that ended meanwhile keeps nothing");
    }

    #[test]
    fn a_session_in_a_log_line_names_nobody() {
        let registry =
            Registry::new(Config { sessions_max: 1, person_sessions_max: 1, session_seconds: 60 });
        let (token, session) = open(&registry, &Leases::new(1), 1).unwrap();
        let line = format!("{session:?}");
        for secret in [session.fiscal_code.as_str(), &token, &session.tag] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}
