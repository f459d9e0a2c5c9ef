//! Millions of mandates in memory: 44 bytes each, their reference, and 4 bytes in the order of offices.

use std::collections::HashMap;

use jiff::civil::Date;

use super::Mandate;
use crate::civic::Office;
use crate::schemes::{Campaign, Scheme};
use crate::vault::Subject;

/// The day of revocation of a mandate that is not revoked.
const NEVER: i32 = i32::MAX;

/// A mandate, packed. Its reference and office are in the table.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) grantor: Subject,
    /// Its office's place in the table.
    pub(super) office: u32,
    pub(super) signed_on: Day,
    pub(super) expires_on: Day,
    revoked_on: Day,
    /// Where its reference begins.
    reference_at: u32,
    /// The line that was read last.
    pub(super) line: u32,
    pub(super) year: i16,
    pub(super) scheme: Scheme,
    reference_bytes: u8,
}

const _: () = assert!(size_of::<Row>() == 44);

/// A date as one number in the same order: 20240916.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(i32);

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        let (month, day) = (i32::from(date.month()), i32::from(date.day()));
        Self(i32::from(date.year()) * 10_000 + month * 100 + day)
    }
}

impl Day {
    fn date(self) -> Option<Date> {
        let part = |number: i32| i8::try_from(number).ok();
        let year = i16::try_from(self.0 / 10_000).ok()?;
        Date::new(year, part(self.0 / 100 % 100)?, part(self.0 % 100)?).ok()
    }
}

/// The days of a mandate.
#[derive(Clone, Copy)]
pub(super) struct Days {
    pub(super) signed: Day,
    pub(super) expires: Day,
    pub(super) revoked: Option<Day>,
}

/// Rows, references and offices while a file is read.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) rows: Vec<Row>,
    references: Vec<u8>,
    offices: Vec<(Subject, Office)>,
    by_name: HashMap<Office, u32>,
}

impl Gathered {
    /// The place of an office, which gets one if it has none; `hash` makes its subject.
    pub(super) fn office(&mut self, office: Office, hash: impl FnOnce(&Office) -> Subject) -> u32 {
        if let Some(place) = self.by_name.get(&office) {
            return *place;
        }
        // There are no more offices than lines.
        let place = u32::try_from(self.offices.len()).unwrap_or(u32::MAX);
        self.offices.push((hash(&office), office.clone()));
        self.by_name.insert(office, place);
        place
    }

    /// Adds a mandate; returns its place.
    pub(super) fn add(
        &mut self,
        (grantor, office): (Subject, u32),
        campaign: Campaign,
        days: Days,
        (reference, line): (&str, u32),
    ) -> usize {
        // The bounds of lines and references keep both numbers in range.
        let reference_at = u32::try_from(self.references.len()).unwrap_or(u32::MAX);
        let reference_bytes = u8::try_from(reference.len()).unwrap_or(u8::MAX);
        self.references.extend_from_slice(reference.as_bytes());
        self.rows.push(Row {
            grantor,
            office,
            signed_on: days.signed,
            expires_on: days.expires,
            revoked_on: days.revoked.unwrap_or(Day(NEVER)),
            reference_at,
            line,
            year: campaign.year,
            scheme: campaign.scheme,
            reference_bytes,
        });
        self.rows.len() - 1
    }

    /// Replaces the days of a mandate by those of a later line.
    pub(super) fn renew(&mut self, place: usize, days: Days, line: u32) {
        let row = &mut self.rows[place];
        (row.expires_on, row.line) = (days.expires, line);
        row.revoked_on = days.revoked.unwrap_or(Day(NEVER));
    }

    pub(super) fn reference(&self, place: usize) -> &[u8] {
        reference_of(&self.references, &self.rows[place])
    }
}

fn reference_of<'r>(references: &'r [u8], row: &Row) -> &'r [u8] {
    let at = row.reference_at as usize;
    &references[at..at + usize::from(row.reference_bytes)]
}

/// All mandates of a registry; immutable, so any number of threads may read it.
pub struct MandateTable {
    /// Sorted by grantor, then by reference.
    rows: Vec<Row>,
    references: Vec<u8>,
    offices: Vec<(Subject, Office)>,
    places: HashMap<Subject, u32>,
    /// Places of rows, sorted by office, then by reference.
    by_office: Vec<u32>,
    is_unfinished: bool,
}

impl MandateTable {
    pub(super) fn new(gathered: Gathered, is_unfinished: bool) -> Self {
        let Gathered { mut rows, mut references, offices, by_name } = gathered;
        drop(by_name);
        rows.shrink_to_fit();
        references.shrink_to_fit();
        let of = |row: &Row| reference_of(&references, row);
        rows.sort_unstable_by(|one, other| {
            one.grantor.key().cmp(&other.grantor.key()).then_with(|| of(one).cmp(of(other)))
        });
        let mut by_office: Vec<u32> = (0..).take(rows.len()).collect();
        by_office.sort_unstable_by(|&one, &other| {
            let (one, other) = (&rows[one as usize], &rows[other as usize]);
            one.office.cmp(&other.office).then_with(|| of(one).cmp(of(other)))
        });
        let places = offices.iter().zip(0..).map(|((subject, _), place)| (*subject, place));
        let places = places.collect();
        Self { rows, references, offices, places, by_office, is_unfinished }
    }

