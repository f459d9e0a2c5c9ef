//! A sealed row: whose it is, its number, and its events. The parts of a summary are sealed likewise.

use crate::{
    ledger::journal::{Event, encoding::decode_framed},
    vault::{HouseKeys, Place, Subject},
};

/// What is sealed: the header tells it, and its version. The frames of a journal in files have another one.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// The events of a row.
    Row = 3,
    /// A part of a summary.
    Living = 4,
    /// Visits whose session is over.
    Ended = 5,
}

/// The subject of the seal: the journal belongs to no person.
const NOBODY: Subject = Subject([0; 16]);
/// Bytes of the node and the number, in front of the events: a row that somebody moved does not open.
const PLACE_BYTES: usize = 12;

/// Seals the events of a row.
pub(super) fn seal(keys: &HouseKeys, (node, number): (i32, i64), events: &[u8]) -> Vec<u8> {
    seal_as(Kind::Row, keys, (node, number), events)
}

/// Seals bytes at a place: a node and a number, or a part and the number of its summary.
pub(super) fn seal_as(kind: Kind, keys: &HouseKeys, at: (i32, i64), bytes: &[u8]) -> Vec<u8> {
    let plain = [&place(at.0, at.1)[..], bytes].concat();
    keys.seal(Place::Journal, NOBODY, &[kind as u8], &plain)
}

/// Calls `each` with the events of a row; `None`, and no call, if it is not this row, or of other keys.
pub(super) fn open(
    keys: &HouseKeys,
    at: (i32, i64),
    sealed: &[u8],
    each: &mut dyn FnMut(Event),
) -> Option<()> {
    let events = open_as(Kind::Row, keys, at, sealed)?;
    // All of them, or none.
    decode_framed(&events, &mut |_| ())?;
    decode_framed(&events, each)
}

/// What was sealed at a place; `None` if it is something else, or of other keys.
pub(super) fn open_as(
    kind: Kind,
    keys: &HouseKeys,
    at: (i32, i64),
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let header = [kind as u8];
    if !sealed.starts_with(&header) {
        return None;
    }
    let mut plain = keys.open(Place::Journal, NOBODY, header.len(), sealed).ok()?;
    if !plain.starts_with(&place(at.0, at.1)) {
        return None;
    }
    Some(plain.split_off(PLACE_BYTES))
}

fn place(node: i32, number: i64) -> [u8; PLACE_BYTES] {
    let mut place = [0; PLACE_BYTES];
    let (of_node, of_number) = place.split_at_mut(4);
    of_node.copy_from_slice(&node.to_be_bytes());
    of_number.copy_from_slice(&number.to_be_bytes());
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::journal::encoding::encode_framed;

    #[test]
    fn a_row_opens_in_its_own_place_alone() {
        let keys = HouseKeys::from_master(&[7; 32]);
        let event = Event::Ended { visit: Subject([5; 16]) };
        let mut events = Vec::new();
        encode_framed(&event, &mut events);
        let sealed = seal(&keys, (3, 9), &events);
        let read = |keys: &HouseKeys, place, sealed: &[u8]| {
            let mut read = Vec::new();
            open(keys, place, sealed, &mut |event| read.push(event)).map(|()| read)
        };
        assert_eq!(read(&keys, (3, 9), &sealed), Some(vec![event]));
        for place in [(3, 8), (4, 9), (9, 3)] {
            assert_eq!(read(&keys, place, &sealed), None);
        }
        assert_eq!(read(&HouseKeys::from_master(&[8; 32]), (3, 9), &sealed), None);
        assert_eq!(read(&keys, (3, 9), &sealed[..20]), None);
        let torn = seal(&keys, (3, 9), &events[..events.len() - 1]);
        assert_eq!(read(&keys, (3, 9), &torn), None);
    }
}
