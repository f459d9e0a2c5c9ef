//! Sessions: from a verified identity to a brand on every value that belongs to a person.

pub mod registry;
pub mod scope;

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::{
    civic::FiscalCode,
    gate::leases::{Lease, Leases},
    identity::Audience,
    ledger::audit::{Action, Object, Who},
    vault::Subject,
};

/// How long a session's looking at the same thing is noted once.
pub const TOLD_AGAIN: SignedDuration = SignedDuration::from_secs(60);

/// Whose a session is.
#[derive(Clone, Copy, Debug)]
pub struct Whose {
    /// Whose data it may see: the person's own, or for an intermediary what its office handed in.
    pub subject: Subject,
    /// Who sits before it: limits count people.
    pub person: Subject,
}

/// One open session. Its token is not kept, only the token's hash, in the registry.
pub struct Session {
    /// Whose data it may see: the person's own, or for an intermediary what its office handed in.
    pub subject: Subject,
    /// Who sits before it.
    pub person: Subject,
    /// The same as a fiscal code, for what the person hands in.
    pub fiscal_code: FiscalCode,
    /// The office they act for, if they are an intermediary.
    pub office: Option<String>,
    /// As whom they came.
    pub audience: Audience,
    /// Goes out with every answer, so that a client can check that the answer is meant for it.
    pub tag: String,
    /// The first instant at which it is over.
    pub expires_at: Timestamp,
    /// Reserves the finish; nothing after it was used.
    lease: Mutex<Option<Lease>>,
    /// What the audit trail was told last.
    told: Mutex<Option<(Action, Object, Timestamp)>>,
}

impl Session {
    /// Who sits before it, for the audit trail.
    #[must_use]
    pub fn who(&self) -> Who<'_> {
        Who { fiscal_code: self.fiscal_code, office: self.office.as_deref() }
    }

    /// Whether the audit trail has to be told: asking for the same again within [`TOLD_AGAIN`] is the same looking.
    pub fn is_news(&self, action: Action, object: Object, now: Timestamp) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let known = told.is_some_and(|(before, about, at)| {
            (before, about) == (action, object) && now.duration_since(at) < TOLD_AGAIN
        });
        if !known {
            *told = Some((action, object, now));
        }
        !known
    }

    /// Takes the session's lease, or a fresh one if an earlier finish used it up, for another try to finish.
    ///
    /// Nothing when both are out: the person has to enter again.
    #[must_use]
    pub fn finishing(&self, leases: &Leases) -> Option<Finishing<'_>> {
        let lease = self.take_lease().or_else(|| leases.take())?;
        Some(Finishing { session: self, lease: Some(lease) })
    }

    fn take_lease(&self) -> Option<Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A try to finish. However it ends, by an answer, a time-out, a lost connection or a panic, the session keeps its lease for
/// the next try; only [`done`](Self::done) gives it up.
pub struct Finishing<'a> {
    session: &'a Session,
    lease: Option<Lease>,
}

impl Finishing<'_> {
    /// The person has finished: the lease goes to whoever waits.
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
