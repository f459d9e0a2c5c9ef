//! The open sessions, found by the hash of their token.
//!
//! A `DashMap` guards them: all runtimes look sessions up at the same time, and a look-up holds a shard for some
//! hundred nanoseconds. The map is private to this file, and no guard of it lives across an await: a session is handed
//! out as an `Arc`.

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
    /// Sessions of one person at a time; one more ends the oldest. Otherwise a few people could hold every lease.
    pub person_sessions_max: usize,
    /// How long a session lasts, seconds.
    pub session_seconds: u32,
}

/// The first 128 bits of a token's hash: too many for anybody to find a second token for one of a million sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
struct TokenHash([u8; 16]);

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [word, ..] = self.0.as_chunks::<8>().0 else { return };
        hasher.write_u64(u64::from_le_bytes(*word));
    }
}

/// A hasher that returns its input: a token's hash is uniform already, and hashing it again costs as much as the
/// look-up.
#[derive(Clone, Copy, Default)]
struct Unhashed(u64);

impl Hasher for Unhashed {
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

/// A session, and a copy of its expiry that is read before the session itself.
struct Held {
    expires_at: Timestamp,
    session: Arc<Session>,
}

/// All open sessions of this node.
pub struct Sessions {
    config: Config,
    by_token: DashMap<TokenHash, Held, BuildHasherDefault<Unhashed>>,
    /// Each person's sessions, oldest first. A guard of this map is never held while `by_token` is used.
    by_person: DashMap<Subject, Vec<TokenHash>>,
    open: AtomicUsize,
    gauges: [Gauge; Audience::ALL.len()],
}

/// [`Config::sessions_max`] sessions are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Sessions {
    /// No session is open yet.
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

    /// Opens a session and returns it with its token, which is not stored and cannot be shown again.
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
            noted: Mutex::default(),
        });
        let held = Held { expires_at: session.expires_at, session: Arc::clone(&session) };
        self.by_token.insert(hash_of(&token), held);
        if let Some(oldest) = self.add_to_person(whose.person, hash_of(&token)) {
            self.end(&oldest);
        }
        self.gauges[identity.audience() as usize].increment(1.0);
        Ok((token, session))
    }

    /// The session of a token, if it is open at `now`.
    #[must_use]
    pub fn find(&self, token: &str, now: Timestamp) -> Option<Arc<Session>> {
        let held = self.by_token.get(&hash_of(token))?;
        (now < held.expires_at).then(|| Arc::clone(&held.session))
    }

    /// Takes the lease of a session that the person has open already, so that they can enter from another device and
    /// finish there.
    #[must_use]
    pub fn hand_over(&self, person: Subject) -> Option<Lease> {
        let theirs = self.by_person.get(&person)?.clone();
        theirs.iter().find_map(|token| self.by_token.get(token)?.session.take_lease())
    }

    /// How many more sessions may be opened.
    #[must_use]
    pub fn free(&self) -> usize {
        self.config.sessions_max.saturating_sub(self.len())
    }

    /// Ends the session of a token.
    pub fn close(&self, token: &str) {
        self.end(&hash_of(token));
    }

    /// Ends every session that has expired at `now`, and returns their leases. Call it every few seconds.
    pub fn sweep(&self, now: Timestamp) {
        let over = |held: &Held| now >= held.expires_at;
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

    /// Adds a session to a person's; returns the oldest one if they are now too many.
    fn add_to_person(&self, person: Subject, token: TokenHash) -> Option<TokenHash> {
        let mut theirs = self.by_person.entry(person).or_default();
        theirs.push(token);
        (theirs.len() > self.config.person_sessions_max).then(|| theirs.remove(0))
    }

    fn end(&self, token: &TokenHash) {
        let Some((_, Held { session, .. })) = self.by_token.remove(token) else { return };
        self.by_person.remove_if_mut(&session.person, |_, theirs| {
            theirs.retain(|known| known != token);
            theirs.is_empty()
        });
        self.count_out(&session);
    }

    fn count_out(&self, session: &Session) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        self.gauges[session.audience as usize].decrement(1.0);
        // A request may still hold the session; its lease is returned now nevertheless.
        drop(session.take_lease());
    }
}

fn hash_of(token: &str) -> TokenHash {
    let mut half = [0; 16];
    half.copy_from_slice(&blake3::hash(token.as_bytes()).as_bytes()[..16]);
    TokenHash(half)
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
    use crate::{civic::FiscalCode, gate::leases::Leases, vault::HouseKeys};

    fn open(sessions: &Sessions, leases: &Leases, n: u64) -> Result<(String, Arc<Session>), Full> {
        let identity = Identity {
            fiscal_code: FiscalCode::made_up(n),
            office: None,
            valid_until: Timestamp::MAX,
        };
        let person = HouseKeys::from_master(&[7; 32]).subject(&identity.fiscal_code);
        let whose = Whose { subject: person, person };
        sessions.open(&identity, whose, leases.take().unwrap(), Timestamp::UNIX_EPOCH)
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
        assert_eq!(open(&sessions, &leases, 3).unwrap_err(), Full);
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
