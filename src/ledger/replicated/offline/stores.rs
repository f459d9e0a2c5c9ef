//! Checking what belongs to no campaign, row by row; servers may be running.

use tokio_postgres::Row;

use super::{
    super::{fault::Setback, link::Link, schema::HOUSE},
    rows::{Rows, snapshot},
};
use crate::{
    ledger::{mandates::revocation::Revocation, telephone::mandate, verify::Finding},
    vault::{HouseKeys, MandateKey, Subject},
};

/// Rows in memory at a time.
const ROWS_MAX: i32 = 1024;

/// Checks every revocation: it opens for its person and is of the mandate that its key names. Returns their number and what
/// is wrong; no table is no revocation.
///
/// # Errors
/// [`Setback`].
pub(super) async fn revocations(
    link: &mut Link,
    keys: &HouseKeys,
) -> Result<(usize, Vec<Finding>), Setback> {
    const ALL: &str = "SELECT key, person, sealed FROM sportello.revocations";
    count(link, "revocations", ALL, "revocations of mandates", |row| {
        let (key, person): (&[u8], &[u8]) = (row.try_get(0)?, row.try_get(1)?);
        let (Ok(key), Ok(person)) = (key.try_into(), person.try_into()) else { return Ok(false) };
        let (key, person) = (MandateKey(key), Subject(person));
        Ok(Revocation { key, person, sealed: row.try_get(2)? }.opened(keys).is_some())
    })
    .await
}

/// Checks every mandate that was given by telephone: it opens for its person and is what its row says. Returns their number
/// and what is wrong; no table is no mandate.
///
/// # Errors
/// [`Setback`].
pub(super) async fn telephone_mandates(
    link: &mut Link,
    keys: &HouseKeys,
) -> Result<(usize, Vec<Finding>), Setback> {
    const ALL: &str =
        "SELECT reference, person, office, day, pin, sealed FROM sportello.telephone_mandates";
    count(link, "telephone_mandates", ALL, "mandates given by telephone", |row| {
        let (person, office): (&[u8], &[u8]) = (row.try_get(1)?, row.try_get(2)?);
        let pin: &[u8] = row.try_get(4)?;
        let (Ok(person), Ok(office), Ok(pin)) =
            (person.try_into(), office.try_into(), pin.try_into())
        else {
            return Ok(false);
        };
        let row = mandate::Row {
            reference: row.try_get(0)?,
            person: Subject(person),
            office: Subject(office),
            day: row.try_get(3)?,
            pin,
            sealed: row.try_get(5)?,
        };
        Ok(row.open(keys).is_some())
    })
    .await
}

async fn count(
    link: &mut Link,
    table: &str,
    all: &str,
    what: &str,
    opens: impl Fn(&Row) -> Result<bool, Setback>,
) -> Result<(usize, Vec<Finding>), Setback> {
    let name = format!("{HOUSE}.{table}");
    let is_there = link.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).await?;
    let (mut count, mut broken) = (0, 0_usize);
    if is_there.try_get(0)? {
        let snapshot = snapshot(link).await?;
        let mut rows = Rows::of(&snapshot, all, ROWS_MAX).await?;
        while let Some(row) = rows.next(&snapshot).await? {
            count += 1;
            broken += usize::from(!opens(&row)?);
        }
    }
    let findings = match broken {
        0 => Vec::new(),
        _ => vec![format!("{table}: {broken} {what} do not open")],
    };
    Ok((count, findings))
}
