//! Telephone PINs and the mandates that were given with them, in the database.
//!
//! Whatever is answered is durable on a majority, wrong tries too. A try takes the turn of the clerk and that of the
//! person, so that tries on all nodes count together and a PIN is redeemed by one office.
//!
//! What is over is removed by what follows it, a bounded number at a time: expired PINs when somebody makes one, the
//! wrong tries of earlier days at the next one. Mandates stay.

use jiff::{Timestamp, civil::Date};
use tokio_postgres::Row as PgRow;

use super::{
    super::{fault::Setback, house::HouseLink},
    columns::{bytes_of, subject_of},
    turns,
};
pub(super) use crate::ledger::telephone::mandate::covering;
use crate::{
    civic::local_time,
    ledger::{
        book::record::day_number,
        fault::StorageFault,
        mandates::Holder,
        telephone::{
            CLERK_MISSES_PER_DAY_MAX, MadePin, RedeemFault, Redeeming,
            mandate::Row,
            pin::{Pin, Try, Use},
        },
    },
    registry::mandates::Mandate,
    vault::{HouseKeys, Subject},
};

/// Rows of what is over that one change removes: more than it adds, and never long work.
const OVER_MAX: i64 = 100;

/// The columns of a mandate, as [`mandate`] reads them.
macro_rules! mandates {
    ($of:literal) => {
        concat!(
            "SELECT reference, person, office, day, pin, sealed FROM telephone_mandates WHERE ",
            $of
        )
    };
}
const ON: &str = mandates!("person = $1 AND office = $2 AND day = $3");
const GIVEN: &str = mandates!("person = $1 AND office = $2 AND day = $3 AND pin = $4");
const OF_PERSON: &str = mandates!("person = $1 AND reference = $2");
const OF_OFFICE: &str = mandates!("office = $1 AND reference = $2");
const AFTER_OF_PERSON: &str =
    mandates!("person = $1 AND reference > $2 ORDER BY reference LIMIT $3");
const AFTER_OF_OFFICE: &str =
    mandates!("office = $1 AND reference > $2 ORDER BY reference LIMIT $3");
const GIVE: &str = "INSERT INTO telephone_mandates (reference, person, office, day, pin, sealed) \
    VALUES ($1, $2, $3, $4, $5, $6)";
const PIN: &str = "SELECT sealed FROM pins WHERE person = $1";
const STORE: &str = "INSERT INTO pins (person, expires_at, sealed) VALUES ($1, $2, $3) \
    ON CONFLICT (person) DO UPDATE SET expires_at = EXCLUDED.expires_at, sealed = EXCLUDED.sealed";
const EXPIRED: &str = "DELETE FROM pins WHERE person IN (SELECT person FROM pins \
    WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
/// A node whose clock is ahead at midnight counts for the next day; that counts here, too.
const MISSES: &str = "SELECT count FROM misses WHERE clerk = $1 AND day >= $2";
const MISS: &str = "INSERT INTO misses (clerk, day, count) VALUES ($1, $2, 1) \
    ON CONFLICT (clerk) DO UPDATE SET day = greatest(misses.day, EXCLUDED.day), \
    count = CASE WHEN misses.day >= EXCLUDED.day THEN misses.count + 1 ELSE 1 END";
const PAST: &str = "DELETE FROM misses WHERE clerk IN (SELECT clerk FROM misses \
    WHERE day < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";

