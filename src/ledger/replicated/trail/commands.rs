//! What commands do is recorded in a chain of its own, which all machines share.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::{
    super::{
        super::{
            audit::{End, Month, TrailRow, heads::NODE_OF_COMMANDS},
            fault::{OpenFault, StorageFault},
        },
        chain::Place,
        fault::Setback,
        house::{House, HouseLink},
    },
    rows::TrailColumns,
    without_nul,
};
use crate::vault::HouseKeys;

const END: &str = "SELECT number, root FROM trail_nodes WHERE node = $1 FOR UPDATE";

/// Records what an operator's command did; servers may be running.
///
/// # Errors
/// [`OpenFault::Database`]: it may be recorded nevertheless.
pub(in crate::ledger::replicated) fn note_command(
    house: &House,
    keys: Arc<HouseKeys>,
    now: Timestamp,
    what: &str,
) -> Result<(), OpenFault> {
    let row = TrailRow { control: without_nul(what), ..TrailRow::at(now) };
    let noted = house.wait_for(move |link| Box::pin(note(link, keys, now, row)));
    noted.map_err(|setback| OpenFault::Database { what: setback.to_string() })
}

async fn note(
    link: &HouseLink,
    keys: Arc<HouseKeys>,
    now: Timestamp,
    row: TrailRow,
) -> Result<(), Setback> {
    link.begin().await?;
    let parameters: [&(dyn ToSql + Sync); 1] = [&NODE_OF_COMMANDS];
    let found = link.rows(END, &parameters).await?;
    let found = found.first().ok_or(StorageFault::Damaged)?;
    let root: &[u8] = found.try_get(1)?;
    let root = root.try_into().map_err(|_| StorageFault::Damaged)?;
    let mut end = End { number: found.try_get(0)?, root };
    let mut rows = Vec::new();
    if end.number < 0 {
        rows.push(TrailRow::first(now, root, &keys));
        end.number = 0;
    }
    rows.push(row.chained(&mut end, &keys));
    let place = Place { node: NODE_OF_COMMANDS, month: Month::of_commands(), previous: root, end };
    if TrailColumns::of(rows).execute(&place, link, true).await?.len() != 1 {
        return Err(StorageFault::Damaged.into());
    }
    link.commit().await
}
