//! What a session did lately, so that the same access again makes no second audit event.

use jiff::Timestamp;

use crate::{
    ledger::audit::{Action, Object},
    vault::Subject,
};

/// Accesses that a session remembers: a person who goes back and forth between their applications and drafts reads the
/// same few objects. Each takes 24 bytes.
const SEEN_MAX: usize = 8;
/// The same access again within this time makes no second audit event, seconds.
const REPEAT_SECONDS: i64 = 60;

/// The latest accesses, in a ring.
#[derive(Debug, Default)]
pub(super) struct Recent {
    seen: [Option<Seen>; SEEN_MAX],
    /// The place of the oldest, below [`SEEN_MAX`].
    oldest: u16,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    action: Action,
    subject: [u8; 8],
    object: Object,
    /// Seconds since 1970.
    at: u32,
}

impl Recent {
    /// Whether this access was recorded less than a minute ago, as far as that is remembered.
    pub(super) fn has(
        &self,
        action: Action,
        subject: Subject,
        object: Object,
        now: Timestamp,
    ) -> bool {
        let mut seen = self.seen.iter().flatten();
        seen.any(|seen| {
            seen.is(action, subject, object)
                && now.as_second() - i64::from(seen.at) < REPEAT_SECONDS
        })
    }

    /// Remembers an access that is recorded, and forgets the oldest.
    pub(super) fn put(&mut self, action: Action, subject: Subject, object: Object, now: Timestamp) {
        let at = u32::try_from(now.as_second()).unwrap_or_default();
        let same = self.seen.iter_mut().flatten().find(|seen| seen.is(action, subject, object));
        if let Some(same) = same {
            same.at = at;
            return;
        }
        let place = usize::from(self.oldest);
        self.seen[place] = Some(Seen { action, subject: short(subject), object, at });
        self.oldest = if place + 1 < SEEN_MAX { self.oldest + 1 } else { 0 };
    }
}

impl Seen {
    fn is(&self, action: Action, subject: Subject, object: Object) -> bool {
        (self.action, self.subject, self.object) == (action, short(subject), object)
    }
}

/// Half of the keyed hash: enough to tell the few people apart whose data one session sees.
fn short(subject: Subject) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&subject.key()[..8]);
    short
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        ledger::position::Position,
        schemes::{Campaign, Scheme},
    };

    const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

    const WHOSE: Subject = Subject([1; 16]);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn the_last_few_accesses_are_known_for_a_minute() {
        let mut recent = Recent::default();
        let shown = |n| (Action::ApplicationShown, Some((CAMPAIGN, Position::made_up(n))));
        for n in 0..8 {
            let (action, object) = shown(n);
            assert!(!recent.has(action, WHOSE, object, at(0)));
            recent.put(action, WHOSE, object, at(i64::from(n)));
        }
        assert!((0..8).all(|n| recent.has(shown(n).0, WHOSE, shown(n).1, at(59))));
        assert!(!recent.has(Action::WithdrawalAsked, WHOSE, shown(0).1, at(1)), "another action");
        assert!(!recent.has(shown(0).0, WHOSE, shown(0).1, at(60)));
        assert!(recent.has(shown(1).0, WHOSE, shown(1).1, at(60)));
        // Again: the place is kept, the time is new. Then a ninth takes the place of the oldest.
        recent.put(shown(0).0, WHOSE, shown(0).1, at(60));
        assert!(recent.has(shown(0).0, WHOSE, shown(0).1, at(119)));
        recent.put(Action::DraftShown, WHOSE, None, at(61));
        assert!(recent.has(Action::DraftShown, WHOSE, None, at(62)));
        let known = (0..8).filter(|n| recent.has(shown(*n).0, WHOSE, shown(*n).1, at(62))).count();
        assert_eq!(known, 5, "0 gave way to the draft, 1 and 2 are too old");
    }

    #[test]
    fn an_access_before_the_clock_was_set_back_is_known() {
        let mut recent = Recent::default();
        recent.put(Action::DraftShown, WHOSE, None, at(100));
        assert!(recent.has(
            Action::DraftShown,
            WHOSE,
            None,
            at(100).saturating_sub(SignedDuration::from_secs(50)).unwrap()
        ));
    }

    #[test]
    fn it_takes_little_memory() {
        assert!(size_of::<Recent>() <= SEEN_MAX * 24 + 4, "{}", size_of::<Recent>());
    }
}
