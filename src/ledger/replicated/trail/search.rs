//! Searching the rows of all nodes and the ledgers of the campaigns together.

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;
use tokio_postgres::{Row, types::ToSql};

use super::{
    super::{
        super::{
            audit::{
                ActorNames, Event, Found, Line, Month, Person, SearchFault, add_names, heads,
                name_of,
            },
            book::{change::Change, record::Header},
            fault::StorageFault,
            position::Position,
        },
        fault::Setback,
        house::{House, HouseLink},
        pool::Prepared as _,
        schema::schema_of,
    },
    rows::{name_part, part},
};
use crate::{
    civic::FiscalCode,
    schemes::Campaign,
    vault::{HouseKeys, Subject},
};

/// Rows read at a time. Each holds the events of one commit.
const ROWS_AT_A_TIME: usize = 256;
const OF_PERSON: &str =
    "SELECT month, node, number FROM trail WHERE people @> ARRAY[$1::bigint] ORDER BY 1, 2, 3";
/// The first row that names each of some people.
const OF_NAMES: &str = "SELECT DISTINCT ON (wanted.part) t.month, t.node, t.number \
    FROM unnest($1::bigint[]) AS wanted(part) JOIN trail t ON t.named @> ARRAY[wanted.part] \
    ORDER BY wanted.part, t.month, t.node, t.number";
/// Rows by their keys.
const ROWS: &str = "SELECT t.month, t.number, t.events, t.actors \
    FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS wanted(month, node, number) \
    JOIN trail t ON t.month = wanted.month COLLATE \"C\" AND t.node = wanted.node AND t.number = wanted.number \
    ORDER BY t.month, t.node, t.number";
const CONTROLS: &str = "SELECT written_at, control FROM trail WHERE control <> '' ORDER BY written_at, month, node, number";

/// A search; servers may be running.
pub(in crate::ledger::replicated) struct Search {
    house: House,
    keys: Arc<HouseKeys>,
    person: Person,
}

/// Months, nodes and numbers of rows.
#[derive(Default)]
struct Keys {
    months: Vec<String>,
    nodes: Vec<i32>,
    numbers: Vec<i64>,
}

/// What is read of a row.
struct Read {
    month: Month,
    number: i64,
    events: Vec<u8>,
    actors: Vec<u8>,
}

/// What a ledger holds of a person.
#[derive(Default)]
struct InLedger {
    /// Positions, sealed records, and when they were received.
    records: Vec<(Position, Vec<u8>, i64)>,
    /// Changes of batches that may concern them, and when they were written.
    changes: Vec<(i64, Vec<u8>)>,
}

impl Search {
    /// A search for the person with `code`.
    pub(in crate::ledger::replicated) fn of(
        house: House,
        keys: Arc<HouseKeys>,
        code: &FiscalCode,
    ) -> Self {
        let person = Person { subject: keys.subject(code), code: *code };
        Self { house, keys, person }
    }

    /// What was done to the person's data, oldest first, from the trail and from the ledgers of `campaigns`. Waits for the
    /// database.
    ///
    /// # Errors
    /// [`SearchFault`].
    pub(in crate::ledger::replicated) fn done_to(
        &self,
        campaigns: impl Iterator<Item = Campaign>,
    ) -> Result<Vec<Line>, SearchFault> {
        let mut found = self.events(|event| event.subject == self.person.subject)?;
        for campaign in campaigns {
            self.ledger(campaign, &mut found)?;
        }
        self.resolve(found)
    }

    /// What the person did to their own data and to others', according to the trail, oldest first. Waits for the database.
    ///
    /// # Errors
    /// [`SearchFault`].
    pub(in crate::ledger::replicated) fn done_by(&self) -> Result<Vec<Line>, SearchFault> {
        let found = self.events(|event| event.actor == self.person.subject)?;
        self.resolve(found)
    }

