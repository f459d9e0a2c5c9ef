//! The canary inside: it is let in beside everything that bounds people.
//!
//! It comes at any hour, also while the entry is paused, takes no lease and no place, and leaves no trace in the audit
//! trail or the journal: nobody's data are shown. Everything else is a citizen's way.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    entering::{EnterFault, Entered},
    opening::Intake,
};
use crate::{
    identity::{Identity, ProvedBy},
    session::{Session, sessions::Opening, visit::Visit},
};

/// How long its session lasts if it does not leave: longer than a round.
const SESSION_LASTS: SignedDuration = SignedDuration::from_mins(1);

impl Intake {
    /// Whether a token is one that the canary has just made and not used yet: it is not refused for anything that bounds
    /// people.
    #[must_use]
    pub fn is_of_canary(&self, token: &str) -> bool {
        self.verifier.is_of_canary(token)
    }

    /// Lets the canary in; `None` if it is somebody else.
    pub(super) fn enter_canary(
        &self,
        visit: &Visit,
        identity: &Identity,
        now: Timestamp,
    ) -> Option<Result<Entered, EnterFault>> {
        if identity.proved_by != ProvedBy::Canary {
            return None;
        }
        let expires_at = now.saturating_add(SESSION_LASTS).unwrap_or(Timestamp::MAX);
        let real_now = self.clock.real();
        let opening = Opening { identity, visit, began_at: now, expires_at, real_now };
        let opened = self.sessions.open_of_canary(opening);
        let entered = |(token, session): (String, Arc<Session>)| Entered::In(token, session);
        Some(opened.map(entered).ok_or(EnterFault::VisitTaken))
    }
}
