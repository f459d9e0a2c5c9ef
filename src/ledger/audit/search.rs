//! Searching the trail and the ledgers together: what happened to one person's data, ordered by time.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rusqlite::params;

use super::{
    super::{
        book::{
            change::Change,
            record::{Channel, Header},
            sign::StoredBatch,
        },
        fault::{OpenFault, StorageFault, StoreError},
        local::sqlite::{SqliteReader, file_of},
        position::Position,
        proof::Digest,
        receipt::ReceiptCode,
    },
    event::{Event, Named, StoredActor},
    month::{Month, TrailRow},
};
use crate::{
    civic::FiscalCode,
    schemes::{Campaign, Outcome},
    vault::{HouseKeys, Subject},
};

/// Rows read in one transaction, so that a search never delays the writer's checkpoints for long.
const ROWS_AT_A_TIME: i64 = 1024;

/// One event, with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// What was done, such as `application-shown`.
    pub what: String,
    /// The receipt code of the application concerned.
    pub receipt: Option<String>,
    /// The fiscal code of the person who did it; `None` for the server itself.
    pub by: Option<String>,
    /// The office they acted for.
    pub office: Option<String>,
    /// The channel through which they acted; `None` for the server itself.
    pub channel: Option<Channel>,
}

/// Why the trail cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum SearchFault {
    /// A file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenFault),
    /// A ledger cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// A month of the trail cannot be read.
    #[error("audit trail of {month}: {source}")]
    Month {
        /// Which month.
        month: String,
        /// What the store reported.
        source: StoreError,
    },
    /// A month of the trail is damaged.
    #[error("audit trail of {month}: row {row} cannot be read; run sportello verify")]
    Damaged {
        /// Which month.
        month: String,
        /// Which row.
        row: i64,
    },
}

/// A search; a server may be running.
pub struct Search {
    directory: PathBuf,
    keys: Arc<HouseKeys>,
    subject: Subject,
    code: FiscalCode,
}

/// Something that happened, before its hashes are resolved to names.
struct Found {
    at: Timestamp,
    what: String,
    object: Option<(Campaign, Position)>,
    by: Option<(Subject, Subject)>,
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
            for event in Event::decode_all(&row.events).ok_or_else(damaged)? {
                if wanted(&event) {
                    found.push(Found {
                        at: event.at,
                        what: event.action.as_str().to_owned(),
                        object: event.object,
                        by: Some((event.actor, event.principal)),
                    });
                }
            }
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
    fn resolve(&self, mut found: Vec<Found>) -> Result<Vec<Line>, SearchFault> {
        found.sort_by_key(|found| found.at);
        let themselves = (self.subject, self.subject);
        let others: HashSet<_> =
            found.iter().filter_map(|found| found.by).filter(|by| *by != themselves).collect();
        let names = self.names(&others)?;
        let line = |Found { at, what, object, by }: Found| {
            let receipt = object.map(|(campaign, position)| {
                ReceiptCode::of(&self.keys, campaign, position).to_string()
            });
            let (by, office, channel) = match by {
                None => (None, None, None),
                Some(by) if by == themselves => {
                    (Some(self.code.as_str().to_owned()), None, Some(Channel::Citizen))
                }
                Some(by) => names.get(&by).map_or_else(|| unnamed(by), in_words),
            };
            Line { at, what, receipt, by, office, channel }
        };
        Ok(found.into_iter().map(line).collect())
    }

    fn names(
        &self,
        wanted: &HashSet<(Subject, Subject)>,
    ) -> Result<HashMap<(Subject, Subject), Named>, SearchFault> {
        let mut names = HashMap::new();
        if wanted.is_empty() {
            return Ok(names);
        }
        each_row(&self.directory, |month, row| {
            let damaged = || SearchFault::Damaged { month: month.to_string(), row: row.number };
            for actor in StoredActor::decode_all(&row.actors).ok_or_else(damaged)? {
                let who = (actor.person, actor.principal);
                if wanted.contains(&who) && !names.contains_key(&who) {
                    names.insert(who, actor.named(&self.keys).map_err(|_| damaged())?);
                }
            }
            Ok(())
        })?;
        Ok(names)
    }
}

