//! The messages of identity providers in the database: rows, hashes and signatures as in the files, a chain for each node.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio_postgres::{Row, types::ToSql};

use super::{
    super::{
        audit::{
            Attempt, End, FoundMessages, MESSAGES_MONTHS_KEPT, MessageRow, MessageStore,
            MessageWriter, SearchFault, WriterState,
        },
        fault::{OpenFault, StorageFault},
    },
    chain::{Chain, Place, Rows, Table},
    fault::Setback,
    house::{House, HouseLink},
    months::Monthly,
    whole::{self, Chains},
};
use crate::{
    civic::FiscalCode,
    clock::Clock,
    vault::{HouseKeys, Subject},
};

const ADD: &str = "WITH added AS (\
    INSERT INTO messages (month, node, number, written_at, handle, owner, sealed, root, signature) \
    SELECT $1, $2, number, written_at, handle, owner, sealed, root, signature \
    FROM unnest($6::bigint[], $7::bigint[], $8::text[], $9::bytea[], $10::bytea[], $11::bytea[], $12::text[]) \
    AS t(number, written_at, handle, owner, sealed, root, signature) \
    WHERE EXISTS (SELECT FROM message_nodes WHERE node = $2 AND root IN ($3, $5)) ON CONFLICT DO NOTHING) \
    UPDATE message_nodes SET month = $1, number = $4, root = $5, writes = writes + 1 \
    WHERE node = $2 AND root IN ($3, $5) RETURNING node";
const OF_PERSON: &str = "SELECT number, written_at, handle, owner, sealed, root, signature, month FROM messages \
    WHERE owner = $1 AND number > 0 ORDER BY written_at, month, node, number";
const OF_SESSION: &str = "SELECT number, written_at, handle, owner, sealed, root, signature, month FROM messages \
    WHERE handle = $1 AND number > 0 ORDER BY written_at, month, node, number";
pub(super) const CHAINS: Chains = Chains {
    what: "messages",
    parts: "SELECT DISTINCT node, month FROM messages ORDER BY 1, 2",
    page: "SELECT number, written_at, handle, owner, sealed, root, signature FROM messages \
        WHERE month = $1 AND node = $2 AND number >= $3 ORDER BY number LIMIT $4",
    missing: "SELECT month, node, number FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bytea[]) \
        AS named(month, node, number, root) WHERE NOT EXISTS (SELECT FROM messages m \
        WHERE m.month = named.month COLLATE \"C\" AND m.node = named.node AND m.number = named.number \
        AND m.root = named.root)",
};

/// The table of the messages.
pub(super) const MONTHLY: Monthly = Monthly { rows: "messages", nodes: "message_nodes" };

/// Opens the store of this node, and removes months that are too old.
///
/// # Errors
/// [`OpenFault`].
pub fn open(house: House, keys: Arc<HouseKeys>, clock: Clock) -> Result<MessageStore, OpenFault> {
    let state = Arc::new(WriterState::default());
    let wait_max: Duration = house.wait_max();
    let table = Table {
        what: "messages of providers",
        monthly: MONTHLY,
        register: "INSERT INTO message_nodes (month, number, root) VALUES ($1, -1, $2) RETURNING node",
        latest: "SELECT m.root, m.signature FROM message_nodes n JOIN messages m USING (month, node, number) \
            ORDER BY n.node DESC LIMIT 1",
        months_kept: MESSAGES_MONTHS_KEPT,
    };
    let own = Arc::clone(&state);
    let is_ours = |root: &[u8; 32], signature: &str| keys.has_signed(root, signature);
    let chain = Chain::open(house, table, own, clock.now(), is_ours)?;
    let writer = Writer { keys: Arc::clone(&keys), clock: clock.clone(), chain };
    MessageStore::over(writer, (keys, clock), state, Some(wait_max))
        .map_err(|fault| OpenFault::Database { what: fault.to_string() })
}

struct Writer {
    keys: Arc<HouseKeys>,
    clock: Clock,
    chain: Chain,
}

impl MessageWriter for Writer {
    fn write(&mut self, attempts: &[Attempt]) -> Result<(), OpenFault> {
        let Some(now) = attempts.iter().map(|attempt| attempt.at).max() else { return Ok(()) };
        let mut rows = Vec::with_capacity(1 + attempts.len());
        let is_first = self.chain.turn_to(now)?;
        let previous = self.chain.end.root;
        if is_first {
            rows.push(MessageRow::first(now, previous, &self.keys));
            self.chain.end = End { number: 0, root: previous };
        }
        rows.extend(attempts.iter().map(|attempt| attempt.row(&mut self.chain.end, &self.keys)));
        self.chain.add(MessageRows(rows), previous)
    }

