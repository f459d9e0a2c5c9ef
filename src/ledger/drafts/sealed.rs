//! A draft as it is stored, the same bytes on every engine.

use super::{Draft, Slot};
use crate::{
    ledger::{book::record::RecordFault, fault::ReadFault},
    vault::{DraftKey, HouseKeys, Place, SealBroken, Subject},
};

/// The first byte of a sealed draft's header.
const HEADER_VERSION: u8 = 3;
/// The version, the key and the principal.
const HEADER_BYTES: usize = 1 + 16 + 16;

/// Seals a draft for its slot.
pub(in crate::ledger) fn seal(keys: &HouseKeys, slot: Slot, content: &[u8]) -> Vec<u8> {
    keys.seal(Place::Drafts, slot.person, &header_of(slot), content)
}

/// Opens the draft that was stored in a slot.
///
/// # Errors
/// [`ReadFault::Record`] if it was not sealed for this slot.
pub(in crate::ledger) fn open(
    keys: &HouseKeys,
    slot: Slot,
    sealed: &[u8],
) -> Result<Draft, ReadFault> {
    let opened = keys.open(Place::Drafts, slot.person, HEADER_BYTES, sealed);
    let content = opened.map_err(RecordFault::from)?;
    // The seal has shown that the header is whole.
    let (key, principal) = parts_of(sealed).ok_or(RecordFault::Seal(SealBroken))?;
    if key != slot.key {
        return Err(RecordFault::Seal(SealBroken).into());
    }
    Ok(Draft { principal, content })
}

/// Which draft it is and for which principal, from the header of a sealed one.
pub(in crate::ledger) fn parts_of(sealed: &[u8]) -> Option<(DraftKey, Subject)> {
    let (key, rest) = sealed.get(1..)?.split_first_chunk()?;
    Some((DraftKey(*key), Subject(*rest.first_chunk()?)))
}

/// The header of a sealed draft. It is authenticated, so a draft opens in its own slot only.
fn header_of(slot: Slot) -> Vec<u8> {
    [&[HEADER_VERSION], slot.key.0.as_slice(), &slot.principal.0].concat()
}
