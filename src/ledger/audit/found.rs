//! What a search finds, and how its keyed hashes become names: the same on every engine.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{
    super::{
        book::{change::Change, record::Channel},
        fault::{OpenFault, StorageFault, StoreError},
        position::Position,
        receipt::ReceiptCode,
    },
    event::{Event, Named, StoredActor},
};
use crate::{
    civic::FiscalCode,
    schemes::{Campaign, Outcome},
    vault::{HouseKeys, Subject},
};

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

/// Something that happened, before its hashes are resolved to names.
pub(in crate::ledger) struct Found {
    pub(in crate::ledger) at: Timestamp,
    pub(in crate::ledger) what: String,
    pub(in crate::ledger) object: Option<(Campaign, Position)>,
    pub(in crate::ledger) by: Option<(Subject, Subject)>,
}

/// The names of actors: a person and whom they acted for.
pub(in crate::ledger) type Names = HashMap<(Subject, Subject), Named>;

/// Whose data, or whose acts, are searched.
pub(in crate::ledger) struct Person {
    pub(in crate::ledger) subject: Subject,
    pub(in crate::ledger) code: FiscalCode,
}

impl Found {
    /// An event of the trail.
    pub(in crate::ledger) fn of(event: &Event) -> Self {
        Self {
            at: event.at,
            what: event.action.as_str().to_owned(),
            object: event.object,
            by: Some((event.actor, event.principal)),
        }
    }
}

impl Person {
    /// The others who acted.
    pub(in crate::ledger) fn others(&self, found: &[Found]) -> HashSet<(Subject, Subject)> {
        let themselves = (self.subject, self.subject);
        found.iter().filter_map(|found| found.by).filter(|by| *by != themselves).collect()
    }

    /// What was found, with names and in the order of time.
    pub(in crate::ledger) fn lines(
        &self,
        keys: &HouseKeys,
        mut found: Vec<Found>,
        names: &Names,
    ) -> Vec<Line> {
        found.sort_by_key(|found| found.at);
        let themselves = (self.subject, self.subject);
        let line = |Found { at, what, object, by }: Found| {
            let receipt = object
                .map(|(campaign, position)| ReceiptCode::of(keys, campaign, position).to_string());
            let (by, office, channel) = match by {
                None => (None, None, None),
                Some(by) if by == themselves => {
                    (Some(self.code.as_str().to_owned()), None, Some(Channel::Citizen))
                }
                Some(by) => names.get(&by).map_or_else(|| unnamed(by), in_words),
            };
            Line { at, what, receipt, by, office, channel }
        };
        found.into_iter().map(line).collect()
    }
}

/// Adds the names of the wanted actors whom a row names; `None` if the row is damaged.
pub(in crate::ledger) fn add_names(
    keys: &HouseKeys,
    actors: &[u8],
    wanted: &HashSet<(Subject, Subject)>,
    names: &mut Names,
) -> Option<()> {
    for actor in StoredActor::decode_all(actors)? {
        let who = (actor.person, actor.principal);
        if wanted.contains(&who) && !names.contains_key(&who) {
            names.insert(who, actor.named(keys).ok()?);
        }
    }
    Some(())
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

/// The name of a change in the output of a search.
pub(in crate::ledger) fn name_of(change: Change) -> String {
    let decided = |word: &str, outcome: Outcome| format!("{word}-{}", outcome.as_str());
    match change {
        Change::Decided(outcome) => decided("decided", outcome),
        Change::Revised(outcome) => decided("decided-again", outcome),
        Change::Withdrawn(_) => "withdrawn".to_owned(),
        Change::Erased => "erased".to_owned(),
    }
}
