//! People inside: which session a token opens, how often it may ask, and how it ends.

use std::sync::Arc;

use super::opening::Intake;
use crate::{gate::limits::TooOften, ledger::journal::OutOfReach, session::Session};

impl Intake {
    /// The session that a token opens, also if it was opened before a restart or at another node; `None` if the token is
    /// unknown or over. What another node ended or renewed works here for as long as this one has not learned of it.
    ///
    /// # Errors
    /// [`OutOfReach`]: the session may be one that another node has just opened.
    pub async fn recognise(&self, token: &str) -> Result<Option<Arc<Session>>, OutOfReach> {
        let known = self.recognise_now(token);
        if known.is_some() || !self.journal.is_shared() {
            return Ok(known);
        }
        if self.sessions.is_unheard_of(token, self.clock.now()) {
            self.journal.caught_up().await?;
        }
        // Also if it is known by now: this node may have learned of it since the first look.
        Ok(self.recognise_now(token))
    }

    fn recognise_now(&self, token: &str) -> Option<Arc<Session>> {
        let now = self.clock.now();
        let known = self.sessions.find(token, now);
        known.or_else(|| self.sessions.reopen(token, now))
    }

    /// Whether a session has neither ended nor expired.
    #[must_use]
    pub fn is_open(&self, session: &Session) -> bool {
        session.is_open(self.clock.now())
    }

    /// Counts a request of a session against its person's rate limit. The canary has none.
    ///
    /// # Errors
    /// [`TooOften`]: refuse the request.
    pub fn limit(&self, session: &Session) -> Result<(), TooOften> {
        if session.is_canary() {
            return Ok(());
        }
        self.limits.load().session_of(session.person)
    }

    /// Ends the session that a token opens, if there is one, for good: a restart does not open it again, nor does another
    /// node.
    ///
    /// # Errors
    /// [`OutOfReach`]: it has ended here, and at other nodes as soon as they can learn it.
    pub async fn leave(&self, token: &str) -> Result<(), OutOfReach> {
        self.sessions.close(token);
        self.journal.kept().await
    }
}
