//! Loads the file of mandates: it is refused as a whole if any line is faulty, with the numbers of those lines.

use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::io::{self, BufRead};

use hashbrown::{DefaultHashBuilder, HashTable};
use jiff::civil::Date;
use serde::Deserialize;
use thiserror::Error;

use super::super::lines::{Broken, Line, Listed, read_line};
use super::document::is_digest;
use super::table::{Day, Days, Gathered, MandateTable};
use crate::application::is_mandate_reference;
use crate::civic::calendar::parse_date;
use crate::civic::{FiscalCode, FiscalCodeFault, Office, OfficeFault};
use crate::schemes::{Campaign, Scheme};
use crate::vault::HouseKeys;

/// The most lines of a file: 1.2 GB of memory with the longest references, twice that while a newer file is loaded.
pub const MANDATES_MAX: usize = 10_000_000;
/// The most mandates of one person: every check reads all of them.
pub const PERSON_MANDATES_MAX: usize = 256;
/// The longest line, bytes: twice what the longest values need.
const LINE_BYTES_MAX: usize = 1_024;
/// The most characters of a reference, so that it can be named in an application.
const REFERENCE_CHARS_MAX: usize = 64;

const _: () = assert!(MANDATES_MAX * REFERENCE_CHARS_MAX < u32::MAX as usize);

/// Why the file of mandates is refused.
#[derive(Debug, Error)]
pub enum MandatesFault {
    /// It cannot be read.
    #[error("the mandates cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It has more than the allowed number of lines.
    #[error("the file of mandates has more than {MANDATES_MAX} lines")]
    TooMany,
    /// Some of its lines are faulty: correct them.
    #[error("the file of mandates has {count} faulty lines: {}", Listed(.faults, *.count))]
    Broken {
        /// How many lines are faulty.
        count: usize,
        /// The first thousand of them, with their numbers from 1.
        faults: Vec<(u32, MandateFault)>,
    },
}

/// The fault of a line. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MandateFault {
    /// It is too long.
    #[error("longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// It is not UTF-8.
    #[error("not UTF-8")]
    Encoding,
    /// It is not a JSON object with the members of a mandate, each once and of its type.
    #[error("not a mandate in JSON, at column {column}")]
    Json {
        /// Where, in bytes from 1.
        column: usize,
    },
    /// A member is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Its reference cannot be one.
    #[error("reference must have 1 to {REFERENCE_CHARS_MAX} visible ASCII characters")]
    Reference,
    /// A member is not a fiscal code.
    #[error("{0}: {1}")]
    FiscalCode(&'static str, FiscalCodeFault),
    /// Its office is not the name of one.
    #[error("office: {0}")]
    Office(#[from] OfficeFault),
    /// There is no such scheme.
    #[error("scheme is unknown")]
    Scheme,
    /// A member is not a date.
    #[error("{0} must be a date, YYYY-MM-DD")]
    Date(&'static str),
    /// It expires before it was signed.
    #[error("expiresOn is before signedOn")]
    Order,
    /// Its document is not a digest.
    #[error("document must be sha-256=:BASE64:")]
    Document,
    /// Another mandate has this reference.
    #[error("the reference is that of another mandate, in line {0}")]
    Taken(u32),
    /// Its person has too many.
    #[error("the person has more than {PERSON_MANDATES_MAX} mandates")]
    Crowded,
}

/// A line as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written<'l> {
    #[serde(borrow)]
    reference: Option<Cow<'l, str>>,
    #[serde(borrow)]
    grantor: Option<Cow<'l, str>>,
    #[serde(borrow)]
    office: Option<Cow<'l, str>>,
    #[serde(borrow)]
    clerk: Option<Cow<'l, str>>,
    #[serde(borrow)]
    scheme: Option<Cow<'l, str>>,
    year: Option<i16>,
    #[serde(borrow)]
    signed_on: Option<Cow<'l, str>>,
    #[serde(borrow)]
    expires_on: Option<Cow<'l, str>>,
    #[serde(borrow)]
    revoked_on: Option<Cow<'l, str>>,
    #[serde(borrow)]
    document: Option<Cow<'l, str>>,
}

/// A line without fault.
struct Valid<'l> {
    reference: Cow<'l, str>,
    grantor: FiscalCode,
    office: Office,
    campaign: Campaign,
    days: Days,
}

