//! The paths of a session: all begin with `/v1/sessions/{visit}`, and the client makes the visit.

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::Uri;

use crate::wire::target::Target;

const SESSIONS: &str = "/v1/sessions/";
/// Bytes of a visit: 128 bits, the least that the contract allows.
const VISIT_BYTES: usize = 16;
/// Characters of a visit in base64url.
const VISIT_CHARS: usize = 22;
/// Visits made from one call for random bytes.
const VISITS_AT_ONCE: usize = 256;

/// Makes the visits of one generator thread.
pub(super) struct Visits {
    random: [u8; VISITS_AT_ONCE * VISIT_BYTES],
    left: usize,
}

/// The paths of one session. They hold its visit, which is a secret.
#[derive(Clone)]
pub(super) struct Paths {
    root: String,
}

impl Visits {
    pub(super) fn new() -> Self {
        Self { random: [0; VISITS_AT_ONCE * VISIT_BYTES], left: 0 }
    }

    /// The paths of a new session.
    ///
    /// # Panics
    ///
    /// When the system provides no random bytes.
    pub(super) fn next_paths(&mut self) -> Paths {
        if self.left == 0 {
            rand::fill(&mut self.random).expect("the system provides random bytes");
            self.left = VISITS_AT_ONCE;
        }
        self.left -= 1;
        let bytes = &self.random[self.left * VISIT_BYTES..][..VISIT_BYTES];
        let mut root = String::with_capacity(SESSIONS.len() + VISIT_CHARS);
        root.push_str(SESSIONS);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut root);
        Paths { root }
    }
}

impl Paths {
    /// The path of `part`, such as `/estimates`; an empty `part` is the session itself.
    pub(super) fn of(&self, part: &str) -> String {
        [&self.root, part].concat()
    }

    /// The URI of `part` at `target`.
    ///
    /// # Panics
    ///
    /// Never: a part holds only characters that a path allows.
    pub(super) fn uri(&self, target: &Target, part: &str) -> Uri {
        target.uri(&self.of(part)).expect("the contract's paths are paths")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{SESSIONS, VISITS_AT_ONCE, Visits};

    #[test]
    fn every_visit_is_its_own_and_has_the_contract_s_form() {
        let mut visits = Visits::new();
        let mut seen = HashSet::new();
        for _ in 0..=2 * VISITS_AT_ONCE {
            let path = visits.next_paths().of("");
            let visit = path.strip_prefix(SESSIONS).expect("a path of a session").to_owned();
            assert_eq!(visit.len(), 22);
            assert!(visit.bytes().all(|one| one.is_ascii_alphanumeric() || b"-_".contains(&one)));
            assert!(seen.insert(visit));
        }
    }
}
