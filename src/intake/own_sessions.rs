//! A person's own open sessions: they see them, and end those that they do not need or do not know.

use super::opening::Intake;
use crate::session::{
    scope::{Personal, Scope},
    sessions::OwnSession,
};

impl Intake {
    /// The open sessions of this session's person for the same principal, oldest first.
    #[must_use]
    pub fn own_sessions<'s>(&self, scope: Scope<'s>) -> Personal<'s, Vec<OwnSession>> {
        let own = self.sessions.of_person(scope.session(), self.clock.now());
        scope.personal(scope.subject(), own)
    }

    /// Ends one of them for good: a restart does not open it again. False if none has this handle.
    pub async fn end_own(&self, scope: Scope<'_>, handle: &str) -> bool {
        let is_ended = self.sessions.end_own(scope.session(), handle, self.clock.now());
        if is_ended {
            // An error: the journal has failed, and a restart opens no session at all.
            let _is_on_disk = self.journal.synced().await;
        }
        is_ended
    }

    /// Ends all of them but this one, for good.
    pub async fn end_others(&self, scope: Scope<'_>) {
        self.sessions.end_others(scope.session(), self.clock.now());
        let _is_on_disk = self.journal.synced().await;
    }
}