    /// The number of mandates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The bytes of memory that they take, offices left out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let indices = self.by_office.capacity() * size_of::<u32>();
        self.rows.capacity() * size_of::<Row>() + self.references.capacity() + indices
    }

    /// A person's mandates in the order of their references, those after `after` if one is given.
    pub fn of_person(
        &self,
        person: Subject,
        after: Option<&str>,
    ) -> impl Iterator<Item = Held<'_>> {
        let key = person.key();
        let after = after.unwrap_or_default().as_bytes();
        let is_before = |row: &Row| {
            row.grantor.key().cmp(&key).then_with(|| self.reference(row).cmp(after)).is_le()
        };
        let rows = &self.rows[self.rows.partition_point(is_before)..];
        let theirs = rows.iter().take_while(move |row| row.grantor == person);
        theirs.map(|row| Held { table: self, row })
    }

    /// An office's mandates in the order of their references, those after `after` if one is given.
    pub fn of_office(
        &self,
        office: Subject,
        after: Option<&str>,
    ) -> impl Iterator<Item = Held<'_>> {
        // An unknown office comes after all others.
        let place = self.places.get(&office).copied().unwrap_or(u32::MAX);
        let after = after.unwrap_or_default().as_bytes();
        let is_before = |row: &u32| {
            let row = &self.rows[*row as usize];
            row.office.cmp(&place).then_with(|| self.reference(row).cmp(after)).is_le()
        };
        let rows = self.by_office[self.by_office.partition_point(is_before)..].iter();
        rows.map(|row| &self.rows[*row as usize])
            .take_while(move |row| row.office == place)
            .map(|row| Held { table: self, row })
    }

    /// The mandate that an office knows by this reference.
    #[must_use]
    pub fn named(&self, office: Subject, reference: &str) -> Option<Held<'_>> {
        let place = *self.places.get(&office)?;
        let found = self.by_office.binary_search_by(|row| {
            let row = &self.rows[*row as usize];
            row.office.cmp(&place).then_with(|| self.reference(row).cmp(reference.as_bytes()))
        });
        let row = &self.rows[self.by_office[found.ok()?] as usize];
        Some(Held { table: self, row })
    }

    /// The last line of each person who has more than `most` mandates.
    pub(super) fn crowded(&self, most: usize) -> impl Iterator<Item = u32> {
        let people = self.rows.chunk_by(|one, other| one.grantor == other.grantor);
        let crowded = people.filter(move |theirs| theirs.len() > most);
        crowded.filter_map(|theirs| theirs.iter().map(|row| row.line).max())
    }

    /// Whether the last line was unfinished and was left out.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    fn reference(&self, row: &Row) -> &[u8] {
        reference_of(&self.references, row)
    }
}

/// A mandate in the table.
#[derive(Clone, Copy)]
pub struct Held<'t> {
    table: &'t MandateTable,
    row: &'t Row,
}

impl<'t> Held<'t> {
    /// Its reference.
    #[must_use]
    pub fn reference(&self) -> &'t str {
        // It was read from a text.
        str::from_utf8(self.table.reference(self.row)).unwrap_or_default()
    }

    /// The person who signed it.
    #[must_use]
    pub fn grantor(&self) -> Subject {
        self.row.grantor
    }

    /// The office that may act under it.
    #[must_use]
    pub fn office(&self) -> Subject {
        self.table.offices[self.row.office as usize].0
    }

    /// The campaign that it covers.
    #[must_use]
    pub fn campaign(&self) -> Campaign {
        Campaign { scheme: self.row.scheme, year: self.row.year }
    }

    /// Whether the office may act under it on a day, according to the registry.
    #[must_use]
    pub fn holds_on(&self, day: Date) -> bool {
        let Row { signed_on, expires_on, revoked_on, .. } = self.row;
        let day = Day::from(day);
        *signed_on <= day && day <= *expires_on && day < *revoked_on
    }

    /// All of it.
    #[must_use]
    pub fn mandate(&self) -> Mandate {
        Mandate {
            reference: self.reference().to_owned(),
            grantor: self.row.grantor,
            office: self.table.offices[self.row.office as usize].1.clone(),
            campaign: self.campaign(),
            signed_on: self.row.signed_on.date().unwrap_or_default(),
            expires_on: self.row.expires_on.date().unwrap_or_default(),
            revoked_on: self.row.revoked_on.date(),
            is_by_telephone: false,
        }
    }
}
