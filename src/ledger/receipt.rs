//! Receipts and their codes. A code is a keyed permutation of the record's position, so it shows no order and cannot be
//! guessed.
//!
//! A position of 32 bits and 48 zero bits make an 80-bit block, which a Feistel network of eight rounds under the house
//! key turns into 16 letters. Inverted, the 48 bits are zero again only for a code that this house issued: a guess hits
//! one in 2.8 · 10^14. Source of the construction: Luby and Rackoff, 1988.
//!
//! The code follows from the position alone, so every engine reserves positions *before* it writes: the committer of
//! one machine takes the next number, a node of a replicated ledger takes numbers from a block that it has reserved.
//! The code can then be signed in the same transaction as the record. Reserved positions that are never written leave
//! gaps, which nobody sees.

use std::{
    cmp::Ordering,
    fmt::{self, Write as _},
};

use serde::{Deserialize, Serialize};

use super::{position::Position, proof::Proof};
use crate::{
    schemes::{Campaign, Scheme},
    vault::HouseKeys,
};

/// Crockford's base 32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ROUNDS: u8 = 8;
const HALF_MASK: u64 = (1 << 40) - 1;
const CHECK_BITS: u32 = 48;
const CODE_LETTERS: usize = 16;
/// Bytes of a code's block.
pub(super) const BLOCK_BYTES: usize = 10;

/// The state that every receipt names: a receipt says what happened, not what follows.
const RECEIVED: &str = "received";

/// What the person holds. It exists only if the record is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// The code, as [`ReceiptCode`] prints it.
    pub receipt: String,
    /// Always `received`.
    pub state: String,
    /// The filing date, Europe/Rome.
    pub received_on: String,
    /// SHA-256 of the application's bytes as they were sent, in the form of RFC 9530.
    pub digest: String,
    /// The path to the signed root of its batch.
    pub proof: Proof,
}

impl Receipt {
    pub(super) fn new(receipt: String, received_on: String, digest: String, proof: Proof) -> Self {
        Self { receipt, state: RECEIVED.to_owned(), received_on, digest, proof }
    }

    /// Whether it names the state that every receipt names.
    pub(super) fn is_received(&self) -> bool {
        self.state == RECEIVED
    }
}

/// The public name of an application: `ISCRO-2024-7K3M-9QXT-B2FD-0YHR`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReceiptCode {
    campaign: Campaign,
    block: u128,
}

impl ReceiptCode {
    /// The code of a position in a campaign's ledger.
    #[must_use]
    pub fn of(keys: &HouseKeys, campaign: Campaign, position: Position) -> Self {
        let block = u128::from(position.0) << CHECK_BITS;
        let (mut left, mut right) = split(block);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ round_function(keys, campaign, round, right));
        }
        Self { campaign, block: u128::from(left) << 40 | u128::from(right) }
    }

    /// The position in its campaign's ledger; `None` if the house with these keys never issued the code.
    #[must_use]
    pub fn position(&self, keys: &HouseKeys) -> Option<Position> {
        let (mut left, mut right) = split(self.block);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ round_function(keys, self.campaign, round, left), left);
        }
        let block = u128::from(left) << 40 | u128::from(right);
        if block & ((1 << CHECK_BITS) - 1) != 0 {
            return None;
        }
        u32::try_from(block >> CHECK_BITS).ok().map(Position)
    }

    /// Parses a code. Lower case is accepted, and `O` for `0`, `I` and `L` for `1`.
    ///
    /// Checks only the form; use [`position`](Self::position) to see whether this house issued it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_uppercase();
        let (head, code) = text.split_at_checked(text.len().checked_sub(CODE_LETTERS + 4)?)?;
        let (prefix, year) = head.split_once('-')?;
        let scheme = Scheme::ALL.into_iter().find(|scheme| scheme.receipt_prefix() == prefix)?;
        let year = year.parse().ok().filter(|parsed: &i16| parsed.to_string() == year)?;
        let campaign = Campaign { scheme, year };
        let mut block = 0_u128;
        let mut groups = code.split('-').skip(1);
        for _ in 0..4 {
            let group = groups.next().filter(|group| group.len() == 4)?;
            for letter in group.bytes() {
                block = block << 5 | u128::from(value_of(letter)?);
            }
        }
        (code.starts_with('-') && groups.next().is_none()).then_some(Self { campaign, block })
    }

    /// The campaign that the application belongs to.
    #[must_use]
    pub fn campaign(&self) -> Campaign {
        self.campaign
    }

    /// Its 80 bits. Within a campaign they sort like the code.
    pub(super) fn block_bytes(&self) -> [u8; BLOCK_BYTES] {
        let mut bytes = [0; BLOCK_BYTES];
        bytes.copy_from_slice(&self.block.to_be_bytes()[size_of::<u128>() - BLOCK_BYTES..]);
        bytes
    }

    pub(super) fn from_block(campaign: Campaign, bytes: [u8; BLOCK_BYTES]) -> Self {
        let mut block = [0; size_of::<u128>()];
        block[size_of::<u128>() - BLOCK_BYTES..].copy_from_slice(&bytes);
        Self { campaign, block: u128::from_be_bytes(block) }
    }

    /// Where the codes of a campaign stand among those of all.
    #[must_use]
    pub fn place_of(campaign: Campaign) -> (&'static str, i16) {
        (campaign.scheme.receipt_prefix(), campaign.year)
    }
}

