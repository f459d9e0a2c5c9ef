//! Searching the trail and the ledgers together: what happened to one person's data, ordered by time.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    super::{
        book::{record::Header, sign::StoredBatch},
        local::sqlite::{SqliteReader, file_of},
        position::Position,
    },
    event::Event,
    found::{Found, Line, Names, Person, SearchFault, add_names, name_of},
    heads::{self, Ends},
    messages::MessageRow,
    month::Month,
    row::TrailRow,
    stored::{self, Stored as _},
    whole,
};
use crate::{
    civic::FiscalCode,
    schemes::Campaign,
    vault::{HouseKeys, Subject},
};

/// A search; a server may be running.
pub struct Search {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    subject: Subject,
    code: FiscalCode,
}

impl Search {
    /// A search for the person with `code`.
    #[must_use]
    pub fn of(directory: &Path, keys: Arc<HouseKeys>, code: &FiscalCode) -> Self {
        let subject = keys.subject(code);
        Self { directory: directory.to_owned(), keys, subject, code: *code }
    }

    /// What was done to the person's data, oldest first, from the trail and from the ledgers of `campaigns`.
    ///
    /// # Errors
    /// [`SearchFault`].
    pub fn done_to(
        &self,
        campaigns: impl Iterator<Item = Campaign>,
    ) -> Result<Vec<Line>, SearchFault> {
        let mut found = self.events(|event| event.subject == self.subject)?;
        for campaign in campaigns.filter(|campaign| file_of(&self.directory, *campaign).exists()) {
            self.ledger(campaign, &mut found)?;
        }
        self.resolve(found)
    }

    /// What the person did to their own data and to others', according to the trail, oldest first.
    ///
    /// # Errors
    /// [`SearchFault`].
    pub fn done_by(&self) -> Result<Vec<Line>, SearchFault> {
        let found = self.events(|event| event.actor == self.subject)?;
        self.resolve(found)
    }

    fn events(&self, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Found>, SearchFault> {
        let mut found = Vec::new();
        each_row(&self.directory, |month, row| {
            let damaged = || SearchFault::Damaged { month: month.to_string(), row: row.number };
            let events = Event::decode_all(&row.events).ok_or_else(damaged)?;
            found.extend(events.iter().filter(|event| wanted(event)).map(Found::of));
            Ok(())
        })?;
        Ok(found)
    }

    /// What a ledger holds of the person: looks for their claim in every batch.
    fn ledger(&self, campaign: Campaign, found: &mut Vec<Found>) -> Result<(), SearchFault> {
        let claim = self.keys.claim(self.subject, campaign);
        let reader = SqliteReader::new(file_of(&self.directory, campaign), 1);
        let mut theirs = HashSet::new();
        for number in 1..=reader.batches()? {
            let Some(batch) = reader.batch(number)? else { continue };
            let StoredBatch { first, written_at, entries, changes, .. } = batch;
            let at = Timestamp::from_second(written_at).unwrap_or_default();
            for (position, entry) in (first.0..).map(Position).zip(&entries) {
                if entry.claim == claim {
                    theirs.insert(position);
                    // A record that was erased or is damaged no longer says who submitted it.
                    let header = reader.record(position)?.map(|stored| Header::decode(&stored));
                    let by =
                        header.and_then(Result::ok).map(|header| (header.actor, header.principal));
                    let what = "application-received".to_owned();
                    found.push(Found { at, what, object: Some((campaign, position)), by });
                }
            }
            for (position, change) in
                changes.into_iter().filter(|(position, _)| theirs.contains(position))
            {
                found.push(Found {
                    at,
                    what: name_of(change),
                    object: Some((campaign, position)),
                    by: None,
                });
            }
        }
        Ok(())
    }

    /// Resolves the hashes to names, and sorts.
    fn resolve(&self, found: Vec<Found>) -> Result<Vec<Line>, SearchFault> {
        let person = Person { subject: self.subject, code: self.code };
        let names = self.names(&person.others(&found))?;
        Ok(person.lines(&self.keys, found, &names))
    }

    fn names(&self, wanted: &HashSet<(Subject, Subject)>) -> Result<Names, SearchFault> {
        let mut names = Names::new();
        if wanted.is_empty() {
            return Ok(names);
        }
        each_row(&self.directory, |month, row| {
            let damaged = || SearchFault::Damaged { month: month.to_string(), row: row.number };
            add_names(&self.keys, &row.actors, wanted, &mut names).ok_or_else(damaged)
        })?;
        Ok(names)
    }
}

/// Every control action, oldest first.
///
/// # Errors
/// [`SearchFault`].
pub fn controls(directory: &Path) -> Result<Vec<(Timestamp, String)>, SearchFault> {
    let mut controls = Vec::new();
    each_row(directory, |_, row| {
        // The ends of chains are for the verification alone.
        if !row.control.is_empty() && heads::parse(&row.control).is_none() {
            controls.push((
                Timestamp::from_second(row.written_at).unwrap_or_default(),
                row.control.clone(),
            ));
        }
        Ok(())
    })?;
    controls.sort_by_key(|(at, _)| *at);
    Ok(controls)
}

/// Verifies the whole trail: every row matches its root, every root is signed, every month continues an earlier one, and every
/// chain ends where others say it does. Returns what is wrong, in words for the operator.
///
/// # Errors
/// [`SearchFault`].
pub fn inspect(directory: &Path, keys: &HouseKeys) -> Result<Vec<String>, SearchFault> {
    let mut ends = Ends::default();
    let (mut findings, first_month) = whole::walk::<TrailRow>(directory, keys, |row| {
        ends.add(heads::parse(&row.control).unwrap_or_default());
    })?;
    let trail = ends.of(TrailRow::KIND, first_month.as_deref());
    findings.extend(whole::missing::<TrailRow>(directory, trail)?);
    let months = stored::months::<MessageRow>(directory)?;
    let messages = ends.of(MessageRow::KIND, months.first().map(Month::as_str));
    findings.extend(whole::missing::<MessageRow>(directory, messages)?);
    Ok(findings)
}

fn each_row(
    directory: &Path,
    mut look: impl FnMut(&Month, &TrailRow) -> Result<(), SearchFault>,
) -> Result<(), SearchFault> {
    for month in stored::months::<TrailRow>(directory)? {
        stored::each_row(directory, &month, |_, row| look(&month, &row))?;
    }
    Ok(())
}
