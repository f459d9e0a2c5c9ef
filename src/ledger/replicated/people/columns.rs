//! Columns of a fixed number of bytes.

use tokio_postgres::Row;

use super::super::fault::Setback;
use crate::{ledger::fault::StorageFault, vault::Subject};

/// The bytes of a column.
///
/// # Errors
/// [`StorageFault::Damaged`] if they are more or fewer.
pub(super) fn bytes_of<const BYTES: usize>(row: &Row, at: usize) -> Result<[u8; BYTES], Setback> {
    let bytes: &[u8] = row.try_get(at)?;
    Ok(bytes.try_into().map_err(|_| StorageFault::Damaged)?)
}

/// The person or office of a column.
///
/// # Errors
/// As for [`bytes_of`].
pub(super) fn subject_of(row: &Row, at: usize) -> Result<Subject, Setback> {
    bytes_of(row, at).map(Subject)
}
