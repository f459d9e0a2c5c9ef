//! What the admission controller is told, and what follows for the waiting room.

use std::sync::Arc;

use super::opening::Intake;
use crate::{
    gate::{
        admission::{Admission, Load},
        leases::Lease,
        waiting::{Rate, Supply},
    },
    ledger::Tally,
};

impl Intake {
    /// The admission controller.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Lets the controller make a step if one is due. Call it every few milliseconds while anything is under way.
    pub fn steer(&self) {
        self.admission.step(|| self.load());
    }

    /// How many people may go in now, and how many will: nobody while the entry is paused.
    pub(super) fn supply(&self) -> Supply {
        let polls = Rate::per_second(self.admission.polls_per_second());
        let is_crowded = self.admission.strangers().is_crowded();
        if self.is_paused() {
            return Supply {
                admissions: Rate::per_second(0.0),
                polls,
                is_crowded,
                ..Supply::of(0)
            };
        }
        let places = self.leases.free().min(self.sessions.free());
        Supply {
            free: places.min(self.admission.free()),
            places,
            admissions: Rate::per_second(self.admission.per_second()),
            polls,
            is_crowded,
        }
    }

    /// A lease, if the controller lets one more person in and no operator has paused the entry.
    pub(super) fn lease(&self) -> Option<Lease> {
        if self.is_paused() || !self.admission.take() {
            return None;
        }
        let lease = self.leases.take();
        if lease.is_none() {
            self.admission.give_back();
        }
        lease
    }

    #[expect(clippy::cast_precision_loss, reason = "applications in memory")]
    fn load(&self) -> Load {
        let undecided: u64 =
            self.shelf.all().iter().map(|ledger| Tally::undecided(&ledger.tally())).sum();
        Load {
            anyone_waits: !self.waiting.is_empty(),
            requests_per_visit: self.sessions.requests_per_visit(),
            submissions: self.finishing.counted(),
            urn: undecided as f64 / self.urn_applications_max.max(1) as f64,
        }
    }
}
