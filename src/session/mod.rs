//! Sessions: from a verified identity to a brand on every value that belongs to a person.

pub mod registry;
pub mod scope;

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::{
    civic::FiscalCode,
    gate::leases::{Lease, Leases},
    identity::Audience,
    ledger::seal::Subject,
};

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
    /// As whom they came.
    pub audience: Audience,
    /// Goes out with every answer, so that a client can check that the answer is meant for it.
    pub tag: String,
    /// The first instant at which it is over.
    pub expires_at: Timestamp,
    /// Reserves the finish; nothing after it was used.
    lease: Mutex<Option<Lease>>,
}

impl Session {
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
