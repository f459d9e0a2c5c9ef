//! Naming the ends of chains of nodes in files, so that who removes one has to change what commands did, too.

use std::path::Path;

use jiff::Timestamp;

use super::{
    heads,
    messages::MessageRow,
    row::{TrailRow, note_command},
    stored,
};
use crate::{ledger::fault::OpenFault, vault::HouseKeys};

/// Names the end of every chain of a node that was moved into the files of a directory, in a row of what commands did; none if
/// there are no such chains. Call it after a move. A server may be running.
///
/// # Errors
/// [`OpenFault`].
pub fn name_ends(directory: &Path, keys: &HouseKeys, now: Timestamp) -> Result<(), OpenFault> {
    let (trail, messages) =
        (stored::heads::<TrailRow>(directory)?, stored::heads::<MessageRow>(directory)?);
    let text = heads::text(&[trail, messages].concat());
    text.map_or(Ok(()), |text| note_command(directory, keys, now, &text))
}
