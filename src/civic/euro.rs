//! Amounts of money in whole cents, never floating point.

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// The largest amount from outside, in cents, positive or negative: 999,999,999.99 euro.
///
/// Far above any income of one person; every sum that the rules compute from it fits 64 bits.
pub const AMOUNT_CENTS_MAX: i64 = 99_999_999_999;

/// The longest printed amount: 19 digits of 64 bits, a point and a sign.
const AMOUNT_CHARS_MAX: usize = 21;

/// An amount of euro, exact to the cent; negative for a loss.
///
/// ```
/// use sportello::civic::Euro;
///
/// let amount = Euro::parse("687.5").unwrap();
/// assert_eq!(amount, Euro::from_cents(68_750));
/// assert_eq!(amount.to_string(), "687.50");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Euro(i64);

/// Why a string is not an amount of euro. Never quotes the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum EuroFault {
    /// It is not made of digits, with an optional leading minus and at most two decimals after a point.
    #[error("an amount consists of digits, with at most two decimals after a point")]
    Shape,
    /// It is larger than [`AMOUNT_CENTS_MAX`].
    #[error("an amount is at most 999999999.99")]
    TooLarge,
}

impl Euro {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// An amount from a number of cents, not bounded.
    #[must_use]
    pub const fn from_cents(cents: i64) -> Self {
        Self(cents)
    }

    /// Parses a decimal string: `3000`, `3000.5`, `3000.50`, `-12.00`.
    ///
    /// No plus sign, no leading zeros, no separators of thousands, no exponent.
    ///
    /// # Errors
    ///
    /// [`EuroFault::Shape`] and [`EuroFault::TooLarge`]: report them to the applicant.
    pub fn parse(text: &str) -> Result<Self, EuroFault> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, decimals) = match unsigned.split_once('.') {
            Some((whole, decimals)) if matches!(decimals.len(), 1 | 2) => (whole, decimals),
            Some(_) => return Err(EuroFault::Shape),
            None => (unsigned, ""),
        };
        let is_padded = whole.len() > 1 && whole.starts_with('0');
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || is_padded || !is_digits(whole) || !is_digits(decimals) {
            return Err(EuroFault::Shape);
        }
        let mut cents = 0_i64;
        for part in [whole, decimals, &"00"[decimals.len()..]] {
            for digit in part.bytes() {
                // Checked at each digit, so that it never overflows.
                cents = cents * 10 + i64::from(digit - b'0');
                if cents > AMOUNT_CENTS_MAX {
                    return Err(EuroFault::TooLarge);
                }
            }
        }
        Ok(Self(if unsigned.len() < text.len() { -cents } else { cents }))
    }

    /// The amount in cents.
    #[must_use]
    pub const fn cents(self) -> i64 {
        self.0
    }

    /// The sum; `None` if it does not fit 64 bits of cents.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference; `None` if it does not fit 64 bits of cents.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product; `None` if it does not fit 64 bits of cents.
    #[must_use]
    pub fn checked_mul(self, times: i64) -> Option<Self> {
        self.0.checked_mul(times).map(Self)
    }
}

impl fmt::Display for Euro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Written backwards into one buffer: a decision prints several amounts, and `fmt` for each number would
        // cost more than the decision.
        let mut text = [b'0'; AMOUNT_CHARS_MAX];
        let mut rest = self.0.unsigned_abs();
        let mut start = AMOUNT_CHARS_MAX;
        while rest > 0 || start > AMOUNT_CHARS_MAX - 4 {
            start -= 1;
            if start == AMOUNT_CHARS_MAX - 3 {
                text[start] = b'.';
                continue;
            }
            text[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        if self.0 < 0 {
            start -= 1;
            text[start] = b'-';
        }
        f.write_str(std::str::from_utf8(&text[start..]).unwrap_or_default())
    }
}

impl fmt::Debug for Euro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Euro {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_amount_prints_the_same_for_debugging() {
        assert_eq!(format!("{:?}", Euro::from_cents(-1_205)), "-12.05");
    }

    #[test]
    fn small_amounts_have_a_digit_before_the_point_and_nothing_is_not_negative() {
        let printed =
            [0, 1, -1, 10, 99, 100, -100].map(|cents| Euro::from_cents(cents).to_string());
        assert_eq!(printed, ["0.00", "0.01", "-0.01", "0.10", "0.99", "1.00", "-1.00"]);
    }

    #[test]
    fn decimals_may_be_none_one_or_two() {
        for (text, cents) in [
            ("3000", 300_000),
            ("3000.5", 300_050),
            ("3000.05", 300_005),
            ("0", 0),
            ("0.01", 1),
            ("-0", 0),
            ("-0.01", -1),
            ("999999999.99", AMOUNT_CENTS_MAX),
            ("-999999999.99", -AMOUNT_CENTS_MAX),
        ] {
            assert_eq!(Euro::parse(text), Ok(Euro::from_cents(cents)), "{text}");
        }
    }

    #[test]
    fn each_fault_is_named() {
        for text in [
            "", "-", ".", ".5", "5.", "1.234", "1,50", "1.000,00", "+1", "--1", "1e3", "1 ", " 1",
            "01", "00", "1.-1", "1.+5", "٣", "1.5.0", "0x10", "NaN", "inf", "€5",
        ] {
            assert_eq!(Euro::parse(text), Err(EuroFault::Shape), "{text}");
        }
        for text in ["1000000000", "-1000000000.00", "99999999999999999999999999"] {
            assert_eq!(Euro::parse(text), Err(EuroFault::TooLarge), "{text}");
        }
    }

    #[test]
    fn arithmetic_does_not_wrap() {
        let most = Euro::from_cents(i64::MAX);
        assert_eq!(most.checked_add(Euro::from_cents(1)), None);
        assert_eq!(Euro::from_cents(i64::MIN).checked_sub(Euro::from_cents(1)), None);
        assert_eq!(most.checked_mul(2), None);
        assert_eq!(
            Euro::from_cents(5).checked_add(Euro::from_cents(7)),
            Some(Euro::from_cents(12))
        );
        assert_eq!(
            Euro::from_cents(5).checked_sub(Euro::from_cents(7)),
            Some(Euro::from_cents(-2))
        );
        assert_eq!(Euro::from_cents(68_750).checked_mul(6), Some(Euro::from_cents(412_500)));
        assert_eq!(most.to_string(), "92233720368547758.07");
        assert_eq!(Euro::from_cents(i64::MIN).to_string(), "-92233720368547758.08");
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn what_is_printed_parses_to_itself(cents in -AMOUNT_CENTS_MAX..=AMOUNT_CENTS_MAX) {
            let amount = Euro::from_cents(cents);
            prop_assert_eq!(Euro::parse(&amount.to_string()), Ok(amount));
        }

        #[test]
        fn any_text_parses_or_names_its_fault(text in "-?[0-9]{0,12}[.,]?[0-9]{0,3}|\\PC*") {
            if let Ok(amount) = Euro::parse(&text) {
                prop_assert_eq!(Euro::parse(&amount.to_string()), Ok(amount));
            }
        }
    }
}
