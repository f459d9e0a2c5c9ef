//! Filings: what offices handed in for people, in lists by office.
//!
//! A list is read from an index that follows the ledger, so it lags behind by the time between two runs of
//! [`Ledger::index_filings`](super::Ledger::index_filings). The index holds nothing that the ledger does not, and each
//! engine can rebuild it.

use jiff::civil::Date;

use super::{book::change::State, fault::StorageFault, receipt::ReceiptCode};
use crate::vault::Subject;

/// An application that an office handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filing {
    /// Its receipt code.
    pub receipt: ReceiptCode,
    /// Whose application it is.
    pub person: Subject,
    /// The filing date, Europe/Rome.
    pub received_on: Date,
    /// Its state now.
    pub state: State,
}

/// Why a list of filings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FilingsFault {
    /// The storage did not answer.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// The index is being rebuilt, so filings of long ago would be missing: try again in a moment.
    #[error("the index of filings is being rebuilt")]
    Incomplete,
}

/// Some filings of an office in the order of receipts, without those whose contents were erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilingPage {
    /// The filings.
    pub filings: Vec<Filing>,
    /// After which receipt the list continues; `None` at its end.
    pub next: Option<ReceiptCode>,
}
