//! The applications that judges decide.

use std::sync::Arc;

use jiff::civil::Date;

use super::{book::record::Header, position::Position};
use crate::{application::Application, schemes::Campaign, trace::Recording, vault::Subject};

/// A durable application on its way to a judge.
pub struct Case {
    /// Its campaign.
    pub campaign: Campaign,
    /// Its place in the ledger.
    pub position: Position,
    /// Whose it is; the decision is sealed for them.
    pub subject: Subject,
    /// The filing date, Europe/Rome.
    pub received_on: Date,
    /// The parsed application.
    pub application: Box<Application>,
    /// The request that it was submitted with, if that is sampled.
    pub recording: Option<Arc<Recording>>,
}

/// An undecided or pending application, read from the ledger for a judge.
pub struct StoredCase {
    /// Its place in the ledger.
    pub position: Position,
    /// Whose it is, and its filing date.
    pub header: Header,
    /// Its bytes as they were sent.
    pub application: Vec<u8>,
}

/// Some pending applications, and where to continue.
pub struct PendingCases {
    /// The applications.
    pub cases: Vec<StoredCase>,
    /// The position to continue from; `None` at the end.
    pub next: Option<Position>,
}
