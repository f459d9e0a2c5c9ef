//! Disclosures, and what searches of the trail have found lately, so that a person can read it page by page without another search.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::{identity::Office, vault::Subject};

/// How long the result of a search is kept: longer than the minute after which the person may search again.
const KEPT: SignedDuration = SignedDuration::from_secs(75);
/// Disclosures that are kept for all people together, about 10 MB. At the bound the oldest search is dropped.
const KEPT_DISCLOSURES_MAX: usize = 50_000;

/// Who was shown or changed a person's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The person.
    Themselves,
    /// Somebody at an office; who it was is in the trail only.
    Office,
    /// Somebody at a Contact Center, likewise.
    ContactCenter,
    /// The institute.
    Institute,
}

/// One disclosure.
#[derive(Clone)]
pub struct Disclosure {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub what: String,
    /// The application concerned.
    pub receipt: Option<String>,
    /// By whom.
    pub by: By,
    /// The office.
    pub office: Option<Office>,
}

/// The results of the latest searches, oldest first. The lock is held for a walk over a short list, never across an await.
#[derive(Default)]
pub(super) struct Found(Mutex<VecDeque<Search>>);

struct Search {
    person: Subject,
    at: Timestamp,
    disclosures: Arc<[Disclosure]>,
}

impl Found {
    /// What was found about a person lately, and when.
    pub(super) fn of(
        &self,
        person: Subject,
        now: Timestamp,
    ) -> Option<(Timestamp, Arc<[Disclosure]>)> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sweep(&mut kept, now);
        let search = kept.iter().find(|search| search.person == person)?;
        Some((search.at, Arc::clone(&search.disclosures)))
    }

    pub(super) fn keep(&self, person: Subject, at: Timestamp, disclosures: &Arc<[Disclosure]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sweep(&mut kept, at);
        kept.retain(|search| search.person != person);
        kept.push_back(Search { person, at, disclosures: Arc::clone(disclosures) });
        // An empty list takes room as well.
        while kept.iter().map(|search| search.disclosures.len() + 1).sum::<usize>()
            > KEPT_DISCLOSURES_MAX
        {
            kept.pop_front();
        }
    }

    /// Forgets what is too old. Call it every few seconds.
    pub(super) fn tidy(&self, now: Timestamp) {
        sweep(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), now);
    }
}

fn sweep(kept: &mut VecDeque<Search>, now: Timestamp) {
    kept.retain(|search| now.duration_since(search.at) < KEPT);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::HouseKeys;

    fn disclosures(count: usize) -> Arc<[Disclosure]> {
        let one = |n: usize| Disclosure {
            at: Timestamp::UNIX_EPOCH,
            what: n.to_string(),
            receipt: None,
            by: By::Themselves,
            office: None,
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn each_person_gets_their_own_for_a_while_and_all_together_are_bounded() {
        let keys = HouseKeys::from_master(&[7; 32]);
        let [one, two] = ["patronato-one", "patronato-two"].map(|name| keys.office(name));
        let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        let found = Found::default();
        found.keep(one, at(0), &disclosures(2));
        found.keep(two, at(10), &disclosures(3));
        let count = |person, now| found.of(person, at(now)).map(|(at, all)| (at, all.len()));
        assert_eq!(count(one, 74), Some((at(0), 2)));
        assert_eq!(count(one, 75), None);
        assert_eq!(count(two, 75), Some((at(10), 3)));
        found.keep(two, at(76), &disclosures(4));
        assert_eq!(count(two, 76), Some((at(76), 4)), "a later search replaces the one before");

        found.keep(one, at(77), &disclosures(KEPT_DISCLOSURES_MAX - 6));
        assert_eq!(count(two, 77), Some((at(76), 4)));
        found.keep(one, at(78), &disclosures(KEPT_DISCLOSURES_MAX - 5));
        assert_eq!(count(two, 78), None, "there is no room for both");
        assert!(count(one, 78).is_some());
        found.keep(two, at(79), &disclosures(KEPT_DISCLOSURES_MAX));
        assert!(found.0.lock().unwrap().is_empty(), "too long to be kept");
        found.keep(one, at(80), &disclosures(1));
        found.tidy(at(200));
        assert!(found.0.lock().unwrap().is_empty());
    }
}