/// Loads a whole file. A last line without its end is taken if it is whole, and else left out: it is being written.
///
/// # Errors
///
/// [`MandatesFault`]: correct the file.
pub fn load(mut input: impl BufRead, keys: &HouseKeys) -> Result<MandateTable, MandatesFault> {
    let mut reading = Reading {
        keys,
        gathered: Gathered::default(),
        known: HashTable::new(),
        hasher: DefaultHashBuilder::default(),
    };
    let mut broken = Broken::new();
    let mut line = Vec::with_capacity(LINE_BYTES_MAX + 1);
    let (mut number, mut is_unfinished) = (0, false);
    while let Some((text, has_end)) = read_line(&mut input, &mut line, LINE_BYTES_MAX)? {
        number += 1;
        if number as usize > MANDATES_MAX {
            return Err(MandatesFault::TooMany);
        }
        match reading.take(&text, number) {
            Ok(()) => {}
            Err(MandateFault::Json { .. } | MandateFault::Encoding) if !has_end => {
                is_unfinished = true;
            }
            Err(fault) => broken.add(number, fault),
        }
    }
    let table = MandateTable::new(reading.gathered, is_unfinished);
    for line in table.crowded(PERSON_MANDATES_MAX) {
        broken.add(line, MandateFault::Crowded);
    }
    match broken.count {
        0 => Ok(table),
        count => Err(MandatesFault::Broken { count, faults: broken.into_faults() }),
    }
}

fn needed<T>(member: Option<T>, name: &'static str) -> Result<T, MandateFault> {
    member.ok_or(MandateFault::Missing(name))
}

struct Reading<'k> {
    keys: &'k HouseKeys,
    gathered: Gathered,
    /// Places of mandates by their references.
    known: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Reading<'_> {
    fn take(&mut self, text: &Line<'_>, line: u32) -> Result<(), MandateFault> {
        let text = match text {
            Line::Text(text) => text,
            Line::TooLong => return Err(MandateFault::TooLong),
            Line::NotUtf8 => return Err(MandateFault::Encoding),
        };
        let Valid { reference, grantor, office, campaign, days } = parse(text)?;
        let Self { keys, gathered, known, hasher } = self;
        let grantor = keys.subject(&grantor);
        let office = gathered.office(office, |office| keys.office(office.as_str()));
        let hash = hasher.hash_one(reference.as_bytes());
        let is_same = |place: &u32| gathered.reference(*place as usize) == reference.as_bytes();
        if let Some(place) = known.find(hash, is_same).map(|place| *place as usize) {
            let row = &gathered.rows[place];
            let earlier = (row.grantor, row.office, (row.scheme, row.year), row.signed_on);
            let this = (grantor, office, (campaign.scheme, campaign.year), days.signed);
            if earlier != this {
                return Err(MandateFault::Taken(row.line));
            }
            gathered.renew(place, days, line);
            return Ok(());
        }
        let place = gathered.add((grantor, office), campaign, days, (&reference, line));
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let rehash = |place: &u32| hasher.hash_one(gathered.reference(*place as usize));
        known.insert_unique(hash, place, rehash);
        Ok(())
    }
}

fn parse(text: &str) -> Result<Valid<'_>, MandateFault> {
    let written: Written<'_> = serde_json::from_str(text)
        .map_err(|fault| MandateFault::Json { column: fault.column() })?;
    let reference = needed(written.reference, "reference")?;
    if !is_mandate_reference(&reference) {
        return Err(MandateFault::Reference);
    }
    let person = |member: Option<Cow<'_, str>>, name| {
        let code = needed(member, name)?;
        FiscalCode::parse(&code).map_err(|fault| MandateFault::FiscalCode(name, fault))
    };
    let grantor = person(written.grantor, "grantor")?;
    let office = Office::parse(&needed(written.office, "office")?)?;
    person(written.clerk, "clerk")?;
    let scheme = Scheme::from_name(&needed(written.scheme, "scheme")?);
    let scheme = scheme.ok_or(MandateFault::Scheme)?;
    let year = needed(written.year, "year")?;
    let date = |text: &str, name| parse_date(text).ok_or(MandateFault::Date(name));
    let needed_date = |member: Option<Cow<'_, str>>, name| date(&needed(member, name)?, name);
    let signed_on: Date = needed_date(written.signed_on, "signedOn")?;
    let expires_on = needed_date(written.expires_on, "expiresOn")?;
    let revoked_on = written.revoked_on.map(|text| date(&text, "revokedOn")).transpose()?;
    if expires_on < signed_on {
        return Err(MandateFault::Order);
    }
    if !is_digest(&needed(written.document, "document")?) {
        return Err(MandateFault::Document);
    }
    let days = Days {
        signed: signed_on.into(),
        expires: expires_on.into(),
        revoked: revoked_on.map(Day::from),
    };
    Ok(Valid { reference, grantor, office, campaign: Campaign { scheme, year }, days })
}
