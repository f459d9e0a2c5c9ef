//! The stored record of an application: a readable header that names its subject, and the sealed application.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version of this layout, 2 |
//! | 1 | channel |
//! | 4 | filing date, in days since 1970-01-01, big-endian |
//! | 16 | subject: whose data it is |
//! | 16 | principal: who submitted it, the person or an intermediary's office |
//! | 16 | actor: the person who acted |
//! | 1 + 12 + n + 16 | number of the house's secret, nonce, sealed application, tag (AES-256-GCM; campaign and header are its associated data) |

use jiff::civil::Date;

use super::{super::position::Position, packing};
use crate::{
    schemes::Campaign,
    vault::{HouseKeys, SealBroken, Subject},
};

const VERSION: u8 = 2;
/// Takes the place of the channel in a decision's header, so that the two cannot be confused.
const DECISION: u8 = 0xd0;
const HEADER_BYTES: usize = 54;

/// The channel through which an application was submitted, or its data were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Channel {
    /// A citizen's own application.
    Citizen = 0,
    /// Submitted by an authorised intermediary.
    Intermediary = 1,
    /// Submitted by a Contact Center for somebody who called it.
    ContactCenter = 2,
    /// Submitted by the canary: kept and verified like the others, but counted and exported nowhere.
    Canary = 3,
}

impl Channel {
    /// Every channel of people.
    pub const OF_PEOPLE: [Self; 3] = [Self::Citizen, Self::Intermediary, Self::ContactCenter];
    /// Every channel.
    pub const ALL: [Self; 4] =
        [Self::Citizen, Self::Intermediary, Self::ContactCenter, Self::Canary];

    /// The channel's name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Citizen => "citizen",
            Self::Intermediary => "intermediary",
            Self::ContactCenter => "contact-center",
            Self::Canary => "canary",
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| *channel as u8 == byte)
    }
}

/// Which of its decisions an application has: the stored number is part of the sealed decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Turn {
    /// The first decision.
    First = 0,
    /// The decision that replaces a pending one.
    Again = 1,
}

impl Turn {
    pub(in crate::ledger) fn from_byte(byte: u8) -> Option<Self> {
        [Self::First, Self::Again].into_iter().find(|turn| *turn as u8 == byte)
    }
}

/// The readable part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The channel through which it was submitted.
    pub channel: Channel,
    /// The filing date, Europe/Rome. The time of day is not stored: it would be an order.
    pub received_on: Date,
    /// Whose data it is.
    pub subject: Subject,
    /// Who submitted it: the subject for a citizen, the office for an intermediary.
    pub principal: Subject,
    /// The person who acted; the subject for a citizen.
    pub actor: Subject,
}

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// It is too short or has an unknown version: damaged, or written by a later release.
    #[error("a record has an unknown format")]
    Format,
    /// It was erased, by law or order.
    #[error("a record was erased")]
    Erased,
    /// It does not open; see [`SealBroken`].
    #[error(transparent)]
    Seal(#[from] SealBroken),
}

impl Header {
    /// The header of a citizen's own application.
    #[must_use]
    pub fn of_citizen(citizen: Subject, received_on: Date) -> Self {
        let (subject, principal, actor) = (citizen, citizen, citizen);
        Self { channel: Channel::Citizen, received_on, subject, principal, actor }
    }

    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = VERSION;
        bytes[1] = self.channel as u8;
        bytes[2..6].copy_from_slice(&day_number(self.received_on).to_be_bytes());
        bytes[6..22].copy_from_slice(&self.subject.0);
        bytes[22..38].copy_from_slice(&self.principal.0);
        bytes[38..].copy_from_slice(&self.actor.0);
        bytes
    }

    /// Reads the header of a stored record without opening the record.
    ///
    /// # Errors
    /// [`RecordFault::Format`].
    pub(in crate::ledger) fn decode(stored: &[u8]) -> Result<Self, RecordFault> {
        let header = stored.get(..HEADER_BYTES).ok_or(RecordFault::Format)?;
        let array = |range: std::ops::Range<usize>| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&header[range]);
            bytes
        };
        if header[0] != VERSION {
            return Err(RecordFault::Format);
        }
        let day = i32::from_be_bytes([header[2], header[3], header[4], header[5]]);
        Ok(Self {
            channel: Channel::from_byte(header[1]).ok_or(RecordFault::Format)?,
            received_on: day_of(day).ok_or(RecordFault::Format)?,
            subject: Subject(array(6..22)),
            principal: Subject(array(22..38)),
            actor: Subject(array(38..54)),
        })
    }
}

