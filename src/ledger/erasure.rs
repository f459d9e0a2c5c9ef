//! Erasing what must not be kept any longer. Offline: the directory must have been taken before.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;

use super::{
    engine::{Batch, Engine as _, OpenFault, StorageFault},
    engines::{
        files,
        log::log_of,
        sqlite::{self, Bounds, file_of},
    },
    keys::HouseKeys,
    receipt::ReceiptCode,
};
use crate::schemes::Campaign;

const BOUNDS: Bounds = Bounds { wal_bytes_max: u64::MAX, readers_max: 1 };

/// What became of it, in words for the operator and the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erased {
    /// It is gone.
    Done(String),
    /// It stands, and why.
    Not(String),
}

/// Why something could not be erased, or not whole.
#[derive(Debug, thiserror::Error)]
pub enum ErasureFault {
    /// The ledger cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenFault),
    /// The ledger cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageFault),
}

/// Erases what one application says and what was decided on it, and writes into the chain that it was erased.
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
    let position = keys.position(code).filter(|_| file_of(directory, campaign).exists());
    let Some(position) = position else { return Ok(unknown()) };
    let mut opened = sqlite::open(directory, campaign, keys, BOUNDS)?;
    if super::lock(&opened.index).durable_state(position).is_none() {
        return Ok(unknown());
    }
    let batch = Batch { erasures: vec![position], at: now, ..Batch::default() };
    let written = opened.engine.write(&batch)?;
    Ok(match written.erasures.first() {
        Some(Some(_)) => Erased::Done(code.to_string()),
        _ => Erased::Not(format!(
            "{code}: it is undecided, or was erased before; an undecided one is withdrawn first"
        )),
    })
}

/// Removes a campaign's files.
///
/// # Errors
/// [`ErasureFault`].
pub fn erase_campaign(directory: &Path, campaign: Campaign) -> Result<Erased, ErasureFault> {
    let path = file_of(directory, campaign);
    if !path.exists() && !log_of(&path).exists() {
        return Ok(Erased::Not(format!("{campaign}: there is no ledger of it")));
    }
    files::remove(&path).map_err(|source| OpenFault::Directory { path, source })?;
    Ok(Erased::Done(format!("campaign {campaign}")))
}