/// The order of lists: that of the codes as text.
impl Ord for ReceiptCode {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |code: &Self| (Self::place_of(code.campaign), code.block);
        place(self).cmp(&place(other))
    }
}

impl PartialOrd for ReceiptCode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ReceiptCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.campaign.scheme.receipt_prefix(), self.campaign.year)?;
        for group in (0..CODE_LETTERS / 4).rev() {
            let letters = (self.block >> (20 * group)) as usize;
            let letter = |place: usize| ALPHABET[letters >> (5 * place) & 31] as char;
            formatter.write_char('-')?;
            (0..4).rev().try_for_each(|place| formatter.write_char(letter(place)))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ReceiptCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// One round of the Feistel network: 40 bits of a hash of `half` under the receipt key.
fn round_function(keys: &HouseKeys, campaign: Campaign, round: u8, half: u64) -> u64 {
    let mut input = [0; 12];
    input[0] = round;
    input[1] = campaign.scheme as u8;
    input[2..4].copy_from_slice(&campaign.year.to_be_bytes());
    input[4..].copy_from_slice(&half.to_be_bytes());
    let hash = blake3::keyed_hash(keys.receipt_key(), &input);
    let mut word = [0; 8];
    word.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(word) & HALF_MASK
}

fn split(block: u128) -> (u64, u64) {
    let half = |bits: u128| u64::try_from(bits & u128::from(HALF_MASK)).unwrap_or_default();
    (half(block >> 40), half(block))
}

fn value_of(letter: u8) -> Option<u8> {
    let letter = match letter {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    ALPHABET.iter().position(|&known| known == letter).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> HouseKeys {
        HouseKeys::from_master(&[7; 32])
    }

    const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn a_code_leads_back_to_its_position(position: u32) {
            let code = ReceiptCode::of(&keys(), CAMPAIGN, Position(position));
            let read = ReceiptCode::parse(&code.to_string().to_lowercase()).unwrap();
            prop_assert_eq!(read.position(&keys()), Some(Position(position)));
        }

        #[test]
        fn a_code_of_any_scheme_leads_back_to_it(position: u32) {
            for scheme in Scheme::ALL {
                let campaign = Campaign { scheme, year: 2020 };
                let code = ReceiptCode::of(&keys(), campaign, Position(position));
                let read = ReceiptCode::parse(&code.to_string()).unwrap();
                prop_assert_eq!(read.campaign(), campaign);
                prop_assert_eq!(read.position(&keys()), Some(Position(position)));
                let prefix = format!("{}-2020-", scheme.receipt_prefix());
                prop_assert!(code.to_string().starts_with(&prefix));
            }
        }

        #[test]
        fn a_guessed_code_leads_nowhere(letters in "[0-9A-HJKMNP-TV-Z]{4}") {
            let code = format!("ISCRO-2024-{letters}-7777-{letters}-7777");
            prop_assert_eq!(ReceiptCode::parse(&code).unwrap().position(&keys()), None);
        }

        #[test]
        fn any_text_is_a_code_or_is_not(text: String) {
            if let Some(code) = ReceiptCode::parse(&text) {
                prop_assert_eq!(ReceiptCode::parse(&code.to_string()), Some(code));
            }
        }
    }

    #[test]
    fn codes_carry_no_order() {
        let codes: Vec<_> = (0..1000)
            .map(|n| ReceiptCode::of(&keys(), CAMPAIGN, Position(n)).to_string())
            .collect();
        let rising = codes.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((400..600).contains(&rising), "{rising} of 999 neighbours rise");
    }

    #[test]
    fn a_code_of_another_campaign_or_house_leads_nowhere() {
        let code = ReceiptCode::of(&keys(), CAMPAIGN, Position(5));
        let moved = ReceiptCode { campaign: Campaign { year: 2025, ..CAMPAIGN }, ..code };
        assert_eq!(moved.position(&keys()), None);
        assert_eq!(code.position(&HouseKeys::from_master(&[8; 32])), None);
    }
}
