//! The canary's sessions: they are found like those of people, and are in none of their counts.

use std::sync::Arc;

use super::{super::Session, Opening, Sessions, in_seconds};
use crate::{civic::ProvedBy, session::secret_hash::SecretHash};

impl Sessions {
    /// Opens a session of the canary: beside the bound and the counts of people, without a lease, and forgotten by a
    /// restart. `None` if the visit has a session, or had one.
    #[must_use]
    pub fn open_of_canary(&self, opening: Opening<'_>) -> Option<(String, Arc<Session>)> {
        let visit = self.keys.visit(opening.visit.as_str());
        let key = SecretHash::of_visit(visit);
        if self.ended.contains(key) {
            return None;
        }
        let [began_at, expires_at] = [opening.began_at, opening.expires_at].map(in_seconds);
        let mut opened = None;
        drop(self.by_visit.entry(key).or_insert_with(|| {
            let (token, contents) =
                self.fresh_token(opening, (began_at, expires_at), ProvedBy::Canary, None);
            let session = self.session_of(contents, visit, None);
            let known = self.awake(&token, &session, false);
            opened = Some((token, session));
            known
        }));
        let (token, session) = opened?;
        if let Some(oldest) = self.add_to_person(session.person, key) {
            self.end(&oldest);
        }
        Some((token, session))
    }
}
