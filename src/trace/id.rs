//! Ids of requests and spans: random, so that they show no order and no number of people.

use std::{cell::RefCell, fmt};

use crate::vault::fill_random;

/// Random bytes that a thread draws at a time. An id takes 16 or 8 of them, so that one call of the generator serves dozens
/// of requests.
const POOL_BYTES: usize = 1024;
/// Digits of a [reference](RequestId::reference): among ten million requests, two with the same one are improbable.
const REFERENCE_DIGITS: usize = 12;

/// The id of a request: also the id of its trace, 16 bytes that are not all zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 16]);

/// The id of a span: 8 bytes that are not all zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SpanId([u8; 8]);

impl RequestId {
    pub(super) fn random() -> Self {
        Self(random())
    }

    /// Reads it from 32 lower-case hexadecimal digits that are not all zero.
    pub(super) fn parse(digits: &[u8]) -> Option<Self> {
        parse(digits).map(Self)
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn digits(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        digits
    }

    /// Its last digits in groups of four, for people who read them out: other programs put what is the same in many ids, such
    /// as the time, at the beginning.
    #[must_use]
    pub fn reference(self) -> String {
        let digits = self.digits();
        let mut text = String::with_capacity(REFERENCE_DIGITS + REFERENCE_DIGITS / 4);
        for (at, digit) in digits[digits.len() - REFERENCE_DIGITS..].iter().enumerate() {
            if at > 0 && at % 4 == 0 {
                text.push(' ');
            }
            text.push(char::from(*digit));
        }
        text
    }
}

impl SpanId {
    pub(super) fn random() -> Self {
        Self(random())
    }

    /// Reads it from 16 lower-case hexadecimal digits that are not all zero.
    pub(super) fn parse(digits: &[u8]) -> Option<Self> {
        parse(digits).map(Self)
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().iter().try_for_each(|digit| write!(formatter, "{}", char::from(*digit)))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The bytes behind lower-case hexadecimal digits; `None` for other characters, another length, or nothing but zeros.
fn parse<const BYTES: usize>(digits: &[u8]) -> Option<[u8; BYTES]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if digits.len() != 2 * BYTES {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    (bytes != [0; BYTES]).then_some(bytes)
}

/// Random bytes of this thread.
struct Pool {
    bytes: [u8; POOL_BYTES],
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], used: POOL_BYTES }) };
}

fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut drawn = POOL.with_borrow_mut(|pool| {
        if pool.used + BYTES > POOL_BYTES {
            fill_random(&mut pool.bytes);
            pool.used = 0;
        }
        let mut drawn = [0; BYTES];
        let mine = &mut pool.bytes[pool.used..pool.used + BYTES];
        drawn.copy_from_slice(mine);
        // What is used is not kept: no later reader of this memory learns an earlier id.
        mine.fill(0);
        pool.used += BYTES;
        drawn
    });
    // Nothing but zeros is no id.
    drawn[BYTES - 1] |= u8::from(drawn == [0; BYTES]);
    drawn
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_differ_and_show_no_order() {
        let ids: Vec<_> = (0..1000).map(|_| RequestId::random().digits()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1000);
        let rises = ids.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((400..600).contains(&rises), "{rises} of 999 ids are above the one before");
        let spans: BTreeSet<_> = (0..1000).map(|_| SpanId::random().to_bytes()).collect();
        assert_eq!(spans.len(), 1000);
    }

    #[test]
    fn an_id_is_written_as_it_is_read_and_people_read_out_its_end() {
        let text = "4bf92f3577b34da6a3ce929d0e0e4736";
        let id = RequestId::parse(text.as_bytes()).unwrap();
        assert_eq!((id.to_string(), &id.digits()[..]), (text.to_owned(), text.as_bytes()));
        assert_eq!(id.reference(), "929d 0e0e 4736");
        assert_eq!(
            format!("{:?}", SpanId::parse(b"00f067aa0ba902b7").unwrap()),
            "00f067aa0ba902b7"
        );
    }
}
