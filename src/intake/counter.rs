//! What each runtime has of its own: its handovers to the ledgers.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use super::opening::Intake;
use crate::{
    ledger::{Ledger, handover::Handover},
    schemes::Campaign,
};

/// One runtime's counter: the shared intake, and this runtime's handovers to the ledgers.
pub struct Counter {
    /// Shared by all counters.
    pub intake: Arc<Intake>,
    handovers: RefCell<HashMap<Campaign, Handover>>,
}

impl Counter {
    /// A counter for the runtime in which it is made.
    #[must_use]
    pub fn new(intake: Arc<Intake>) -> Rc<Self> {
        Rc::new(Self { intake, handovers: RefCell::default() })
    }

    pub(super) fn handover(&self, ledger: &Arc<dyn Ledger>) -> Handover {
        let mut handovers = self.handovers.borrow_mut();
        handovers.entry(ledger.campaign()).or_insert_with(|| Handover::to(ledger)).clone()
    }
}
