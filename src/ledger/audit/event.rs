//! An event of the trail, and the person behind it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::position::Position;
use crate::{
    civic::FiscalCode,
    schemes::{Campaign, Scheme},
    vault::{HouseKeys, Place, SealBroken, Subject},
};

/// Bytes of a stored event: time, action, subject, actor, principal, scheme, year, position.
pub(super) const EVENT_BYTES: usize = 8 + 1 + 3 * 16 + 1 + 2 + 4;
/// The scheme's byte of an event without an object.
const NO_SCHEME: u8 = 0xff;
/// The header of a sealed actor: its version.
const HEADER: [u8; 1] = [1];

/// What was done to a person's data. Changes of an application are in its ledger; the trail holds what was shown or
/// requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// An application, and its decision if there was one, was shown.
    ApplicationShown = 1,
    /// Its withdrawal was requested; the ledger says whether it was withdrawn.
    WithdrawalAsked = 2,
    /// A draft was shown.
    DraftShown = 3,
    /// A draft was stored.
    DraftSaved = 4,
    /// A draft was deleted by its writer.
    DraftDeleted = 7,
    /// A person was let in.
    Entered = 6,
    /// An estimate was shown that uses the institute's own figures.
    EstimateShown = 5,
    /// A person asked again and again for receipts that do not exist or are another's. Nothing was shown.
    UnknownReceiptsAsked = 8,
    /// Mandates were shown to their grantor or to their office.
    MandatesShown = 9,
    /// A person asked to revoke a mandate; the file of revocations says which.
    RevocationAsked = 10,
    /// A person's applications were listed for them.
    ApplicationsListed = 11,
    /// A person was shown who was shown or changed their data.
    DisclosuresShown = 12,
    /// A person made a telephone PIN.
    TelephonePinMade = 13,
    /// A person revoked it.
    TelephonePinRevoked = 14,
    /// A Contact Center redeemed it for a mandate of the day.
    TelephonePinRedeemed = 15,
    /// A Contact Center tried a PIN for a person in vain.
    TelephonePinRefused = 16,
    /// A person ended a session of theirs by its handle.
    SessionEnded = 17,
}

impl Action {
    const ALL: [Self; 17] = [
        Self::ApplicationShown,
        Self::WithdrawalAsked,
        Self::DraftShown,
        Self::DraftSaved,
        Self::DraftDeleted,
        Self::EstimateShown,
        Self::Entered,
        Self::UnknownReceiptsAsked,
        Self::MandatesShown,
        Self::RevocationAsked,
        Self::ApplicationsListed,
        Self::DisclosuresShown,
        Self::TelephonePinMade,
        Self::TelephonePinRevoked,
        Self::TelephonePinRedeemed,
        Self::TelephonePinRefused,
        Self::SessionEnded,
    ];

    /// The action's name in the trail's output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApplicationShown => "application-shown",
            Self::WithdrawalAsked => "withdrawal-asked",
            Self::DraftShown => "draft-shown",
            Self::DraftSaved => "draft-saved",
            Self::DraftDeleted => "draft-deleted",
            Self::EstimateShown => "estimate-shown",
            Self::Entered => "entered",
            Self::UnknownReceiptsAsked => "unknown-receipts-asked",
            Self::MandatesShown => "mandates-shown",
            Self::RevocationAsked => "revocation-asked",
            Self::ApplicationsListed => "applications-listed",
            Self::DisclosuresShown => "disclosures-shown",
            Self::TelephonePinMade => "telephone-pin-made",
            Self::TelephonePinRevoked => "telephone-pin-revoked",
            Self::TelephonePinRedeemed => "telephone-pin-redeemed",
            Self::TelephonePinRefused => "telephone-pin-refused",
            Self::SessionEnded => "session-ended",
        }
    }
}

/// A person who looks at data or changes them.
#[derive(Clone, Copy, Debug)]
pub struct Who<'w> {
    /// The person.
    pub fiscal_code: FiscalCode,
    /// The office they act for.
    pub office: Option<&'w str>,
    /// Whether that office is a Contact Center.
    pub is_contact_center: bool,
}

/// The application concerned, if any.
pub type Object = Option<(Campaign, Position)>;

/// A person did something to a person's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: Action,
    /// Whose data it concerns.
    pub subject: Subject,
    /// The person who acted.
    pub actor: Subject,
    /// Themselves, or the office for which they acted.
    pub principal: Subject,
    /// The application concerned.
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

    /// Decodes the events of a row; `None` if the row is damaged.
    pub(in crate::ledger) fn decode_all(bytes: &[u8]) -> Option<Vec<Self>> {
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

/// A person who appears in the trail: keyed hashes for the events, and the sealed name.
pub(in crate::ledger) struct Actor {
    pub(in crate::ledger) person: Subject,
    pub(in crate::ledger) principal: Subject,
    /// Sealed only when it is written.
    named: Named,
}

/// The name of an actor, as it is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::ledger) struct Named {
    pub(super) fiscal_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) office: Option<String>,
    /// Whether the office was a Contact Center when it appeared first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_contact_center: bool,
}

/// An actor as it is stored.
pub(in crate::ledger) struct StoredActor<'a> {
    pub(in crate::ledger) person: Subject,
    pub(in crate::ledger) principal: Subject,
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
                is_contact_center: who.is_contact_center,
            },
        }
    }

    /// Appends two keyed hashes, a length, and the name, sealed for the person.
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
    /// Decodes the actors of a row; `None` if the row is damaged.
    pub(in crate::ledger) fn decode_all(mut bytes: &'a [u8]) -> Option<Vec<Self>> {
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

    pub(in crate::ledger) fn named(&self, keys: &HouseKeys) -> Result<Named, SealBroken> {
        let opened = keys.open(Place::Trail, self.person, HEADER.len(), self.sealed)?;
        serde_json::from_slice(&opened).map_err(|_| SealBroken)
    }
}