    fn retire(&mut self) -> Result<(), OpenFault> {
        self.chain.retire(self.clock.now());
        Ok(())
    }
}

struct MessageRows(Vec<MessageRow>);

impl Rows for MessageRows {
    fn add<'l>(
        &'l self,
        place: &'l Place,
        link: &'l HouseLink,
    ) -> BoxFuture<'l, Result<Vec<Row>, Setback>> {
        Box::pin(async move {
            let rows = &self.0;
            let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
            let written_at: Vec<i64> = rows.iter().map(|row| row.written_at).collect();
            let handles: Vec<&str> = rows.iter().map(|row| row.handle.as_str()).collect();
            let owners: Vec<&[u8]> = rows.iter().map(|row| row.owner.0.as_slice()).collect();
            let sealed: Vec<&[u8]> = rows.iter().map(|row| row.sealed.as_slice()).collect();
            let roots: Vec<&[u8]> = rows.iter().map(|row| row.root.as_slice()).collect();
            let signatures: Vec<&str> = rows.iter().map(|row| row.signature.as_str()).collect();
            let (month, previous) = (place.month.as_str(), place.previous.as_slice());
            let end = place.end.root.as_slice();
            let parameters: [&(dyn ToSql + Sync); 12] = [
                &month,
                &place.node,
                &previous,
                &place.end.number,
                &end,
                &numbers,
                &written_at,
                &handles,
                &owners,
                &sealed,
                &roots,
                &signatures,
            ];
            link.durably(ADD, &parameters).await
        })
    }
}

/// Reads number, time, handle, owner, content, root and signature of a row.
///
/// # Errors
/// [`Setback`].
pub(super) fn read(row: &Row) -> Result<MessageRow, Setback> {
    let (owner, root): (&[u8], &[u8]) = (row.try_get(3)?, row.try_get(5)?);
    Ok(MessageRow {
        number: row.try_get(0)?,
        written_at: row.try_get(1)?,
        handle: row.try_get(2)?,
        owner: Subject(owner.try_into().map_err(|_| StorageFault::Damaged)?),
        sealed: row.try_get(4)?,
        root: root.try_into().map_err(|_| StorageFault::Damaged)?,
        signature: row.try_get(6)?,
    })
}

/// The messages that name a person, oldest first. Waits for the database.
///
/// # Errors
/// [`SearchFault`].
pub(super) fn of_person(
    house: &House,
    keys: &HouseKeys,
    code: &FiscalCode,
) -> Result<Vec<FoundMessages>, SearchFault> {
    let owner = keys.subject(code).0.to_vec();
    select(house, keys, OF_PERSON, owner)
}

/// The messages of the sign-in from which the session with this handle came. Waits for the database.
///
/// # Errors
/// [`SearchFault`].
pub(super) fn of_session(
    house: &House,
    keys: &HouseKeys,
    handle: &str,
) -> Result<Vec<FoundMessages>, SearchFault> {
    select(house, keys, OF_SESSION, handle.to_owned())
}

fn select(
    house: &House,
    keys: &HouseKeys,
    sql: &'static str,
    wanted: impl ToSql + Sync + Send + 'static,
) -> Result<Vec<FoundMessages>, SearchFault> {
    let rows = house.wait_for(move |link| {
        Box::pin(async move {
            let rows = link.rows(sql, &[&wanted]).await?;
            let read = |row: &Row| Ok((row.try_get(7)?, read(row)?));
            rows.iter().map(read).collect::<Result<Vec<(String, MessageRow)>, Setback>>()
        })
    });
    let opened = rows.map_err(StorageFault::from)?.into_iter().map(|(month, row)| {
        let damaged = SearchFault::Damaged { month, row: row.number };
        row.opened(keys).ok_or(damaged)
    });
    opened.collect()
}

/// Walks along the chains of all nodes: what is wrong, and the first month of which there are rows.
///
/// # Errors
/// [`SearchFault`].
pub(super) fn walk(
    house: &House,
    keys: &HouseKeys,
) -> Result<(Vec<String>, Option<String>), SearchFault> {
    whole::walk((house, keys), &CHAINS, read, |_| None)
}
