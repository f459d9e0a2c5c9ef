//! Erasing what must not be kept any longer. Offline: the directory must be locked for this process.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;

use super::{
    book::{batch::Batch, change::State},
    fault::{OpenFault, StorageFault},
    local::{
        files, filings, index,
        sqlite::{self, Bounds, file_of},
        wal::wal_of,
    },
    receipt::ReceiptCode,
};
use crate::{schemes::Campaign, vault::HouseKeys};

const BOUNDS: Bounds = Bounds { wal_bytes_max: u64::MAX, readers_max: 1 };

/// The result, in words for the operator and the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erased {
    /// It was erased.
    Done(String),
    /// It was not erased, and why.
    Not(String),
}

/// Why something could not be erased, or not completely.
#[derive(Debug, thiserror::Error)]
pub enum ErasureFault {
    /// The ledger cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenFault),
    /// The ledger cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageFault),
}

/// Erases the contents of one application and its decisions, and records the erasure in the chain.
///
/// # Errors
/// [`ErasureFault`].
pub fn erase(
    directory: &Path,
    code: ReceiptCode,
    keys: Arc<HouseKeys>,
    now: Timestamp,
) -> Result<Erased, ErasureFault> {
    let campaign = code.campaign();
    let unknown = || Erased::Not(format!("{code}: the ledger does not hold it"));
    let position = code.position(&keys).filter(|_| file_of(directory, campaign).exists());
    let Some(position) = position else { return Ok(unknown()) };
    let mut opened = sqlite::open(directory, campaign, keys, BOUNDS)?;
    if index::lock(&opened.index).durable_state(position).is_none() {
        return Ok(unknown());
    }
    let batch = Batch { erasures: vec![position], at: now, ..Batch::default() };
    let written = opened.bookkeeper.write(&batch)?;
    // Also if it was erased before: that run may have been interrupted here.
    if index::lock(&opened.index).durable_state(position).is_some_and(is_erased) {
        let fault = |source| OpenFault::Directory { path: directory.to_owned(), source };
        filings::forget(directory, code).map_err(fault)?;
    }
    Ok(match written.erasures.first() {
        Some(Some(_)) => Erased::Done(code.to_string()),
        _ => Erased::Not(format!(
            "{code}: it was erased before, or it is undecided; withdraw an undecided application first"
        )),
    })
}

fn is_erased(state: State) -> bool {
    matches!(state, State::Erased { .. })
}

/// Removes a campaign's files.
///
/// # Errors
/// [`ErasureFault`].
pub fn erase_campaign(directory: &Path, campaign: Campaign) -> Result<Erased, ErasureFault> {
    let path = file_of(directory, campaign);
    if !path.exists() && !wal_of(&path).exists() {
        return Ok(Erased::Not(format!("{campaign}: there is no such ledger")));
    }
    // The ledger goes last: an interruption leaves no other file that nothing would remove.
    for path in [filings::file_of(directory, campaign), path] {
        files::remove(&path).map_err(|source| OpenFault::Directory { path, source })?;
    }
    Ok(Erased::Done(format!("campaign {campaign}")))
}