    fn events(&self, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Found>, SearchFault> {
        let part = part(self.person.subject);
        let keys = self.house.wait_for(move |link| {
            Box::pin(async move { Keys::read(&link.rows(OF_PERSON, &[&part]).await?) })
        });
        let mut found = Vec::new();
        self.each_row(keys.map_err(StorageFault::from)?, |row| {
            let events = Event::decode_all(&row.events)?;
            found.extend(events.iter().filter(|event| wanted(event)).map(Found::of));
            Some(())
        })?;
        Ok(found)
    }

    /// What a ledger holds of the person.
    fn ledger(&self, campaign: Campaign, found: &mut Vec<Found>) -> Result<(), SearchFault> {
        let claim = self.keys.claim(self.person.subject, campaign);
        let in_ledger = self.house.wait_for(move |link| {
            Box::pin(async move { InLedger::read(link, campaign, &claim.0).await })
        });
        let InLedger { records, changes } = in_ledger.map_err(StorageFault::from)?;
        let at = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
        let mut theirs = HashSet::new();
        for (position, sealed, received_at) in records {
            theirs.insert(position);
            // A record that was erased or is damaged no longer says who submitted it.
            let by = Header::decode(&sealed).ok().map(|header| (header.actor, header.principal));
            let (what, object) = ("application-received".to_owned(), Some((campaign, position)));
            found.push(Found { at: at(received_at), what, object, by });
        }
        for (written_at, changes) in changes {
            let changes = Change::decode_all(&changes).ok_or(StorageFault::Damaged)?;
            let theirs = changes.into_iter().filter(|(position, _)| theirs.contains(position));
            found.extend(theirs.map(|(position, change)| Found {
                at: at(written_at),
                what: name_of(change),
                object: Some((campaign, position)),
                by: None,
            }));
        }
        Ok(())
    }

    /// Resolves the hashes to names, and sorts.
    fn resolve(&self, found: Vec<Found>) -> Result<Vec<Line>, SearchFault> {
        let names = self.names(&self.person.others(&found))?;
        Ok(self.person.lines(&self.keys, found, &names))
    }

    fn names(&self, wanted: &HashSet<(Subject, Subject)>) -> Result<ActorNames, SearchFault> {
        let mut names = ActorNames::new();
        if wanted.is_empty() {
            return Ok(names);
        }
        let parts: Vec<i64> =
            wanted.iter().map(|(person, principal)| name_part(*person, *principal)).collect();
        let keys = self.house.wait_for(move |link| {
            Box::pin(async move { Keys::read(&link.rows(OF_NAMES, &[&parts]).await?) })
        });
        self.each_row(keys.map_err(StorageFault::from)?, |row| {
            add_names(&self.keys, &row.actors, wanted, &mut names)
        })?;
        Ok(names)
    }

    /// Looks at rows; `look` returns `None` if one is damaged.
    fn each_row(
        &self,
        keys: Keys,
        mut look: impl FnMut(&Read) -> Option<()>,
    ) -> Result<(), SearchFault> {
        for some in keys.chunks() {
            let rows = self.house.wait_for(move |link| {
                Box::pin(async move {
                    let Keys { months, nodes, numbers } = &some;
                    let rows = link.rows(ROWS, &[months, nodes, numbers]).await?;
                    rows.iter().map(Read::of).collect::<Result<Vec<_>, _>>()
                })
            });
            for row in rows.map_err(StorageFault::from)? {
                let month = row.month.to_string();
                look(&row).ok_or(SearchFault::Damaged { month, row: row.number })?;
            }
        }
        Ok(())
    }
}

impl Keys {
    fn read(rows: &[Row]) -> Result<Self, Setback> {
        let mut keys = Self::default();
        for row in rows {
            keys.months.push(row.try_get(0)?);
            keys.nodes.push(row.try_get(1)?);
            keys.numbers.push(row.try_get(2)?);
        }
        Ok(keys)
    }

    fn chunks(mut self) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let rest = self.months.len().min(ROWS_AT_A_TIME);
            (rest > 0).then(|| Self {
                months: self.months.drain(..rest).collect(),
                nodes: self.nodes.drain(..rest).collect(),
                numbers: self.numbers.drain(..rest).collect(),
            })
        })
    }
}

impl Read {
    fn of(row: &Row) -> Result<Self, Setback> {
        let month: &str = row.try_get(0)?;
        Ok(Self {
            month: Month::named(month),
            number: row.try_get(1)?,
            events: row.try_get(2)?,
            actors: row.try_get(3)?,
        })
    }
}

impl InLedger {
    async fn read(link: &HouseLink, campaign: Campaign, claim: &[u8]) -> Result<Self, Setback> {
        // Its name is made of a scheme and a year.
        let schema = schema_of(campaign);
        let records = format!("{schema}.records");
        let there = link.rows("SELECT to_regclass($1) IS NOT NULL", &[&records]).await?;
        if !there.first().is_some_and(|row| row.get(0)) {
            return Ok(Self::default());
        }
        let records = format!(
            "SELECT r.position, r.sealed, (SELECT b.written_at FROM {schema}.batches b \
             WHERE b.first <= r.position ORDER BY b.first DESC LIMIT 1) \
             FROM {schema}.records r WHERE r.claim = $1 ORDER BY r.nth"
        );
        let mut found = Self::default();
        let mut encoded = Vec::new();
        for row in link.link().query(&records, &[&claim]).await? {
            let position: i64 = row.try_get(0)?;
            let position = u32::try_from(position).map_err(|_| StorageFault::Damaged)?;
            let written_at: Option<i64> = row.try_get(2)?;
            encoded.push(position.to_be_bytes().to_vec());
            let record = (Position(position), row.try_get(1)?, written_at.unwrap_or_default());
            found.records.push(record);
        }
        if encoded.is_empty() {
            return Ok(found);
        }
        // Which batch changed an application is in no index. What is found at an odd place is sorted out by the reader.
        let changes = format!(
            "SELECT written_at, changes FROM {schema}.batches WHERE changes <> '' AND \
             EXISTS (SELECT FROM unnest($1::bytea[]) AS theirs(bytes) WHERE position(theirs.bytes IN changes) > 0) \
             ORDER BY written_at, node, number"
        );
        let parameters: [&(dyn ToSql + Sync); 1] = [&encoded];
        for row in link.link().query(&changes, &parameters).await? {
            found.changes.push((row.try_get(0)?, row.try_get(1)?));
        }
        Ok(found)
    }
}

/// Every control action of every node and of commands, oldest first. Waits for the database.
///
/// # Errors
/// [`SearchFault`].
pub(in crate::ledger::replicated) fn controls(
    house: &House,
) -> Result<Vec<(Timestamp, String)>, SearchFault> {
    let read = house.wait_for(|link| {
        Box::pin(async move {
            let read = |row: &Row| Ok::<(i64, String), Setback>((row.try_get(0)?, row.try_get(1)?));
            link.rows(CONTROLS, &[]).await?.iter().map(read).collect::<Result<Vec<_>, _>>()
        })
    });
    let actions = read.map_err(StorageFault::from)?.into_iter();
    // The ends of chains are for the verification alone.
    let actions = actions.filter(|(_, what)| heads::parse(what).is_none());
    let at = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
    Ok(actions.map(|(seconds, what)| (at(seconds), what)).collect())
}
