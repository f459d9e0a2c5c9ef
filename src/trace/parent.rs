//! `traceparent`: the trace that a request says it belongs to (W3C Trace Context, section 3.2).

use super::id::{RequestId, SpanId};

/// Length of version 00. Later versions begin with the same fields.
const CHARACTERS: usize = 55;
/// The flag of a caller that samples.
const SAMPLED: u8 = 1;

/// The caller of a request, in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) trace: RequestId,
    pub(super) span: SpanId,
    pub(super) is_sampled: bool,
}

impl Parent {
    /// Reads it; `None` for what is malformed, which the specification says to ignore.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let (known, more) = text.split_at_checked(CHARACTERS)?;
        let [version, trace, span, flags] =
            [&known[..2], &known[3..35], &known[36..52], &known[53..]];
        let version = octet(version)?;
        let is_whole = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.is_empty() || more[0] == b'-',
        };
        if !is_whole || [known[2], known[35], known[52]] != *b"---" {
            return None;
        }
        let is_sampled = octet(flags)? & SAMPLED != 0;
        Some(Self { trace: RequestId::parse(trace)?, span: SpanId::parse(span)?, is_sampled })
    }
}

/// Two lower-case hexadecimal digits.
fn octet(digits: &[u8]) -> Option<u8> {
    let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let digits = std::str::from_utf8(digits).ok()?;
    u8::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|digit| is_digit(&digit)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_valid_traceparent_is_taken_over() {
        for (text, is_sampled) in [
            (format!("00-{TRACE}-{SPAN}-01"), true),
            (format!("00-{TRACE}-{SPAN}-00"), false),
            (format!("00-{TRACE}-{SPAN}-03"), true),
            (format!("00-{TRACE}-{SPAN}-fe"), false),
            // Later versions: the fields of this one, and perhaps more.
            (format!("01-{TRACE}-{SPAN}-01"), true),
            (format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"), true),
        ] {
            let parent = Parent::parse(&text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(parent.trace.to_string(), TRACE, "{text}");
            assert_eq!(format!("{:?}", parent.span), SPAN, "{text}");
            assert_eq!(parent.is_sampled, is_sampled, "{text}");
        }
    }

    #[test]
    fn a_malformed_traceparent_is_ignored() {
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0f-{TRACE}-{SPAN}-01.more"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("0A-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-0A"),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{}\n-{SPAN}-01", &TRACE[1..]),
            format!("00-{}é-{SPAN}-01", &TRACE[2..]),
            format!("00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01"),
        ] {
            assert_eq!(Parent::parse(&text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn whatever_a_client_sends_only_hexadecimal_digits_are_taken_over(text in "\\PC{0,80}|[0-9a-f-]{55}") {
            if let Some(parent) = Parent::parse(&text) {
                prop_assert_eq!(parent.trace.to_string(), &text[3..35]);
            }
        }
    }
}
