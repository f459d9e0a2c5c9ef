//! Daily quotas: how many applications each office and each of its clerks may submit in a day, Europe/Rome.
//!
//! A clerk who submits for invented people, or a program that has run wild, is stopped at a number that no honest
//! working day reaches. Counts are in memory; after a restart they are read from the journal, and so are those of other
//! nodes, a moment after they counted. So an office that submits at several nodes at once may exceed its quota by what
//! they accept in that moment.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::civil::Date;

use crate::{ledger::journal::Event, vault::Subject};

/// The quotas.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Applications of one office in a day.
    pub office_applications_per_day_max: u32,
    /// Applications of one clerk for one office in a day.
    pub clerk_applications_per_day_max: u32,
}

/// The quota of an office or a clerk is used up until the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp;

/// What was submitted today.
pub struct Quotas {
    config: Config,
    day: Mutex<Day>,
}

/// The counts of one day. Each key belongs to a clerk with a verified identity, so there are as many as clerks at work.
#[derive(Default)]
struct Day {
    date: Date,
    offices: HashMap<Subject, u32>,
    clerks: HashMap<(Subject, Subject), u32>,
}

/// One application of a quota. Dropping it returns it, unless it was [`used`](Self::used).
pub struct Reserved<'q> {
    quotas: &'q Quotas,
    date: Date,
    office: Subject,
    clerk: Subject,
    is_used: bool,
}

impl Quotas {
    /// Nothing was submitted yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, day: Mutex::default() }
    }

    /// Reserves one application of a clerk for an office.
    ///
    /// # Errors
    /// [`UsedUp`]: nothing more is accepted from them `today`.
    pub fn reserve(
        &self,
        office: Subject,
        clerk: Subject,
        today: Date,
    ) -> Result<Reserved<'_>, UsedUp> {
        let mut day = self.day();
        if day.date < today {
            *day = Day { date: today, ..Day::default() };
        }
        let of_office = count_of(&day.offices, &office);
        let of_clerk = count_of(&day.clerks, &(office, clerk));
        if of_office >= self.config.office_applications_per_day_max
            || of_clerk >= self.config.clerk_applications_per_day_max
        {
            return Err(UsedUp);
        }
        day.offices.insert(office, of_office + 1);
        day.clerks.insert((office, clerk), of_clerk + 1);
        Ok(Reserved { quotas: self, date: day.date, office, clerk, is_used: false })
    }

    /// Takes in an event of the journal: an application that was accepted before a restart, or at another node.
    pub fn learn(&self, event: &Event) {
        if let Event::Counted { office, clerk, day } = *event {
            self.count(office, clerk, day);
        }
    }

    fn count(&self, office: Subject, clerk: Subject, date: Date) {
        let mut day = self.day();
        if day.date < date {
            *day = Day { date, ..Day::default() };
        }
        if day.date == date {
            *day.offices.entry(office).or_default() += 1;
            *day.clerks.entry((office, clerk)).or_default() += 1;
        }
    }

    fn day(&self) -> MutexGuard<'_, Day> {
        self.day.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserved<'_> {
    /// The application was accepted.
    pub fn used(mut self) {
        self.is_used = true;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if self.is_used {
            return;
        }
        let mut day = self.quotas.day();
        if day.date == self.date {
            give_back(&mut day.offices, &self.office);
            give_back(&mut day.clerks, &(self.office, self.clerk));
        }
    }
}

fn count_of<K: Hash + Eq>(counts: &HashMap<K, u32>, key: &K) -> u32 {
    counts.get(key).copied().unwrap_or_default()
}

fn give_back<K: Hash + Eq>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const TODAY: Date = date(2024, 9, 17);

    fn subject(n: u8) -> Subject {
        Subject([n; 16])
    }

    fn submit(quotas: &Quotas, office: u8, clerk: u8, today: Date) -> bool {
        let reserved = quotas.reserve(subject(office), subject(clerk), today);
        reserved.map(Reserved::used).is_ok()
    }

    #[test]
    fn an_office_and_each_of_its_clerks_have_a_quota_that_the_next_day_renews() {
        let quotas = Quotas::new(Config {
            office_applications_per_day_max: 3,
            clerk_applications_per_day_max: 2,
        });
        let submitted = [1, 1, 1, 2, 2].map(|clerk| submit(&quotas, 1, clerk, TODAY));
        assert_eq!(submitted, [true, true, false, true, false], "two of a clerk, three in all");
        assert!(submit(&quotas, 2, 1, TODAY), "the same clerk has another quota at another office");
        assert!(submit(&quotas, 1, 1, TODAY.tomorrow().unwrap()));
    }

    #[test]
    fn a_restart_goes_on_counting_where_the_day_was() {
        let quotas = Quotas::new(Config {
            office_applications_per_day_max: 3,
            clerk_applications_per_day_max: 2,
        });
        let yesterday = TODAY.yesterday().unwrap();
        for (clerk, date) in [(1, yesterday), (1, TODAY), (1, TODAY), (2, TODAY), (2, yesterday)] {
            quotas.learn(&Event::Counted { office: subject(1), clerk: subject(clerk), day: date });
        }
        assert!(!submit(&quotas, 1, 1, TODAY) && !submit(&quotas, 1, 2, TODAY));
        assert!(submit(&quotas, 2, 1, TODAY));
        assert!(submit(&quotas, 1, 1, TODAY.tomorrow().unwrap()));
    }

    #[test]
    fn what_was_not_accepted_is_returned_on_its_own_day_only() {
        let quotas = Quotas::new(Config {
            office_applications_per_day_max: 1,
            clerk_applications_per_day_max: 1,
        });
        let refused = quotas.reserve(subject(1), subject(1), TODAY).ok().unwrap();
        assert!(quotas.reserve(subject(1), subject(1), TODAY).is_err());
        drop(refused);
        let late = quotas.reserve(subject(1), subject(1), TODAY).ok().unwrap();
        let tomorrow = TODAY.tomorrow().unwrap();
        assert!(submit(&quotas, 1, 1, tomorrow));
        drop(late);
        assert!(!submit(&quotas, 1, 1, tomorrow));
    }
}
