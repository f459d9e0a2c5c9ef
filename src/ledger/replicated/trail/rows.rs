//! Rows of the trail as the columns of one statement, and the parts of keyed hashes by which they are found.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use tokio_postgres::Row;

use super::super::{
    super::{
        audit::{Event, StoredActor, TrailRow},
        fault::StorageFault,
    },
    chain::{Place, Rows},
    fault::Setback,
    house::HouseLink,
};
use crate::vault::Subject;

/// Adds rows, and moves the end of the chain. A second execution changes nothing but the counter of the node.
pub(super) const ADD: &str = "WITH added AS (\
    INSERT INTO trail (month, node, number, written_at, events, actors, control, root, signature, people, named) \
    SELECT $1, $2, number, written_at, events, actors, control, root, signature, \
    CASE WHEN events = '' THEN '{}' ELSE $13::bigint[] END, CASE WHEN actors = '' THEN '{}' ELSE $14::bigint[] END \
    FROM unnest($6::bigint[], $7::bigint[], $8::bytea[], $9::bytea[], $10::text[], $11::bytea[], $12::text[]) \
    AS t(number, written_at, events, actors, control, root, signature) \
    WHERE EXISTS (SELECT FROM trail_nodes WHERE node = $2 AND root IN ($3, $5)) ON CONFLICT DO NOTHING) \
    UPDATE trail_nodes SET month = $1, number = $4, root = $5, writes = writes + 1 \
    WHERE node = $2 AND root IN ($3, $5) RETURNING node";
/// Some rows, a list a column. At most one of them holds events.
#[derive(Default)]
pub(super) struct TrailColumns {
    numbers: Vec<i64>,
    written_at: Vec<i64>,
    events: Vec<Vec<u8>>,
    actors: Vec<Vec<u8>>,
    controls: Vec<String>,
    roots: Vec<Vec<u8>>,
    signatures: Vec<String>,
    found_by: FoundBy,
}

/// By what a row is found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::ledger::replicated) struct FoundBy {
    pub(in crate::ledger::replicated) people: Vec<i64>,
    pub(in crate::ledger::replicated) named: Vec<i64>,
}

impl FoundBy {
    /// Those of a row; `None` if the row is damaged.
    pub(in crate::ledger::replicated) fn of(row: &TrailRow) -> Option<Self> {
        let mut people = BTreeSet::new();
        for event in Event::decode_all(&row.events)? {
            people.extend([part(event.subject), part(event.actor)]);
        }
        let actors = StoredActor::decode_all(&row.actors)?;
        let named: BTreeSet<_> =
            actors.iter().map(|actor| name_part(actor.person, actor.principal)).collect();
        Some(Self { people: people.into_iter().collect(), named: named.into_iter().collect() })
    }
}

/// The part of a keyed hash by which the rows of a person are found.
pub(super) fn part(Subject(person): Subject) -> i64 {
    person.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// What finds the name of a person who acted for somebody.
pub(super) fn name_part(person: Subject, Subject(principal): Subject) -> i64 {
    let principal = principal.last_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes));
    part(person) ^ principal
}

impl TrailColumns {
    pub(super) fn of(rows: Vec<TrailRow>) -> Self {
        let mut columns = Self::default();
        for row in rows {
            if !row.events.is_empty() {
                columns.found_by = FoundBy::of(&row).unwrap_or_default();
            }
            let TrailRow { number, written_at, events, actors, control, root, signature } = row;
            columns.numbers.push(number);
            columns.written_at.push(written_at);
            columns.events.push(events);
            columns.actors.push(actors);
            columns.controls.push(control);
            columns.roots.push(root.to_vec());
            columns.signatures.push(signature);
        }
        columns
    }

    /// As the parameters of [`ADD`], given to `execute`.
    pub(super) async fn execute(
        &self,
        place: &Place,
        link: &HouseLink,
        is_transaction: bool,
    ) -> Result<Vec<Row>, Setback> {
        let FoundBy { people, named } = &self.found_by;
        let (month, previous) = (place.month.as_str(), place.previous.as_slice());
        let end = place.end.root.as_slice();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 14] = [
            &month,
            &place.node,
            &previous,
            &place.end.number,
            &end,
            &self.numbers,
            &self.written_at,
            &self.events,
            &self.actors,
            &self.controls,
            &self.roots,
            &self.signatures,
            people,
            named,
        ];
        if is_transaction {
            link.rows(ADD, &parameters).await
        } else {
            link.durably(ADD, &parameters).await
        }
    }
}

impl Rows for TrailColumns {
    fn add<'l>(
        &'l self,
        place: &'l Place,
        link: &'l HouseLink,
    ) -> BoxFuture<'l, Result<Vec<Row>, Setback>> {
        Box::pin(self.execute(place, link, false))
    }
}

/// Reads number, time, events, actors, control action, root and signature of a row.
///
/// # Errors
/// [`Setback`].
pub(in crate::ledger::replicated) fn read_row(row: &Row) -> Result<TrailRow, Setback> {
    let root: &[u8] = row.try_get(5)?;
    Ok(TrailRow {
        number: row.try_get(0)?,
        written_at: row.try_get(1)?,
        events: row.try_get(2)?,
        actors: row.try_get(3)?,
        control: row.try_get(4)?,
        root: root.try_into().map_err(|_| StorageFault::Damaged)?,
        signature: row.try_get(6)?,
    })
}

/// Reads the same, and both lists of a row.
///
/// # Errors
/// [`Setback`].
pub(super) fn read(row: &Row) -> Result<(TrailRow, FoundBy), Setback> {
    Ok((read_row(row)?, FoundBy { people: row.try_get(7)?, named: row.try_get(8)? }))
}
