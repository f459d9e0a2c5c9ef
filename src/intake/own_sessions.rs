//! A person's own open sessions: they see them, and end those that they do not need or do not know.

use super::opening::Intake;
use crate::{
    ledger::{
        audit::{Action, QueueFull},
        journal::OutOfReach,
    },
    session::{
        scope::{Personal, Scope},
        sessions::OwnSession,
    },
};

impl Intake {
    /// The open sessions of this session's person for the same principal, oldest first.
    #[must_use]
    pub fn own_sessions<'s>(&self, scope: Scope<'s>) -> Personal<'s, Vec<OwnSession>> {
        let own = self.sessions.of_person(scope.session(), self.clock.now());
        scope.personal(scope.subject(), own)
    }

    /// Ends one of them for good: a restart does not open it again. False if none has this handle.
    ///
    /// # Errors
    /// [`OutOfReach`]: it has ended here, and at other nodes as soon as they can learn it.
    pub async fn end_own(&self, scope: Scope<'_>, handle: &str) -> Result<bool, OutOfReach> {
        let is_ended = self.sessions.end_own(scope.session(), handle, self.clock.now());
        if is_ended {
            self.note_ended(scope, 1);
            self.journal.kept().await?;
        }
        Ok(is_ended)
    }

    /// Ends all of them but this one, for good.
    ///
    /// # Errors
    /// As for [`end_own`](Self::end_own).
    pub async fn end_others(&self, scope: Scope<'_>) -> Result<(), OutOfReach> {
        let ended = self.sessions.end_others(scope.session(), self.clock.now());
        self.note_ended(scope, ended);
        self.journal.kept().await
    }

    /// Records that a person ended some of their sessions. Who fears that somebody else has one must be able to end it: a
    /// full disk or queue does not keep them from it.
    fn note_ended(&self, scope: Scope<'_>, count: usize) {
        let session = scope.session();
        for _ in 0..count {
            self.trail
                .note_soon(Action::SessionEnded, session.person, self.who(session), None)
                .unwrap_or_else(QueueFull::lost);
        }
    }
}