/// Fiscal code, office and channel of an actor.
type InWords = (Option<String>, Option<String>, Option<Channel>);

fn in_words(Named { fiscal_code, office, is_contact_center }: &Named) -> InWords {
    let channel = match (office, is_contact_center) {
        (None, _) => Channel::Citizen,
        (Some(_), false) => Channel::Intermediary,
        (Some(_), true) => Channel::ContactCenter,
    };
    (Some(fiscal_code.clone()), office.clone(), Some(channel))
}

/// An actor whose name is no longer in the trail, at an office.
fn unnamed((person, office): (Subject, Subject)) -> InWords {
    let hash = |subject: Subject| Some(format!("{subject:?}"));
    (hash(person), hash(office), Some(Channel::Intermediary))
}

/// Every control action, oldest first.
///
/// # Errors
/// [`SearchFault`].
pub fn controls(directory: &Path) -> Result<Vec<(Timestamp, String)>, SearchFault> {
    let mut controls = Vec::new();
    each_row(directory, |_, row| {
        if !row.control.is_empty() {
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

/// Verifies the whole trail: every row matches its root, every root is signed, every month continues an earlier one.
/// Returns what is wrong, in words for the operator.
///
/// # Errors
/// [`SearchFault`].
pub fn inspect(directory: &Path, keys: &HouseKeys) -> Result<Vec<String>, SearchFault> {
    let mut findings = Vec::new();
    let mut roots_before: Option<HashSet<Digest>> = None;
    for month in Month::all(directory)? {
        let mut roots: Vec<Digest> = Vec::new();
        each_row_of(directory, &month, |row| {
            let number = i64::try_from(roots.len()).unwrap_or(i64::MAX);
            if row.number != number {
                findings.push(format!(
                    "audit trail of {month}: rows before {} are missing",
                    row.number
                ));
            }
            let chained = match roots.last() {
                None => {
                    !month.is_chained()
                        || roots_before.as_ref().is_none_or(|before| before.contains(&row.root))
                }
                Some(previous) => row.root_after(previous) == row.root,
            };
            if !chained || !keys.has_signed(&row.root, &row.signature) {
                findings.push(format!(
                    "audit trail of {month}: row {} was changed, or the one before it",
                    row.number
                ));
            }
            roots.push(row.root);
            Ok(())
        })?;
        roots_before = Some(roots.into_iter().collect());
    }
    Ok(findings)
}

fn name_of(change: Change) -> String {
    let decided = |word: &str, outcome: Outcome| format!("{word}-{}", outcome.as_str());
    match change {
        Change::Decided(outcome) => decided("decided", outcome),
        Change::Revised(outcome) => decided("decided-again", outcome),
        Change::Withdrawn(_) => "withdrawn".to_owned(),
        Change::Erased => "erased".to_owned(),
    }
}

fn each_row(
    directory: &Path,
    mut look: impl FnMut(&Month, &TrailRow) -> Result<(), SearchFault>,
) -> Result<(), SearchFault> {
    for month in Month::all(directory)? {
        each_row_of(directory, &month, |row| look(&month, row))?;
    }
    Ok(())
}

/// Reads the rows of a month in short transactions: a long one would prevent checkpoints.
fn each_row_of(
    directory: &Path,
    month: &Month,
    mut look: impl FnMut(&TrailRow) -> Result<(), SearchFault>,
) -> Result<(), SearchFault> {
    let fault = |source: rusqlite::Error| SearchFault::Month {
        month: month.to_string(),
        source: source.into(),
    };
    let connection = month.read(directory).map_err(fault)?;
    let mut from = i64::MIN;
    loop {
        let mut select = connection
            .prepare_cached("SELECT * FROM trail WHERE number >= ?1 ORDER BY number LIMIT ?2")
            .map_err(fault)?;
        let rows =
            select.query_map(params![from, ROWS_AT_A_TIME], TrailRow::from_row).map_err(fault)?;
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(fault)?;
        let Some(last) = rows.last() else { return Ok(()) };
        from = last.number + 1;
        rows.iter().try_for_each(&mut look)?;
    }
}
