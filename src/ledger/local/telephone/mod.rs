//! Telephone PINs and the mandates that were given with them, in a file of their own next to the ledgers.
//!
//! Whatever is answered is durable, wrong tries too. Mandates stay, as evidence of who was let in; PINs are removed when
//! they have expired, and backups leave them out: a copy must not redeem a PIN twice.

#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{Timestamp, civil::Date};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{files::FileFormat, sqlite_fault::store_error};
use crate::{
    civic::local_time,
    ledger::{
        book::record::day_number,
        fault::{OpenFault, StorageFault},
        mandates::{Acting, Holder},
        telephone::{
            CLERK_MISSES_PER_DAY_MAX, MadePin, PinFault, PinStanding, RedeemFault, Redeeming,
            mandate::{self, Row},
            pin::{Pin, Try, Use},
        },
    },
    registry::mandates::Mandate,
    schemes::Campaign,
    vault::{HouseKeys, Subject},
};

pub(in crate::ledger) const FILE: &str = "telephone.sqlite";
pub(in crate::ledger) const FORMAT: FileFormat = FileFormat {
    application_id: 0x5370_7470,
    version: 1,
    schema: "
        CREATE TABLE mandates (
            reference TEXT PRIMARY KEY, person BLOB NOT NULL, office BLOB NOT NULL, day INTEGER NOT NULL,
            pin BLOB NOT NULL, sealed BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX mandates_of_person ON mandates (person, reference);
        CREATE INDEX mandates_of_office ON mandates (office, reference);
        CREATE TABLE pins (person BLOB PRIMARY KEY, expires_at INTEGER NOT NULL, sealed BLOB NOT NULL)
            STRICT, WITHOUT ROWID;
        CREATE TABLE misses (clerk BLOB PRIMARY KEY, day INTEGER NOT NULL, count INTEGER NOT NULL)
            STRICT, WITHOUT ROWID",
};
const COLUMNS: &str = "SELECT reference, person, office, day, pin, sealed FROM mandates";

/// The telephone PINs and mandates of this machine, for callers that may wait for the disk.
pub(super) struct Telephone {
    keys: Arc<HouseKeys>,
    connection: Mutex<Connection>,
}

impl Telephone {
    /// Opens or creates the file in the ledgers' directory, which must be locked for this process.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(super) fn open(directory: &Path, keys: Arc<HouseKeys>) -> Result<Self, OpenFault> {
        let connection = FORMAT.open(directory, &directory.join(FILE))?;
        Ok(Self { keys, connection: Mutex::new(connection) })
    }

    /// Makes a PIN for a person in place of the one that they have.
    pub(super) fn make(&self, person: Subject, at: Timestamp) -> Result<MadePin, PinFault> {
        let connection = self.connection();
        let before = self.pin(&connection, person)?;
        let (stored, pin) =
            Pin::next(&self.keys, person, at, before.as_ref()).ok_or(PinFault::UsedUp)?;
        // One whose day is over is not needed to count those of the day.
        connection
            .prepare_cached("DELETE FROM pins WHERE expires_at <= ?1")?
            .execute([at.as_second()])?;
        self.store(&connection, person, &stored)?;
        Ok(MadePin { pin, expires_at: stored.expires_at })
    }

    /// The PIN that a person made last, if anybody can still redeem it.
    pub(super) fn standing(
        &self,
        person: Subject,
        at: Timestamp,
    ) -> Result<Option<PinStanding>, StorageFault> {
        let pin = self.pin(&self.connection(), person)?;
        Ok(pin.and_then(|pin| pin.standing(at)))
    }

    /// Revokes a person's PIN, if they have one. Mandates that were given with it stay.
    pub(super) fn revoke_pin(&self, person: Subject) -> Result<(), StorageFault> {
        let connection = self.connection();
        if let Some(pin) = self.pin(&connection, person)?.filter(|pin| pin.used != Use::Revoked) {
            self.store(&connection, person, &pin.after(Use::Revoked))?;
        }
        Ok(())
    }

    /// Revokes the PIN with which a person gave a mandate, so that no other follows it; false if they gave none of this
    /// reference.
    pub(super) fn revoke_pin_of(
        &self,
        person: Subject,
        reference: &str,
    ) -> Result<bool, StorageFault> {
        let connection = self.connection();
        let Some(row) = find(&connection, Holder::Grantor(person), reference)? else {
            return Ok(false);
        };
        if let Some(pin) = self.pin(&connection, person)?.filter(|pin| pin.number == row.pin) {
            self.store(&connection, person, &pin.after(Use::Revoked))?;
        }
        Ok(true)
    }

    /// Redeems a PIN for a mandate of today. The same office gets the same mandate of a campaign again.
    pub(super) fn redeem(&self, redeeming: Redeeming<'_>) -> Result<Mandate, RedeemFault> {
        let Redeeming { office, clerk, person, campaign, at, .. } = redeeming;
        let today = local_time::date_at(at);
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        if misses(&transaction, clerk, today)? >= CLERK_MISSES_PER_DAY_MAX {
            return Err(RedeemFault::UsedUp);
        }
        let fitting = match Try::of(&self.keys, self.pin(&transaction, person)?, &redeeming) {
            Try::Right(pin) => pin,
            Try::Wrong(missed) => {
                if let Some(pin) = missed {
                    self.store(&transaction, person, &pin)?;
                }
                miss(&transaction, clerk, today)?;
                transaction.commit()?;
                return Err(RedeemFault::Refused);
            }
        };
        let new = Row::new(&self.keys, person, (office, campaign), today, fitting.number);
        if let Some(given) = self.given(&transaction, &new, campaign)? {
            return Ok(given);
        }
        insert(&transaction, &new)?;
        self.store(&transaction, person, &fitting.after(Use::By(new.office)))?;
        let mandate = new.open(&self.keys).ok_or(StorageFault::Damaged)?;
        transaction.commit()?;
        Ok(mandate)
    }

    /// The mandates that may cover what a Contact Center wants to do on a day.
    pub(super) fn covering(
        &self,
        acting: Acting<'_>,
        on: Date,
    ) -> Result<Vec<Mandate>, StorageFault> {
        let Acting { office, person, campaign, reference } = acting;
        let connection = self.connection();
        let mut select = connection
            .prepare_cached(&format!("{COLUMNS} WHERE person = ?1 AND office = ?2 AND day = ?3"))?;
        let rows = select.query_map(params![person.0, office.0, day_number(on)], row)?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(mandate::covering(&rows, &self.keys, campaign, reference))
    }

    /// The mandate that a person or a Contact Center knows by a reference.
    pub(super) fn find(
        &self,
        holder: Holder,
        reference: &str,
    ) -> Result<Option<Mandate>, StorageFault> {
        let found = find(&self.connection(), holder, reference)?;
        Ok(found.and_then(|row| row.open(&self.keys)))
    }

    /// Up to `most` mandates of a person or a Contact Center, after a reference or from the first one.
    pub(super) fn list(
        &self,
        holder: Holder,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<Mandate>, StorageFault> {
        let (column, whose) = column_of(holder);
        let connection = self.connection();
        let mut select = connection.prepare_cached(&format!(
            "{COLUMNS} WHERE {column} = ?1 AND reference > ?2 ORDER BY reference LIMIT ?3"
        ))?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = select.query_map(params![whose.0, after.unwrap_or_default(), most], row)?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(rows.iter().filter_map(|row| row.open(&self.keys)).collect())
    }

    /// The mandate that was given before in the same way as `new`.
    fn given(
        &self,
        connection: &Connection,
        new: &Row,
        campaign: Campaign,
    ) -> Result<Option<Mandate>, StorageFault> {
        let mut select = connection.prepare_cached(&format!(
            "{COLUMNS} WHERE person = ?1 AND office = ?2 AND day = ?3 AND pin = ?4"
        ))?;
        let rows = select.query_map(params![new.person.0, new.office.0, new.day, new.pin], row)?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(mandate::covering(&rows, &self.keys, campaign, None).into_iter().next())
    }

    fn pin(&self, connection: &Connection, person: Subject) -> Result<Option<Pin>, StorageFault> {
        let mut select = connection.prepare_cached("SELECT sealed FROM pins WHERE person = ?1")?;
        let sealed = select.query_row([person.0], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        let opened = sealed.map(|sealed| Pin::open(&self.keys, person, &sealed));
        opened.map(|pin| pin.ok_or(StorageFault::Damaged)).transpose()
    }

    fn store(
        &self,
        connection: &Connection,
        person: Subject,
        pin: &Pin,
    ) -> Result<(), StorageFault> {
        connection.prepare_cached("REPLACE INTO pins VALUES (?1, ?2, ?3)")?.execute(params![
            person.0,
            pin.expires_at.as_second(),
            pin.seal(&self.keys, person)
        ])?;
        Ok(())
    }

    /// Held for a whole change, so that changes follow one another.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks every mandate: it opens for its person and is what its row says. Returns their number and what is wrong; no
/// file is no mandate.
///
/// # Errors
/// [`OpenFault`].
pub(in crate::ledger) fn inspect(
    directory: &Path,
    keys: &HouseKeys,
) -> Result<(usize, Vec<String>), OpenFault> {
    let path = directory.join(FILE);
    let Some(connection) = FORMAT.look(&path)? else { return Ok((0, Vec::new())) };
    let store = |source| store_error(&path, source);
    let mut select = connection.prepare(COLUMNS).map_err(store)?;
    let rows = select.query_map([], row).map_err(store)?;
    let (mut count, mut broken) = (0, 0);
    for row in rows {
        count += 1;
        broken += usize::from(row.map_err(store)?.open(keys).is_none());
    }
    let findings = match broken {
        0 => Vec::new(),
        _ => vec![format!("{FILE}: {broken} mandates given by telephone do not open")],
    };
    Ok((count, findings))
}

/// Adds what is missing of the mandates in the attached schema `source`; see [`backup`](crate::ledger::backup). A copy with
/// other mandates is none of this file.
pub(in crate::ledger) fn copy(
    connection: &Connection,
    progress: &mut dyn FnMut(u64),
) -> rusqlite::Result<Option<u64>> {
    let transaction = connection.unchecked_transaction()?;
    let others: bool = transaction.query_row(
        "SELECT EXISTS (SELECT reference FROM main.mandates EXCEPT SELECT reference FROM source.mandates)",
        [],
        |row| row.get(0),
    )?;
    if others {
        return Ok(None);
    }
    let added = "INSERT INTO main.mandates SELECT * FROM source.mandates
        WHERE reference NOT IN (SELECT reference FROM main.mandates)";
    let rows = transaction.execute(added, [])? as u64;
    transaction.commit()?;
    progress(rows);
    Ok(Some(rows))
}

fn column_of(holder: Holder) -> (&'static str, Subject) {
    match holder {
        Holder::Grantor(person) => ("person", person),
        Holder::Office(office) => ("office", office),
    }
}

fn find(
    connection: &Connection,
    holder: Holder,
    reference: &str,
) -> Result<Option<Row>, StorageFault> {
    let (column, whose) = column_of(holder);
    let mut select =
        connection.prepare_cached(&format!("{COLUMNS} WHERE {column} = ?1 AND reference = ?2"))?;
    Ok(select.query_row(params![whose.0, reference], row).optional()?)
}

fn insert(connection: &Connection, row: &Row) -> Result<(), StorageFault> {
    let Row { reference, person, office, day, pin, sealed } = row;
    connection
        .prepare_cached("INSERT INTO mandates VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![reference, person.0, office.0, day, pin, sealed])?;
    Ok(())
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        reference: row.get(0)?,
        person: row.get(1).map(Subject)?,
        office: row.get(2).map(Subject)?,
        day: row.get(3)?,
        pin: row.get(4)?,
        sealed: row.get(5)?,
    })
}

/// How many PINs a clerk has tried in vain on a day.
fn misses(connection: &Connection, clerk: Subject, on: Date) -> Result<u32, StorageFault> {
    let mut select =
        connection.prepare_cached("SELECT count FROM misses WHERE clerk = ?1 AND day = ?2")?;
    let count = select.query_row(params![clerk.0, day_number(on)], |row| row.get(0)).optional()?;
    Ok(count.unwrap_or_default())
}

/// Counts one more, and forgets those of earlier days.
fn miss(connection: &Connection, clerk: Subject, on: Date) -> Result<(), StorageFault> {
    let day = day_number(on);
    connection.prepare_cached("DELETE FROM misses WHERE day < ?1")?.execute([day])?;
    let added =
        "INSERT INTO misses VALUES (?1, ?2, 1) ON CONFLICT (clerk) DO UPDATE SET count = count + 1";
    connection.prepare_cached(added)?.execute(params![clerk.0, day])?;
    Ok(())
}
