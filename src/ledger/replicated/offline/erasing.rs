//! Erasing an application while servers write: a batch like others, of a node of its own.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::sleep;

use super::{
    super::{
        address::Address,
        campaign::{Block, Tried, Writer, WritingLink, is_ours, register},
        fault::Setback,
        link::Link,
        schema::{HOUSE, schema_of},
    },
    alone::take_database,
};
use crate::{
    ledger::{book::batch::Batch, erasure::Erased, position::Position, receipt::ReceiptCode},
    schemes::Campaign,
    vault::HouseKeys,
};

/// Times that the batch is tried: other nodes may be first, and the database may be away for a moment.
const TRIES_MAX: u32 = 8;
/// Pause between two of them.
const PAUSE: Duration = Duration::from_secs(1);

/// Erases an application that a campaign's ledger may hold.
///
/// # Errors
/// [`Setback`]. Whether it was erased may be unknown: do it again.
pub(super) async fn erase(
    address: &Address,
    keys: Arc<HouseKeys>,
    (code, position): (ReceiptCode, Position),
    now: Timestamp,
) -> Result<Option<Erased>, Setback> {
    let campaign = code.campaign();
    let link = Link::open(address, Some(&schema_of(campaign))).await?;
    if !is_ours(&link, &keys).await? {
        return Err(Setback::Away(format!(
            "{campaign} was written with another key: restore the ledger.key that belongs to it"
        )));
    }
    let held = "SELECT FROM records WHERE position = $1";
    if link.query_opt(held, &[&i64::from(position.0)]).await?.is_none() {
        return Ok(None);
    }
    let node = register(address, campaign).await?;
    // It adds no case, so nothing is leased.
    let writer = Writer { campaign, keys, node, lease_ms: 0.0 };
    let batch = Batch { erasures: vec![position], at: now, ..Batch::default() };
    let (mut tried, mut count) = (None, 0);
    let is_erased = loop {
        count += 1;
        match attempt(address, &writer, &batch, &mut tried).await {
            Ok(is_erased) => break is_erased,
            Err(Setback::Raced | Setback::Away(_)) if count < TRIES_MAX => sleep(PAUSE).await,
            Err(setback) => return Err(setback),
        }
    };
    if !is_erased {
        let why =
            "it was erased before, or it is undecided; withdraw an undecided application first";
        return Ok(Some(Erased::Not(format!("{code}: {why}"))));
    }
    // Removes old versions of its rows from the tables, except for those that a running export still reads. Nobody waits.
    Ok(Some(Erased::Done(match link.batch_execute("VACUUM records, changes, filings").await {
        Ok(()) => code.to_string(),
        Err(fault) => format!(
            "{code} (its old rows stay in the tables until the next VACUUM: {})",
            Setback::from(fault)
        ),
    })))
}

async fn attempt<'b>(
    address: &Address,
    writer: &Writer,
    batch: &'b Batch,
    tried: &mut Option<Tried<'b>>,
) -> Result<bool, Setback> {
    let link = WritingLink::open(address, writer).await?;
    let done = writer.write(&link, batch, &mut Block::default(), 0, tried).await?;
    Ok(done.written.erasures.first().is_some_and(Option::is_some))
}

/// Removes every draft while no server works with the database, and returns their number.
///
/// # Errors
/// [`Setback`]. Whether they were removed may be unknown: do it again.
pub(super) async fn erase_drafts(link: &Link) -> Result<u64, Setback> {
    take_database(link).await?;
    let remove = format!("DELETE FROM {HOUSE}.drafts");
    let removed = link.durably(link.execute(&remove, &[])).await?;
    // Their old versions are removed from the table, too; nobody waits.
    link.batch_execute(&format!("VACUUM {HOUSE}.drafts")).await?;
    Ok(removed)
}

/// Removes a campaign while no server works with the database.
///
/// # Errors
/// [`Setback`]. Whether it was removed may be unknown: do it again.
pub(super) async fn erase_campaign(link: &Link, campaign: Campaign) -> Result<(), Setback> {
    take_database(link).await?;
    let drop = format!("DROP SCHEMA {} CASCADE", schema_of(campaign));
    link.durably(link.batch_execute(&drop)).await
}
