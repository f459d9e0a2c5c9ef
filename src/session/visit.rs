//! The visit: the segment of the path that belongs to one session, chosen by its client.

use std::ops::RangeInclusive;

use aws_lc_rs::constant_time::verify_slices_are_equal;

/// Characters of a visit: 22 of base64url hold 128 bits.
const VISIT_CHARS: RangeInclusive<usize> = 22..=64;

/// The name that a client made for one visit, 22 to 64 characters of base64url.
///
/// It must be random, which cannot be checked. Behind a cache that ignores every header it is a secret.
#[derive(Clone)]
pub struct Visit(Box<str>);

impl Visit {
    /// Reads a segment of a path; `None` if it has another length or other characters.
    #[must_use]
    pub fn parse(segment: &str) -> Option<Self> {
        let is_base64url =
            segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (VISIT_CHARS.contains(&segment.len()) && is_base64url).then(|| Self(segment.into()))
    }

    /// Whether a segment is this visit. The time does not depend on where the two differ.
    #[must_use]
    pub fn is(&self, segment: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), segment.as_bytes()).is_ok()
    }

    /// The visit as it stands in a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_is_long_enough_to_be_a_secret_and_needs_no_escaping() {
        for good in ["A".repeat(22), "z-_9".repeat(16)] {
            let visit = Visit::parse(&good).unwrap();
            assert!(visit.is(&good) && !visit.is(&good[1..]) && !visit.is(""), "{good}");
        }
        for wrong in ["", &"A".repeat(21), &"A".repeat(65), &"é".repeat(11), &"A+".repeat(11)] {
            assert!(Visit::parse(wrong).is_none(), "{wrong}");
        }
    }
}
