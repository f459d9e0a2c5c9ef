//! One event of the trail, and who stands behind it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    super::{
        Position,
        keys::HouseKeys,
        seal::{Place, SealBroken, Subject},
    },
    Who,
};
use crate::schemes::{Campaign, Scheme};

/// Bytes of a stored event: time, action, subject, actor, principal, scheme, year, position.
pub(super) const EVENT_BYTES: usize = 8 + 1 + 3 * 16 + 1 + 2 + 4;
/// Stands where an object has its scheme when there is none.
const NO_SCHEME: u8 = 0xff;
/// Version of a sealed actor, its whole header.
const HEADER: [u8; 1] = [1];

/// What was done to somebody's data. What becomes of an application stands in its ledger; here stands who looked, and who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// An application, and its decision if there was one, was shown.
    ApplicationShown = 1,
    /// Its withdrawal was asked for; the ledger tells whether it was withdrawn.
    WithdrawalAsked = 2,
    /// A draft was shown.
    DraftShown = 3,
    /// A draft was kept.
    DraftSaved = 4,
    /// Somebody was let in.
    Entered = 6,
    /// An estimate was shown that rests on what the institute knows itself.
    EstimateShown = 5,
}

impl Action {
    const ALL: [Self; 6] = [
        Self::ApplicationShown,
        Self::WithdrawalAsked,
        Self::DraftShown,
        Self::DraftSaved,
        Self::EstimateShown,
        Self::Entered,
    ];

    /// The action's name in the trail's output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApplicationShown => "application-shown",
            Self::WithdrawalAsked => "withdrawal-asked",
            Self::DraftShown => "draft-shown",
            Self::DraftSaved => "draft-saved",
            Self::EstimateShown => "estimate-shown",
            Self::Entered => "entered",
        }
    }
}

/// Which application it was about, if it was about one.
pub type Object = Option<(Campaign, Position)>;

/// Somebody did something to somebody's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: Action,
    /// To whose data.
    pub subject: Subject,
    /// Who, as a person.
    pub actor: Subject,
    /// For whom they acted: themselves, or an office.
    pub principal: Subject,
    /// To which application.
    pub object: Object,
}

impl Event {
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.at.as_second().to_be_bytes());
        into.push(self.action as u8);
        for person in [self.subject, self.actor, self.principal] {
            into.extend_from_slice(&person.0);
        }
        let (scheme, year, position) = match self.object {
            Some((campaign, position)) => (campaign.scheme as u8, campaign.year, position.0),
            None => (NO_SCHEME, 0, 0),
        };
        into.push(scheme);
        into.extend_from_slice(&year.to_be_bytes());
        into.extend_from_slice(&position.to_be_bytes());
    }

    /// The events of a row, or nothing if the row is damaged.
    pub(super) fn decode_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let (rows, rest) = bytes.as_chunks::<EVENT_BYTES>();
        rest.is_empty().then(|| rows.iter().map(Self::decode).collect())?
    }

    fn decode(row: &[u8; EVENT_BYTES]) -> Option<Self> {
        let (at, rest) = row.split_first_chunk::<8>()?;
        let (action, rest) = rest.split_first()?;
        let (subject, rest) = rest.split_first_chunk::<16>()?;
        let (actor, rest) = rest.split_first_chunk::<16>()?;
        let (principal, rest) = rest.split_first_chunk::<16>()?;
        let (scheme, rest) = rest.split_first()?;
        let (year, position) = rest.split_first_chunk::<2>()?;
        let position = Position(u32::from_be_bytes(position.try_into().ok()?));
        let object = match *scheme {
            NO_SCHEME => None,
            scheme => {
                let scheme = *Scheme::ALL.get(usize::from(scheme))?;
                Some((Campaign { scheme, year: i16::from_be_bytes(*year) }, position))
            }
        };
        Some(Self {
            at: Timestamp::from_second(i64::from_be_bytes(*at)).ok()?,
            action: Action::ALL.into_iter().find(|known| *known as u8 == *action)?,
            subject: Subject(*subject),
            actor: Subject(*actor),
            principal: Subject(*principal),
            object,
        })
    }
}

/// Somebody who appears in the trail: keyed hashes for the events, and who it is, sealed.
pub(super) struct Actor {
    pub(super) person: Subject,
    pub(super) principal: Subject,
    /// Made only when it is written.
    named: Named,
}

/// Who it is, as it is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    pub(super) fiscal_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) office: Option<String>,
}

/// An actor as it is stored.
pub(super) struct StoredActor<'a> {
    pub(super) person: Subject,
    pub(super) principal: Subject,
    sealed: &'a [u8],
}

impl Actor {
    pub(super) fn of(keys: &HouseKeys, who: Who<'_>) -> Self {
        let person = keys.subject(&who.fiscal_code);
        Self {
            person,
            principal: who.office.map_or(person, |office| keys.office(office)),
            named: Named {
                fiscal_code: who.fiscal_code.as_str().to_owned(),
                office: who.office.map(str::to_owned),
            },
        }
    }

    /// Two keyed hashes, a length, and who it is, sealed for the person.
    pub(super) fn encode(&self, keys: &HouseKeys, into: &mut Vec<u8>) {
        let named = serde_json::to_vec(&self.named).unwrap_or_default();
        let sealed = keys.seal(Place::Trail, self.person, &HEADER, &named);
        into.extend_from_slice(&self.person.0);
        into.extend_from_slice(&self.principal.0);
        into.extend_from_slice(&u32::try_from(sealed.len()).unwrap_or_default().to_be_bytes());
        into.extend_from_slice(&sealed);
    }
}

impl<'a> StoredActor<'a> {
    /// The actors of a row, or nothing if the row is damaged.
    pub(super) fn decode_all(mut bytes: &'a [u8]) -> Option<Vec<Self>> {
        let mut actors = Vec::new();
        while !bytes.is_empty() {
            let (person, rest) = bytes.split_first_chunk::<16>()?;
            let (principal, rest) = rest.split_first_chunk::<16>()?;
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let (sealed, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            actors.push(Self { person: Subject(*person), principal: Subject(*principal), sealed });
            bytes = rest;
        }
        Some(actors)
    }

    pub(super) fn named(&self, keys: &HouseKeys) -> Result<Named, SealBroken> {
        let opened = keys.open(Place::Trail, self.person, HEADER.len(), self.sealed)?;
        serde_json::from_slice(&opened).map_err(|_| SealBroken)
    }
}
