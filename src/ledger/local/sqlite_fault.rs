//! Translates the errors of `SQLite` into those of the ledger.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use super::super::fault::{OpenFault, ReadFault, StorageFault, StoreError, StoreErrorKind};

impl From<Error> for StoreError {
    fn from(fault: Error) -> Self {
        let kind = match fault.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => StoreErrorKind::Disk,
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                StoreErrorKind::Access
            }
            _ => StoreErrorKind::Other,
        };
        Self::new(fault, kind)
    }
}

impl From<Error> for StorageFault {
    fn from(fault: Error) -> Self {
        Self::Store(fault.into())
    }
}

impl From<Error> for ReadFault {
    fn from(fault: Error) -> Self {
        Self::Storage(fault.into())
    }
}

/// The fault of a file that the store could not open or use.
pub(in crate::ledger) fn store_error(path: &Path, source: Error) -> OpenFault {
    OpenFault::Store { path: path.to_owned(), source: source.into() }
}
