//! The rows of trail and messages in files, month by month, for those who copy them.

use std::path::Path;

use super::{
    chain::Chained,
    found::SearchFault,
    messages::{self, MessageRow},
    month::{Month, TrailRow},
    search,
};
use crate::ledger::fault::OpenFault;

/// A row that has a file for each month.
pub(in crate::ledger) trait Filed: Chained + Sized {
    /// The months that have a file, oldest first; what commands did is one of them.
    ///
    /// # Errors
    /// [`OpenFault`].
    fn months(directory: &Path) -> Result<Vec<Month>, OpenFault>;

    /// Shows every row of a month in its order to `look`, until that fails.
    ///
    /// # Errors
    /// [`SearchFault`].
    fn each(
        directory: &Path,
        month: &Month,
        look: &mut dyn FnMut(Self) -> Result<(), SearchFault>,
    ) -> Result<(), SearchFault>;
}

impl Filed for TrailRow {
    fn months(directory: &Path) -> Result<Vec<Month>, OpenFault> {
        Month::all(directory)
    }

    fn each(
        directory: &Path,
        month: &Month,
        look: &mut dyn FnMut(Self) -> Result<(), SearchFault>,
    ) -> Result<(), SearchFault> {
        search::each_row_of(directory, month, look)
    }
}

impl Filed for MessageRow {
    fn months(directory: &Path) -> Result<Vec<Month>, OpenFault> {
        messages::months(directory)
    }

    fn each(
        directory: &Path,
        month: &Month,
        look: &mut dyn FnMut(Self) -> Result<(), SearchFault>,
    ) -> Result<(), SearchFault> {
        messages::each_row_of(directory, month, look)
    }
}
