//! The public state of the counter, its health, and the counts that operators see.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;

use super::opening::Intake;
use crate::{
    civic::local_time,
    gate::{limits::TooOften, schedule::Window, waiting::Draws},
    identity::Audience,
    ledger::{Health, Tally, rounds::Commitment},
    registry::notice::Notice,
    schemes::CampaignWindow,
    vault::HouseKeys,
};

/// The public state of the counter.
pub struct Status {
    /// When it was taken.
    pub now: Timestamp,
    /// Who may enter.
    pub windows: [(Audience, Window); Audience::ALL.len()],
    /// Every campaign, and whether it is open today.
    pub campaigns: Vec<(CampaignWindow, bool)>,
    /// The next round of the waiting room.
    pub round: u64,
    /// The commitment to its seed.
    pub commitment: Commitment,
    /// What everybody is told.
    pub notice: Option<Notice>,
}

/// Why new work is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A ledger's storage failed.
    LedgerPoisoned,
    /// The audit trail cannot be written.
    TrailFailed,
    /// Free disk space is below the reserve.
    DiskNearlyFull,
}

/// Counts for the operator. Each is exact, but they are read one after the other.
pub struct Counts {
    /// Accepted, neither decided nor withdrawn.
    pub undecided: u64,
    /// Pending now.
    pub pending: u64,
    /// Applications in the urn.
    pub in_urn: usize,
    /// Whether a ledger's storage failed.
    pub poisoned: bool,
    /// Free disk space, bytes.
    pub disk_free_bytes: u64,
    /// The reserve, bytes.
    pub disk_reserve_bytes: u64,
    /// By audience.
    pub audiences: [AudienceStatus; Audience::ALL.len()],
}

/// What the operator sees of one audience.
pub struct AudienceStatus {
    /// Which audience.
    pub audience: Audience,
    /// Whether its time slice is open.
    pub open: bool,
    /// People in the waiting room.
    pub waiting: usize,
}

impl Intake {
    /// What time it is at this counter.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What time it really is, whatever the demo's clock says: identities are valid by it.
    #[must_use]
    pub fn real_now(&self) -> Timestamp {
        self.clock.real()
    }

    /// The keys of the house.
    #[must_use]
    pub fn keys(&self) -> &Arc<HouseKeys> {
        &self.keys
    }

    /// The public state at `now`.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        let today = local_time::date_at(now);
        let (round, commitment) = self.waiting.next_round();
        Status {
            now,
            windows: Audience::ALL.map(|audience| (audience, self.schedule.window(audience, now))),
            campaigns: self
                .rules
                .campaigns()
                .map(|window| (window, window.contains(today)))
                .collect(),
            round,
            commitment,
            notice: self.notice(),
        }
    }

    /// Counts a public read against the rate limit of its address.
    ///
    /// # Errors
    /// [`TooOften`]: refuse the request.
    pub fn limit_reads(&self, from: Option<IpAddr>) -> Result<(), TooOften> {
        self.limits.load().read_from(from)
    }

    /// The draws of the waiting room.
    #[must_use]
    pub fn draws(&self) -> Draws {
        self.waiting.draws()
    }

    /// Why new work is not accepted; `None` if it is.
    #[must_use]
    pub fn health(&self) -> Option<Obstacle> {
        if self.poisoned() {
            return Some(Obstacle::LedgerPoisoned);
        }
        if self.trail.failed() || self.messages.failed() {
            return Some(Obstacle::TrailFailed);
        }
        self.space.short().then_some(Obstacle::DiskNearlyFull)
    }

    /// The counts for the operator.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let now = self.clock.now();
        let tallies: Vec<_> = self.shelf.all().iter().map(|ledger| ledger.tally()).collect();
        let [citizens, intermediaries] = self.waiting.waiting();
        let of = |audience, waiting| {
            let open = matches!(self.schedule.window(audience, now), Window::Open { .. });
            AudienceStatus { audience, open, waiting }
        };
        Counts {
            undecided: tallies.iter().map(Tally::undecided).sum(),
            pending: tallies.iter().map(|tally| tally.pending).sum(),
            in_urn: self.urn.len(),
            poisoned: self.poisoned(),
            disk_free_bytes: self.space.free_bytes(),
            disk_reserve_bytes: self.space.reserve_bytes(),
            audiences: [
                of(Audience::Citizens, citizens),
                of(Audience::Intermediaries, intermediaries),
            ],
        }
    }

    fn poisoned(&self) -> bool {
        self.has(Health::Poisoned)
    }

    /// Whether the database of a ledger takes no commits at present. No [`Obstacle`]: it comes back by itself within
    /// seconds, for all nodes at once, and meanwhile people inside read and fill in.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.has(Health::Away)
    }

    fn has(&self, health: Health) -> bool {
        self.shelf.all().iter().any(|ledger| ledger.health() == health)
    }
}
