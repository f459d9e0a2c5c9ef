//! The narrow table: what the index and the proofs need of each record, and the changes of each batch.

use jiff::civil::Date;

use super::{
    super::{
        position::Position,
        proof::{Digest, receipt_leaf},
        receipt::ReceiptCode,
    },
    change::Change,
    record::{Channel, day_number, day_of},
};
use crate::{
    schemes::Outcome,
    vault::{Claim, KeyHash},
};

/// Bytes of a stored entry: claim, key, digest, day, channel.
const ENTRY_BYTES: usize = 16 + 16 + 32 + 4 + 1;
/// Bytes of a stored change: position, code.
const CHANGE_BYTES: usize = 4 + 1;
const WITHDRAWN_UNDECIDED: u8 = 0x10;
const WITHDRAWN_DECIDED: u8 = 0x20;
const REVISED: u8 = 0x30;
const ERASED: u8 = 0x40;

/// One row of the narrow table: what the index and the proofs need of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What may exist once.
    pub claim: Claim,
    /// The hash of the idempotency key.
    pub key: KeyHash,
    /// SHA-256 of the application's bytes.
    pub digest: Digest,
    /// The channel through which it was submitted.
    pub channel: Channel,
    /// The filing date, Europe/Rome.
    pub received_on: Date,
}

impl Entry {
    pub(in crate::ledger) fn encode_all(entries: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
        for entry in entries {
            bytes.extend_from_slice(&entry.claim.0);
            bytes.extend_from_slice(&entry.key.0);
            bytes.extend_from_slice(&entry.digest);
            bytes.extend_from_slice(&day_number(entry.received_on).to_be_bytes());
            bytes.push(entry.channel as u8);
        }
        bytes
    }

    /// Decodes a stored row; `None` if it is damaged.
    pub(in crate::ledger) fn decode_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let (rows, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        rest.is_empty().then(|| rows.iter().map(Self::decode).collect())?
    }

    /// The leaf of its receipt in the batch's tree.
    pub(in crate::ledger) fn leaf(&self, code: ReceiptCode) -> Digest {
        receipt_leaf(&code.to_string(), &self.received_on.to_string(), &self.digest)
    }

    fn decode(row: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let (claim, rest) = row.split_first_chunk::<16>()?;
        let (key, rest) = rest.split_first_chunk::<16>()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let (day, channel) = rest.split_first_chunk::<4>()?;
        Some(Self {
            claim: Claim(*claim),
            key: KeyHash(*key),
            digest: *digest,
            received_on: day_of(i32::from_be_bytes(*day))?,
            channel: Channel::from_byte(channel[0])?,
        })
    }
}

impl Change {
    pub(in crate::ledger) fn encode_all(changes: &[(Position, Self)]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(changes.len() * CHANGE_BYTES);
        for (position, change) in changes {
            bytes.extend_from_slice(&position.0.to_be_bytes());
            bytes.push(change.code());
        }
        bytes
    }

    /// Its byte in a stored row.
    pub(in crate::ledger) fn code(self) -> u8 {
        match self {
            Self::Decided(outcome) => outcome as u8,
            Self::Revised(outcome) => REVISED | outcome as u8,
            Self::Withdrawn(None) => WITHDRAWN_UNDECIDED,
            Self::Withdrawn(Some(outcome)) => WITHDRAWN_DECIDED | outcome as u8,
            Self::Erased => ERASED,
        }
    }

    /// The change with this byte; `None` if it is damaged.
    pub(in crate::ledger) fn from_code(code: u8) -> Option<Self> {
        let outcome = || Outcome::ALL.get(usize::from(code & 0x0f)).copied();
        Some(match code & 0xf0 {
            0 => Self::Decided(outcome()?),
            WITHDRAWN_UNDECIDED => Self::Withdrawn(None),
            WITHDRAWN_DECIDED => Self::Withdrawn(Some(outcome()?)),
            REVISED => Self::Revised(outcome()?),
            ERASED => Self::Erased,
            _ => return None,
        })
    }

    /// Decodes a stored row; `None` if it is damaged.
    pub(in crate::ledger) fn decode_all(bytes: &[u8]) -> Option<Vec<(Position, Self)>> {
        let (rows, rest) = bytes.as_chunks::<CHANGE_BYTES>();
        rest.is_empty().then(|| rows.iter().copied().map(Self::decode).collect())?
    }

    fn decode(row: [u8; CHANGE_BYTES]) -> Option<(Position, Self)> {
        let (position, code) = row.split_first_chunk::<4>()?;
        Some((Position(u32::from_be_bytes(*position)), Self::from_code(code[0])?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_changes_come_back_as_they_were_and_damage_is_seen() {
        let entry = |n: u8| Entry {
            claim: Claim([n; 16]),
            key: KeyHash([n + 1; 16]),
            digest: [n + 2; 32],
            channel: Channel::ALL[usize::from(n % 4)],
            received_on: jiff::civil::date(2024, 9, i8::try_from(n).unwrap()),
        };
        let entries: Vec<_> = (1..5).map(entry).collect();
        let bytes = Entry::encode_all(&entries);
        assert_eq!(Entry::decode_all(&bytes), Some(entries));
        assert_eq!(Entry::decode_all(&bytes[1..]), None);

        let mut changes: Vec<_> =
            Outcome::ALL.map(|outcome| (Position(7), Change::Decided(outcome))).into();
        changes.extend(Outcome::ALL.map(|outcome| (Position(8), Change::Withdrawn(Some(outcome)))));
        changes.extend(Outcome::ALL.map(|outcome| (Position(9), Change::Revised(outcome))));
        changes.push((Position(10), Change::Erased));
        changes.push((Position(u32::MAX), Change::Withdrawn(None)));
        let bytes = Change::encode_all(&changes);
        assert_eq!(Change::decode_all(&bytes), Some(changes));
        assert_eq!(Change::decode_all(&[0, 0, 0, 1, 0xff]), None);
    }
}