/// The PIN that a person made last.
pub(super) async fn pin(
    link: &HouseLink,
    keys: &HouseKeys,
    person: Subject,
) -> Result<Option<Pin>, Setback> {
    let rows = link.rows(PIN, &[&person.0.as_slice()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let pin = Pin::open(keys, person, row.try_get(0)?).ok_or(StorageFault::Damaged)?;
    Ok(Some(pin))
}

/// Makes a PIN for a person in place of the one that they have; `None` if they have made as many today as they may.
pub(super) async fn make(
    link: &HouseLink,
    keys: &HouseKeys,
    person: Subject,
    at: Timestamp,
) -> Result<Option<MadePin>, Setback> {
    turns::begin(link, person).await?;
    let before = pin(link, keys, person).await?;
    let Some((stored, digits)) = Pin::next(keys, person, at, before.as_ref()) else {
        link.commit().await?;
        return Ok(None);
    };
    // One whose day is over is not needed to count those of the day.
    link.change(EXPIRED, &[&at.as_second(), &OVER_MAX]).await?;
    store(link, keys, person, &stored).await?;
    link.commit().await?;
    Ok(Some(MadePin { pin: digits, expires_at: stored.expires_at }))
}

/// Revokes a person's PIN, if they have one. Mandates that were given with it stay.
pub(super) async fn revoke_pin(
    link: &HouseLink,
    keys: &HouseKeys,
    person: Subject,
) -> Result<(), Setback> {
    turns::begin(link, person).await?;
    if let Some(pin) = pin(link, keys, person).await?.filter(|pin| pin.used != Use::Revoked) {
        store(link, keys, person, &pin.after(Use::Revoked)).await?;
    }
    turns::settle(link).await
}

/// Revokes, in a transaction, the PIN with which a person gave a mandate, so that no other follows it; false if they gave
/// none of this reference.
pub(super) async fn revoke_pin_of(
    link: &HouseLink,
    keys: &HouseKeys,
    person: Subject,
    reference: &str,
) -> Result<bool, Setback> {
    let Some(row) = find(link, Holder::Grantor(person), reference).await? else {
        return Ok(false);
    };
    if let Some(pin) = pin(link, keys, person).await?.filter(|pin| pin.number == row.pin) {
        store(link, keys, person, &pin.after(Use::Revoked)).await?;
    }
    Ok(true)
}

/// Redeems a PIN for a mandate of today. The same office gets the same mandate of a campaign again.
pub(super) async fn redeem(
    link: &HouseLink,
    keys: &HouseKeys,
    redeeming: Redeeming<'_>,
) -> Result<Result<Mandate, RedeemFault>, Setback> {
    let Redeeming { office, clerk, person, campaign, at, .. } = redeeming;
    let today = local_time::date_at(at);
    turns::begin_for_two(link, [clerk, person]).await?;
    if misses(link, clerk, today).await? >= CLERK_MISSES_PER_DAY_MAX {
        link.commit().await?;
        return Ok(Err(RedeemFault::UsedUp));
    }
    let fitting = match Try::of(keys, pin(link, keys, person).await?, &redeeming) {
        Try::Right(pin) => pin,
        Try::Wrong(missed) => {
            if let Some(pin) = missed {
                store(link, keys, person, &pin).await?;
            }
            miss(link, clerk, today).await?;
            link.commit().await?;
            return Ok(Err(RedeemFault::Refused));
        }
    };
    let new = Row::new(keys, person, (office, campaign), today, fitting.number);
    let (owner, center, number) =
        (new.person.0.as_slice(), new.office.0.as_slice(), new.pin.as_slice());
    let given = link.rows(GIVEN, &[&owner, &center, &new.day, &number]).await?;
    let given = given.iter().map(mandate).collect::<Result<Vec<_>, _>>()?;
    if let Some(given) = covering(&given, keys, campaign, None).into_iter().next() {
        turns::settle(link).await?;
        return Ok(Ok(given));
    }
    link.change(GIVE, &[&new.reference, &owner, &center, &new.day, &number, &new.sealed]).await?;
    store(link, keys, person, &fitting.after(Use::By(new.office))).await?;
    let mandate = new.open(keys).ok_or(StorageFault::Damaged)?;
    link.commit().await?;
    Ok(Ok(mandate))
}

/// The mandates of a person for a Contact Center on a day.
pub(super) async fn on(
    link: &HouseLink,
    person: Subject,
    office: Subject,
    day: Date,
) -> Result<Vec<Row>, Setback> {
    let (person, office) = (person.0.as_slice(), office.0.as_slice());
    let rows = link.rows(ON, &[&person, &office, &day_number(day)]).await?;
    rows.iter().map(mandate).collect()
}

/// The mandate that a person or a Contact Center knows by a reference.
pub(super) async fn find(
    link: &HouseLink,
    holder: Holder,
    reference: &str,
) -> Result<Option<Row>, Setback> {
    let (statement, whose) = match holder {
        Holder::Grantor(person) => (OF_PERSON, person),
        Holder::Office(office) => (OF_OFFICE, office),
    };
    let rows = link.rows(statement, &[&whose.0.as_slice(), &reference]).await?;
    rows.first().map(mandate).transpose()
}

/// Up to `most` mandates of a person or a Contact Center, after a reference.
pub(super) async fn list(
    link: &HouseLink,
    holder: Holder,
    after: &str,
    most: usize,
) -> Result<Vec<Row>, Setback> {
    let (statement, whose) = match holder {
        Holder::Grantor(person) => (AFTER_OF_PERSON, person),
        Holder::Office(office) => (AFTER_OF_OFFICE, office),
    };
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = link.rows(statement, &[&whose.0.as_slice(), &after, &most]).await?;
    rows.iter().map(mandate).collect()
}

async fn store(
    link: &HouseLink,
    keys: &HouseKeys,
    person: Subject,
    pin: &Pin,
) -> Result<(), Setback> {
    let (expires_at, sealed) = (pin.expires_at.as_second(), pin.seal(keys, person));
    link.change(STORE, &[&person.0.as_slice(), &expires_at, &sealed]).await.map(drop)
}

/// How many PINs a clerk has tried in vain on a day.
async fn misses(link: &HouseLink, clerk: Subject, on: Date) -> Result<u32, Setback> {
    let rows = link.rows(MISSES, &[&clerk.0.as_slice(), &day_number(on)]).await?;
    let count: i32 = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    Ok(count.unsigned_abs())
}

/// Counts one more, and forgets some of earlier days.
async fn miss(link: &HouseLink, clerk: Subject, on: Date) -> Result<(), Setback> {
    let day = day_number(on);
    link.change(MISS, &[&clerk.0.as_slice(), &day]).await?;
    link.change(PAST, &[&day, &OVER_MAX]).await.map(drop)
}

fn mandate(row: &PgRow) -> Result<Row, Setback> {
    Ok(Row {
        reference: row.try_get(0)?,
        person: subject_of(row, 1)?,
        office: subject_of(row, 2)?,
        day: row.try_get(3)?,
        pin: bytes_of(row, 4)?,
        sealed: row.try_get(5)?,
    })
}
