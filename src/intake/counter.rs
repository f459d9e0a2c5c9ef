//! What each runtime has of its own: its handovers to the ledgers, and its meters of submissions.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use super::{meters::Submissions, opening::Intake};
use crate::{
    ledger::{Ledger, fault::CommitFault, handover::Handover},
    schemes::Campaign,
    session::scope::Scope,
};

/// One runtime's counter: the shared intake, this runtime's handovers to the ledgers, and its meters.
pub struct Counter {
    /// Shared by all counters.
    pub intake: Arc<Intake>,
    handovers: RefCell<HashMap<Campaign, Handover>>,
    pub(super) submissions: Submissions,
}

impl Counter {
    /// A counter for the runtime in which it is made.
    #[must_use]
    pub fn new(intake: Arc<Intake>) -> Rc<Self> {
        let submissions = Submissions::default();
        Rc::new(Self { intake, handovers: RefCell::default(), submissions })
    }

    /// Whether a submission is accepted as far as disk space is concerned; a refusal counts as a failed one, unless it is the
    /// canary's. Ask before its body is read.
    ///
    /// # Errors
    /// [`CommitFault::NoRoom`].
    pub fn admits_submission(&self, scope: Scope<'_>) -> Result<(), CommitFault> {
        self.intake.admits().inspect_err(|_| {
            if !scope.session().is_canary() {
                self.submissions.fail();
            }
        })
    }

    pub(super) fn handover(&self, ledger: &Arc<dyn Ledger>) -> Handover {
        let mut handovers = self.handovers.borrow_mut();
        handovers.entry(ledger.campaign()).or_insert_with(|| Handover::to(ledger)).clone()
    }
}
