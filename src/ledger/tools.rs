//! What the commands for operators ask of the engine that keeps the ledgers.

use jiff::Timestamp;

use super::{
    book::change::Tally,
    erasure::{Erased, ErasureFault},
    fault::{OpenFault, ReadFault},
    receipt::ReceiptCode,
    snapshot::Filed,
    verify::{Finding, Receipts},
};
use crate::schemes::Campaign;

/// A ledger that was read as a whole.
pub struct Inspected {
    /// Its counts.
    pub tally: Tally,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// Which receipts it holds.
    pub receipts: Box<dyn Receipts>,
}

/// The check of something that belongs to no campaign.
pub struct Checked {
    /// What it is, and how many of it there are, if they are counted.
    pub counted: Option<(&'static str, usize)>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// Applications of people that were not erased, in the order of receipt codes.
pub type AllFiled = Box<dyn Iterator<Item = Result<Filed, ReadFault>>>;

/// The commands for operators, on the ledgers of one engine.
pub trait Tools {
    /// Reads a campaign's ledger and checks everything in it; `None` if there is none. Calls `progress` with the number of
    /// records read.
    ///
    /// # Errors
    /// [`OpenFault`]; [`OpenFault::is_damage`] tells a damaged ledger from one that cannot be reached.
    fn inspect(
        &self,
        campaign: Campaign,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Inspected>, OpenFault>;

    /// Checks what belongs to no campaign.
    fn check_stores(&self) -> Vec<Checked>;

    /// What belongs to no campaign, and these tools do not verify.
    fn not_covered(&self) -> &'static [&'static str];

    /// The applications of a campaign at one moment; `None` if it has no ledger. A server may be writing it.
    ///
    /// # Errors
    /// [`OpenFault`].
    fn filed(&self, campaign: Campaign) -> Result<Option<AllFiled>, OpenFault>;

    /// Erases the contents of one application and its decisions, and records the erasure in the chain.
    ///
    /// # Errors
    /// [`ErasureFault`].
    fn erase(&self, code: ReceiptCode, now: Timestamp) -> Result<Erased, ErasureFault>;

    /// Removes a campaign's ledger.
    ///
    /// # Errors
    /// [`ErasureFault`].
    fn erase_campaign(&self, campaign: Campaign) -> Result<Erased, ErasureFault>;

    /// Removes every draft. No server may be running.
    ///
    /// # Errors
    /// [`ErasureFault`]; the drafts remain.
    fn erase_drafts(&self) -> Result<Erased, ErasureFault>;
}
