//! Segments of a path that are read as they stand in an application.

use std::{borrow::Cow, fmt::Write as _};

use super::{problem::Kind, request::Head};
use crate::{application::is_mandate_reference, ledger::ReceiptCode};

/// The reference of a mandate in the path, if the route has one. One that cannot be is answered like one that is unknown.
pub(super) fn mandate<'r>(head: &Head<'r>) -> Result<Option<Cow<'r, str>>, Kind> {
    let mandate = head.segments.named("mandate");
    let reference = |segment| unescaped(segment).filter(|text| is_mandate_reference(text));
    mandate.map(|segment| reference(segment).ok_or(Kind::NotFound)).transpose()
}

/// The receipt code in the path, if the route has one. A malformed one is answered like one that does not exist.
pub(super) fn receipt(head: &Head<'_>) -> Result<Option<ReceiptCode>, Kind> {
    let receipt = head.segments.named("receipt");
    receipt.map(|segment| ReceiptCode::parse(segment).ok_or(Kind::NotFound)).transpose()
}

/// The number in the path, if the route has one.
pub(super) fn number(head: &Head<'_>) -> Result<Option<usize>, Kind> {
    let number = head.segments.named("number");
    // Rust reads a sign as well.
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let read = |text: &str| text.parse().ok().filter(|_| is_plain(text)).ok_or(Kind::NotFound);
    number.map(read).transpose()
}

/// A text of visible ASCII as a segment of a path.
pub(super) fn escaped(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _written = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// A segment of a path without its percent-encoding (RFC 3986, section 2.1); `None` unless it is visible ASCII.
fn unescaped(segment: &str) -> Option<Cow<'_, str>> {
    let mut parts = segment.split('%');
    let mut text = Cow::Borrowed(parts.next()?);
    for part in parts {
        let (hex, rest) = part.split_at_checked(2)?;
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let byte = is_hex.then(|| u8::from_str_radix(hex, 16).ok())??;
        let text = text.to_mut();
        text.push(char::from(byte));
        text.push_str(rest);
    }
    text.bytes().all(|byte| byte.is_ascii_graphic()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mandate_in_a_path_is_read_as_it_stands_in_an_application() {
        assert_eq!(unescaped("M-2024-1").as_deref(), Some("M-2024-1"));
        assert_eq!(unescaped("M%2f1%25%2F").as_deref(), Some("M/1%/"));
        let visible: String = ('!'..='~').collect();
        assert_eq!(unescaped(&escaped(&visible)).as_deref(), Some(&*visible));
        assert!(!escaped(&visible).contains(['/', '?', '#', '"', '<', '&']));
        for wrong in ["%", "%2", "%zz", "%+1", "%20", "%00", "a%C3%A8", "è", "%è"] {
            assert_eq!(unescaped(wrong), None, "{wrong}");
        }
    }
}
