//! Looking up receipts of a list.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::runtime::Runtime;
use tokio_postgres::Statement;

use super::super::{
    campaign::{BATCH, stored_batch},
    fault::Setback,
    link::Link,
};
use crate::{
    ledger::{
        book::sign::StoredBatch,
        fault::{OpenFault, StorageFault},
        position::Position,
        receipt::{Receipt, ReceiptCode},
        verify::Receipts,
    },
    vault::HouseKeys,
};

/// Batches cached: receipts of a list are often in the same batches.
const BATCHES_CACHED_MAX: usize = 64;

/// The receipts of one campaign.
pub(super) struct StoredReceipts {
    pub(super) runtime: Arc<Runtime>,
    pub(super) keys: Arc<HouseKeys>,
    pub(super) link: Link,
    batch: Statement,
    /// The batches in which receipts were found last.
    cached: Mutex<VecDeque<Arc<StoredBatch>>>,
}

impl StoredReceipts {
    /// Prepares a link to a campaign.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn of(
        runtime: Arc<Runtime>,
        keys: Arc<HouseKeys>,
        link: Link,
    ) -> Result<Self, Setback> {
        let batch = link.prepare(BATCH).await?;
        Ok(Self { runtime, keys, link, batch, cached: Mutex::default() })
    }

    /// The batch that holds the application of a code, and its position. A damaged batch holds nothing.
    fn find(&self, code: ReceiptCode) -> Result<Option<(Arc<StoredBatch>, Position)>, OpenFault> {
        let Some(position) = code.position(&self.keys) else { return Ok(None) };
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = cached.iter().find(|batch| batch.holds(position)) {
            return Ok(Some((Arc::clone(batch), position)));
        }
        let reading = async { self.link.query_opt(&self.batch, &[&i64::from(position.0)]).await };
        let row = self.runtime.block_on(reading).map_err(Setback::from).map_err(gone)?;
        let batch = match row.as_ref().map(stored_batch).transpose() {
            Ok(batch) => batch.map(|(.., batch)| Arc::new(batch)),
            Err(StorageFault::Damaged) => None,
            Err(fault) => return Err(OpenFault::Database { what: fault.to_string() }),
        };
        let Some(batch) = batch.filter(|batch| batch.holds(position)) else { return Ok(None) };
        if cached.len() == BATCHES_CACHED_MAX {
            cached.pop_front();
        }
        cached.push_back(Arc::clone(&batch));
        Ok(Some((batch, position)))
    }
}

impl Receipts for StoredReceipts {
    fn holds_code(&self, code: ReceiptCode) -> Result<bool, OpenFault> {
        Ok(self.find(code)?.is_some())
    }

    fn holds(&self, receipt: &Receipt) -> Result<bool, OpenFault> {
        let Some(code) = ReceiptCode::parse(&receipt.receipt) else { return Ok(false) };
        Ok(self.find(code)?.is_some_and(|(batch, position)| batch.gave(position, code, receipt)))
    }
}

/// What an operator is told if the database does not answer.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(super) fn gone(setback: Setback) -> OpenFault {
    OpenFault::Database { what: setback.to_string() }
}
