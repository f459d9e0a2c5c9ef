//! Sessions: from a verified identity to a brand on every value that belongs to a person.

pub mod asleep;
mod ended;
mod recent;
pub mod scope;
mod secret_hash;
pub mod sessions;
mod token;
pub mod visit;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use jiff::Timestamp;

use self::{recent::Recent, visit::Visit};
use crate::{
    civic::{FiscalCode, ProvedBy},
    gate::leases::{Lease, Leases},
    identity::{Audience, Identity, Office},
    ledger::audit::{Action, Object, Who},
    vault::{HouseKeys, Subject},
};

/// Connections that are kept open for one session: as many as a browser opens, and two more.
const CONNECTIONS_KEPT_MAX: u32 = 8;
/// Handshakes of one session that cost strangers nothing: a person whose network fails every half minute makes as many.
/// Without a bound one person inside could have handshakes made without end.
const HANDSHAKES_FREE_MAX: u32 = 64;

/// Longest time between two rounds of the canary, seconds. It keeps its connections for as long.
pub const CANARY_PAUSE_SECONDS_MAX: u32 = 120;

/// The two people that a session belongs to; for a citizen they are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose {
    /// Whose data it may see: the person's own, or for an intermediary what its office submitted.
    pub subject: Subject,
    /// Who is logged in: rate limits count people.
    pub person: Subject,
}

impl Whose {
    /// Those of a verified identity.
    #[must_use]
    pub fn of(keys: &HouseKeys, identity: &Identity) -> Self {
        let person = keys.subject(&identity.fiscal_code);
        let office = identity.office.as_ref();
        let subject = office.map_or(person, |office| keys.office(office.as_str()));
        Self { subject, person }
    }

    /// Whether the person acts for themselves or for an office.
    #[must_use]
    pub fn audience(&self) -> Audience {
        if self.subject == self.person { Audience::Citizens } else { Audience::Intermediaries }
    }
}

/// One open session. It does not hold its token: [`Sessions`](sessions::Sessions) keeps the token's hash.
pub struct Session {
    /// Whose data it may see: the person's own, or for an intermediary what its office submitted.
    pub subject: Subject,
    /// Who is logged in.
    pub person: Subject,
    /// The fiscal code of `person`.
    pub fiscal_code: FiscalCode,
    /// The office they act for, if they are an intermediary.
    pub office: Option<Office>,
    /// Whether they act for themselves or for an office.
    pub audience: Audience,
    /// The segment of the path below which its requests are.
    pub visit: Visit,
    /// The keyed hash of the visit, by which the journal knows the session.
    visit_hash: Subject,
    /// Sent with every answer as `Subject-Tag`, so that a client can check that the answer is meant for it.
    pub tag: String,
    /// When it began.
    pub began_at: Timestamp,
    /// What proved who is logged in, when it began.
    pub proved_by: ProvedBy,
    /// The first instant at which it is over.
    pub expires_at: Timestamp,
    /// Reserves a place in the commit queue; `None` once it is used.
    lease: Mutex<Option<Lease>>,
    /// Whether the lease that it was opened with was used or handed over.
    finished: AtomicBool,
    /// How many tokens it had before its present one.
    generation: AtomicU32,
    /// Set when it ends before it expires.
    ended: AtomicBool,
    /// Connections that are kept open for it.
    connections: Arc<AtomicU32>,
    /// Connections on which it was shown first.
    handshakes: AtomicU32,
    /// Requests so far, entering not counted.
    requests: AtomicU32,
    /// What its latest audit events record.
    noted: Mutex<Recent>,
}

impl Session {
    /// Who is logged in, for the audit trail; the intake adds their channel.
    #[must_use]
    pub fn who(&self) -> Who<'_> {
        let office = self.office.as_ref().map(Office::as_str);
        Who { fiscal_code: self.fiscal_code, office, is_contact_center: false }
    }

    /// Whether it is the canary's: outside of every count and bound of people.
    #[must_use]
    pub fn is_canary(&self) -> bool {
        self.proved_by == ProvedBy::Canary
    }

    /// Whether it has neither ended nor expired: work that outlasts one request asks again.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires_at && !self.ended.load(Ordering::Acquire)
    }

    /// Keeps a connection open when others need room; `None` if [`CONNECTIONS_KEPT_MAX`] are kept.
    #[must_use]
    pub fn keep_connection(&self) -> Option<Kept> {
        let one_more = |kept| (kept < CONNECTIONS_KEPT_MAX).then_some(kept + 1);
        let added = self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        added.ok().map(|_| Kept(Arc::clone(&self.connections)))
    }

    /// Counts a connection on which it is the first session shown; whether its handshake is free.
    #[must_use]
    pub fn has_free_handshake(&self) -> bool {
        self.handshakes.fetch_add(1, Ordering::Relaxed) < HANDSHAKES_FREE_MAX
    }

    /// Counts a request.
    pub fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it is this person's, for the same principal.
    #[must_use]
    pub fn is_of(&self, whose: Whose) -> bool {
        (self.person, self.subject) == (whose.person, whose.subject)
    }

    /// Whether this action needs an audit event: not if one of the session's latest events is the same and less than a
    /// minute old.
    pub fn is_news(
        &self,
        action: Action,
        subject: Subject,
        object: Object,
        now: Timestamp,
    ) -> bool {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        !noted.has(action, subject, object, now)
    }

    /// Remembers that an audit event of this action is written.
    pub fn noted(&self, action: Action, subject: Subject, object: Object, now: Timestamp) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.put(action, subject, object, now);
    }

    /// Takes the session's lease for an attempt to submit, or a free lease if the session has used its own.
    ///
    /// `None` if no lease is free either: the person has to enter again. The canary takes nobody's.
    #[must_use]
    pub fn finishing(&self, leases: &Leases) -> Option<Finishing<'_>> {
        if self.is_canary() {
            return Some(Finishing { session: self, lease: None });
        }
        let lease = self.take_lease().or_else(|| leases.take())?;
        Some(Finishing { session: self, lease: Some(lease) })
    }

    /// Keeps a lease, if the session holds none.
    pub fn keep(&self, lease: Lease) {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(lease);
    }

    fn take_lease(&self) -> Option<Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A connection that is kept open for a session, until this is dropped. It does not keep the session itself.
pub struct Kept(Arc<AtomicU32>);

impl Kept {
    /// Whether it is this session's.
    #[must_use]
    pub fn is_of(&self, session: &Session) -> bool {
        Arc::ptr_eq(&self.0, &session.connections)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An attempt to submit. Dropping it gives the lease back to the session for the next attempt, also after a time-out, a
/// lost connection or a panic; only [`done`](Self::done) gives it up.
pub struct Finishing<'a> {
    session: &'a Session,
    lease: Option<Lease>,
}

impl Finishing<'_> {
    /// The submission is durable: returns the lease, so that the next person can enter.
    pub fn done(mut self) {
        drop(self.lease.take());
    }
}

impl Drop for Finishing<'_> {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            *self.session.lease.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease);
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Session({:?}, {:?})", self.subject, self.audience)
    }
}
