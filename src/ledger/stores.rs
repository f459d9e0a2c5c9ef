//! The stores that belong to no campaign: audit trail, messages, drafts, mandates, rounds and journal.
//!
//! [`Stores`] opens them, besides the ledgers, where the operator keeps them.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    audit::{self, MessageStore, Trail},
    drafts::Drafts,
    fault::OpenFault,
    journal::{Event, Journal, Node},
    mandates::Mandates,
    rounds::Rounds,
    shelf::Engine,
};
use crate::{identity::Office, registry::mandates::MandateFile};

/// Opens the ledgers, and what belongs to no campaign. Each store is opened once, and may wait for the disk meanwhile.
pub trait Stores: Engine {
    /// The audit trail.
    ///
    /// # Errors
    /// [`OpenFault`].
    fn trail(&self, config: audit::Config) -> Result<Box<dyn Trail>, OpenFault>;

    /// The messages of identity providers.
    ///
    /// # Errors
    /// [`OpenFault`].
    fn messages(&self) -> Result<MessageStore, OpenFault>;

    /// The drafts.
    ///
    /// # Errors
    /// [`OpenFault`].
    fn drafts(&self) -> Result<Box<dyn Drafts>, OpenFault>;

    /// The mandates of `registry`, with their revocations, and those that are given by telephone.
    ///
    /// # Errors
    /// [`OpenFault`].
    fn mandates(
        &self,
        contact_centers: &[Office],
        registry: Option<MandateFile>,
    ) -> Result<Box<dyn Mandates>, OpenFault>;

    /// The rounds of the waiting room.
    ///
    /// # Errors
    /// [`OpenFault`].
    fn rounds(&self) -> Result<Box<dyn Rounds>, OpenFault>;

    /// The journal. Calls `each` with every event that it holds and that can still matter, in their order, and with the other
    /// node that noted it, where there are several. Returns also the moment, in real time, until which it holds everything.
    ///
    /// # Errors
    /// [`OpenFault`].
    fn journal(
        &self,
        each: &mut dyn FnMut(Option<Node>, Event),
    ) -> Result<(Arc<dyn Journal>, Timestamp), OpenFault>;
}