impl HouseKeys {
    /// Seals the record of an application for its subject.
    #[must_use]
    pub fn seal_record(&self, campaign: Campaign, header: &Header, application: &[u8]) -> Vec<u8> {
        self.seal(campaign, header.subject, &header.encode(), application)
    }

    /// Opens a record for `subject`, and returns the application's bytes as they were sent.
    ///
    /// # Errors
    /// [`RecordFault::Seal`] if the record is another subject's: raise the alarm and show nothing.
    pub fn open_record(
        &self,
        campaign: Campaign,
        subject: Subject,
        stored: &[u8],
    ) -> Result<Vec<u8>, RecordFault> {
        Ok(self.open(campaign, subject, HEADER_BYTES, stored)?)
    }

    /// Seals a decision for its subject, bound to its position and turn.
    #[must_use]
    pub fn seal_decision(
        &self,
        campaign: Campaign,
        subject: Subject,
        (position, turn): (Position, Turn),
        decision: &[u8],
    ) -> Vec<u8> {
        self.seal(campaign, subject, &decision_header(position, turn), &packing::pack(decision))
    }

    /// Opens a decision.
    ///
    /// # Errors
    /// [`RecordFault`] if it is another subject's, or belongs to another position or turn.
    pub fn open_decision(
        &self,
        campaign: Campaign,
        subject: Subject,
        (position, turn): (Position, Turn),
        stored: &[u8],
    ) -> Result<Vec<u8>, RecordFault> {
        let header = decision_header(position, turn);
        if !stored.starts_with(&header) {
            return Err(RecordFault::Format);
        }
        let packed = self.open(campaign, subject, header.len(), stored)?;
        packing::unpack(&packed).ok_or(RecordFault::Format)
    }
}

fn decision_header(position: Position, turn: Turn) -> [u8; 7] {
    let [a, b, c, d] = position.0.to_be_bytes();
    [VERSION, DECISION, turn as u8, a, b, c, d]
}

/// Days since 1970-01-01.
pub(in crate::ledger) fn day_number(date: Date) -> i32 {
    EPOCH.until(date).map_or(0, |span| span.get_days())
}

pub(in crate::ledger) fn day_of(number: i32) -> Option<Date> {
    EPOCH.checked_add(jiff::Span::new().try_days(number).ok()?).ok()
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{civic::FiscalCode, schemes::Scheme};

    const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

    #[test]
    fn a_record_opens_for_its_subject_and_its_header_reads_without_opening() {
        let keys = HouseKeys::from_master(&[7; 32]);
        let [subject, principal, actor] = [1, 2, 3].map(|n| keys.subject(&FiscalCode::made_up(n)));
        let header = Header {
            channel: Channel::Intermediary,
            received_on: jiff::civil::date(2024, 9, 16),
            subject,
            principal,
            actor,
        };
        let stored = keys.seal_record(CAMPAIGN, &header, b"{}");
        assert_eq!(Header::decode(&stored), Ok(header));
        assert_eq!(keys.open_record(CAMPAIGN, subject, &stored).unwrap(), b"{}");
        assert_eq!(
            keys.open_record(CAMPAIGN, principal, &stored),
            Err(RecordFault::Seal(SealBroken))
        );
        assert_eq!(Header::decode(&stored[..HEADER_BYTES - 1]), Err(RecordFault::Format));
    }
}
