//! Compression of decisions with LZ4 and a dictionary: most of a decision's text is the same in every decision.
//!
//! A packed decision is the number of its dictionary, then an LZ4 block. A dictionary never changes, because stored
//! decisions need it; a better one gets the next number.

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};

/// The dictionaries, oldest first. New decisions use the newest.
const DICTIONARIES: [&[u8]; 1] = [include_bytes!("packing/phrases-1.ndjson")];

/// Compresses the text of a decision.
pub(super) fn pack(text: &[u8]) -> Vec<u8> {
    let newest = DICTIONARIES.len() - 1;
    let packed = compress_prepend_size_with_dict(text, DICTIONARIES[newest]);
    let mut bytes = Vec::with_capacity(1 + packed.len());
    bytes.push(u8::try_from(newest).unwrap_or(u8::MAX));
    bytes.extend_from_slice(&packed);
    bytes
}

/// Decompresses a decision; `None` if it is damaged, or if a later release packed it.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    let (number, packed) = bytes.split_first()?;
    decompress_size_prepended_with_dict(packed, DICTIONARIES.get(usize::from(*number))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        application::{self, example},
        civic::FiscalCode,
        ledger::proof::sha256,
        schemes::Rules,
    };

    #[test]
    fn a_decision_comes_back_to_the_letter_from_less_than_a_quarter() {
        let rules = Rules::builtin();
        for year in 2022..=2026 {
            let body = example(&FiscalCode::made_up(7), year);
            let application = application::parse(body.as_bytes(), rules).unwrap();
            let day = rules.window(application.campaign()).unwrap().opens_on;
            let text = rules.decide(&application.facts, day).to_json();
            let packed = pack(&text);
            assert_eq!(unpack(&packed).unwrap(), text);
            assert!(packed.len() * 4 < text.len(), "{year}: {} of {}", packed.len(), text.len());
        }
        assert_eq!(unpack(&pack(b"")).unwrap(), b"");
    }

    #[test]
    fn what_a_later_release_packed_is_not_guessed_at() {
        let mut packed = pack(b"{}");
        packed[0] = u8::try_from(DICTIONARIES.len()).unwrap();
        assert_eq!(unpack(&packed), None);
        assert_eq!(unpack(&[]), None);
    }

    #[test]
    fn a_dictionary_is_never_changed() {
        let digests = DICTIONARIES.map(|dictionary| sha256(dictionary)[..4].to_vec());
        assert_eq!(digests, [[242, 127, 155, 218]]);
    }
}
