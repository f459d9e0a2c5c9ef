//! The audit trail and the messages of identity providers as things that are moved. In the database each start of a server has
//! a chain, in files a machine goes on with one of its own; what commands did is one chain everywhere.

use std::marker::PhantomData;

use super::{
    chains_from_files, chains_into_files, held,
    receipts::gone,
    tabled::Tabled,
    way::{Side, Sum, Thing, Way},
};
use crate::ledger::{
    audit::{MessageRow, TrailRow},
    migration::{Direction, MigrationFault},
};

/// The audit trail.
pub(super) const TRAIL: Chains<TrailRow> = Chains(PhantomData);
/// The messages of identity providers.
pub(super) const MESSAGES: Chains<MessageRow> = Chains(PhantomData);

/// Chains of such rows.
pub(super) struct Chains<R>(PhantomData<R>);

impl<R: Tabled> Thing for Chains<R> {
    fn name(&self) -> String {
        R::WHAT.to_owned()
    }

    fn sum(&self, way: &Way<'_>, side: Side) -> Result<Option<Sum>, MigrationFault> {
        let held = match side {
            Side::Files => held::in_files::<R>(way.directory)?,
            Side::Database => way.runtime.block_on(held::in_database::<R>(way)).map_err(gone)?,
        };
        Ok(held.sum())
    }

    fn copy(
        &self,
        way: &Way<'_>,
        direction: Direction,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), MigrationFault> {
        match direction {
            Direction::IntoDatabase => chains_from_files::copy::<R>(way, progress),
            Direction::IntoFiles => {
                way.runtime.block_on(chains_into_files::copy::<R>(way, progress))
            }
        }
    }
}
