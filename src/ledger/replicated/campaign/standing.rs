//! What the handle, the committer and the readers of one ledger know together: whether the database answers, and the
//! counts.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use metrics::{Counter, Gauge};

use super::{super::fault::Setback, counts::Counts};
use crate::{
    clock::Stopwatch,
    ledger::{Health, book::change::Tally, fault::StorageFault},
    metrics as list,
    schemes::Campaign,
};

/// How long judges who found fewer cases than they asked for wait until they ask again. A work list through which a surge
/// passes is full of rows that are gone, and each look walks over them.
const DRAINED_LASTS: Duration = Duration::from_millis(250);

/// Shared by all parts of one ledger. Each lock guards only its value.
pub(super) struct Standing {
    campaign: Campaign,
    /// Set once, never cleared.
    is_poisoned: AtomicBool,
    /// Why the database takes no commits, if it takes none.
    away: Mutex<Option<String>>,
    counts: Mutex<AllCounts>,
    /// Judges were told nothing when they last asked for cases.
    lacks_cases: AtomicBool,
    /// Since when there were fewer cases than judges asked for, unless this node has left some in the database since.
    drained: Mutex<Option<Stopwatch>>,
    is_away: Gauge,
    unknown: Counter,
    raced: Counter,
}

#[derive(Default)]
struct AllCounts {
    /// Of this node; exact.
    own: Counts,
    /// Of the other nodes, as they were a moment ago.
    others: Counts,
}

impl Standing {
    /// Of a ledger that takes commits. Its metrics begin at 0.
    pub(super) fn new(campaign: Campaign) -> Self {
        let label = || vec![campaign.to_string()];
        let (is_away, unknown) =
            (list::LEDGER_AWAY.gauge_of(label()), list::COMMITS_UNKNOWN.counter_of(label()));
        let raced = list::COMMITS_RACED.counter_of(label());
        is_away.set(0.0);
        unknown.increment(0);
        raced.increment(0);
        Self {
            campaign,
            is_poisoned: AtomicBool::default(),
            away: Mutex::default(),
            counts: Mutex::default(),
            lacks_cases: AtomicBool::default(),
            drained: Mutex::default(),
            is_away,
            unknown,
            raced,
        }
    }

    pub(super) fn health(&self) -> Health {
        if self.is_poisoned.load(Ordering::Acquire) {
            Health::Poisoned
        } else if self.reason().is_some() {
            Health::Away
        } else {
            Health::Sound
        }
    }

    /// Stops intake until a restart: what is stored contradicts itself.
    pub(super) fn poison(&self, fault: &StorageFault) {
        let campaign = self.campaign;
        self.is_poisoned.store(true, Ordering::Release);
        tracing::error!(%campaign, %fault, "the ledger is poisoned: intake has stopped; repair the database and restart");
    }

    /// Notes that the database takes no commits; logged when it begins, and when the reason is another one.
    pub(super) fn away(&self, setback: &Setback) {
        self.is_away.set(1.0);
        let (campaign, reason) = (self.campaign, setback.to_string());
        if self.reason().replace(reason.clone()) != Some(reason) {
            tracing::error!(%campaign, %setback, "the database takes no commits: intake waits for it and tries again");
        }
    }

    /// Notes that it took one.
    pub(super) fn back(&self) {
        let campaign = self.campaign;
        if self.reason().take().is_some() {
            self.is_away.set(0.0);
            tracing::warn!(%campaign, "the database takes commits again");
        }
    }

    /// Whether there may be cases in the database.
    pub(super) fn may_have_cases(&self) -> bool {
        self.drained().as_ref().is_none_or(|since| since.elapsed() >= DRAINED_LASTS)
    }

    /// Notes that there were fewer cases than judges asked for.
    pub(super) fn note_drained(&self) {
        *self.drained() = Some(Stopwatch::start());
    }

    /// Notes that this node has left cases in the database.
    pub(super) fn note_left_cases(&self) {
        *self.drained() = None;
    }

    /// Notes whether judges get cases; logged when that changes.
    pub(super) fn note_cases(&self, fault: Option<&StorageFault>) {
        let campaign = self.campaign;
        match (fault, self.lacks_cases.swap(fault.is_some(), Ordering::Relaxed)) {
            (Some(fault), false) => {
                tracing::warn!(%campaign, %fault, "judges get no cases from the database: they ask again");
            }
            (None, true) => tracing::info!(%campaign, "judges get cases again"),
            _ => {}
        }
    }

    /// Counts a batch whose outcome must be looked up.
    pub(super) fn count_unknown(&self) {
        self.unknown.increment(1);
    }

    /// Counts a batch that another node was faster than.
    pub(super) fn count_raced(&self) {
        self.raced.increment(1);
    }

    pub(super) fn tally(&self) -> Tally {
        let counts = self.counts();
        let mut all = counts.own.clone();
        all.add(&counts.others);
        all.tally()
    }

    pub(super) fn set_own(&self, own: Counts) {
        self.counts().own = own;
    }

    pub(super) fn set_others(&self, others: Counts) {
        self.counts().others = others;
    }

    fn drained(&self) -> MutexGuard<'_, Option<Stopwatch>> {
        self.drained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> MutexGuard<'_, AllCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::schemes::Scheme;

    /// Prometheus sees no increase of a series that begins at its first event.
    #[test]
    fn metrics_begin_at_0_and_tell_that_the_database_is_away_until_it_is_back() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        let campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
        let standing = metrics::with_local_recorder(&recorder, || Standing::new(campaign));
        let has = |line: &str| page.render().lines().any(|found| found == line);
        assert!(has("sportello_ledger_away{campaign=\"iscro-2024\"} 0"), "{}", page.render());
        assert!(has("sportello_commits_unknown_total{campaign=\"iscro-2024\"} 0"));
        assert!(has("sportello_commits_raced_total{campaign=\"iscro-2024\"} 0"));
        assert_eq!(standing.health(), Health::Sound);

        standing.away(&Setback::Away("it was cut".to_owned()));
        standing.count_unknown();
        assert!(has("sportello_ledger_away{campaign=\"iscro-2024\"} 1"), "{}", page.render());
        assert!(has("sportello_commits_unknown_total{campaign=\"iscro-2024\"} 1"));
        assert_eq!(standing.health(), Health::Away);

        standing.back();
        assert!(has("sportello_ledger_away{campaign=\"iscro-2024\"} 0"), "{}", page.render());
        assert_eq!(standing.health(), Health::Sound);
    }

    #[test]
    fn judges_who_found_no_more_cases_ask_again_at_once_only_if_this_node_has_left_some() {
        let standing = Standing::new(Campaign { scheme: Scheme::Iscro, year: 2024 });
        assert!(standing.may_have_cases());
        standing.note_drained();
        assert!(!standing.may_have_cases());
        standing.note_left_cases();
        assert!(standing.may_have_cases());
    }
}
