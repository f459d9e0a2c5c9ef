//! The *partita IVA*, which identifies a business to the revenue agency.

use std::fmt;

use thiserror::Error;

/// Digits of a VAT number.
pub const VAT_NUMBER_DIGITS: usize = 11;

/// How many different numbers [`VatNumber::made_up`] generates.
pub const MADE_UP_VAT_NUMBERS_MAX: u64 = MADE_UP_SERIALS * 300;

/// An Italian VAT number: seven digits of serial, three of the issuing office, one check digit.
///
/// Whether it was ever issued, or is still active, is not checked; only the revenue agency knows. A sole trader's
/// number identifies a person, so `Debug` shows only its last two digits.
///
/// ```
/// use sportello::civic::{VatNumber, VatNumberFault};
///
/// assert_eq!(VatNumber::parse("00743110157").unwrap().as_str(), "00743110157");
/// assert_eq!(VatNumber::parse("00743110158"), Err(VatNumberFault::CheckDigit));
/// ```
///
/// Source: DM 23 December 1976 (Ministry of Finance).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VatNumber([u8; VAT_NUMBER_DIGITS]);

/// Why a string is not a VAT number. Never quotes the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum VatNumberFault {
    /// It does not have 11 characters.
    #[error("a VAT number has 11 digits")]
    Length,
    /// The character at this position (from 1) is not a digit.
    #[error("the character at position {0} is not a digit")]
    Character(u8),
    /// Its first seven digits, the serial, are all zero.
    #[error("the first seven digits are all zero")]
    Serial,
    /// The last digit does not follow from the ten before it.
    #[error("the check digit does not match")]
    CheckDigit,
}

/// Serials run from 1: 0000000 is never issued.
const MADE_UP_SERIALS: u64 = 9_999_999;
/// No office has a number from here to 887, so that a made-up business is never a real one.
const MADE_UP_OFFICE_MIN: u64 = 500;

impl VatNumber {
    /// Parses a number of eleven digits, without country prefix or spaces.
    ///
    /// # Errors
    ///
    /// The first [`VatNumberFault`] from left to right: report it to the applicant.
    pub fn parse(text: &str) -> Result<Self, VatNumberFault> {
        let digits: [u8; VAT_NUMBER_DIGITS] =
            text.as_bytes().try_into().map_err(|_| VatNumberFault::Length)?;
        for (place, byte) in (1_u8..).zip(digits) {
            if !byte.is_ascii_digit() {
                return Err(VatNumberFault::Character(place));
            }
        }
        if digits.starts_with(b"0000000") {
            return Err(VatNumberFault::Serial);
        }
        if check_digit(&digits) != digits[10] {
            return Err(VatNumberFault::CheckDigit);
        }
        Ok(Self(digits))
    }

    /// The `n`-th made-up number, the same one every time.
    ///
    /// Different `n` below [`MADE_UP_VAT_NUMBERS_MAX`] give different numbers; from there on they repeat.
    #[must_use]
    pub fn made_up(n: u64) -> Self {
        let n = n % MADE_UP_VAT_NUMBERS_MAX;
        let serial = 1 + n % MADE_UP_SERIALS;
        let mut rest = serial * 1000 + MADE_UP_OFFICE_MIN + n / MADE_UP_SERIALS;
        let mut digits = [b'0'; VAT_NUMBER_DIGITS];
        for digit in digits[..10].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        digits[10] = check_digit(&digits);
        Self(digits)
    }

    /// The eleven digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for VatNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "*********{}", &self.as_str()[9..])
    }
}

/// Luhn's check over the first ten digits.
fn check_digit(digits: &[u8; VAT_NUMBER_DIGITS]) -> u8 {
    let mut sum = 0;
    for (index, byte) in digits[..10].iter().enumerate() {
        let is_even_place = index % 2 == 1;
        let value = (byte - b'0') * if is_even_place { 2 } else { 1 };
        sum += if value > 9 { value - 9 } else { value };
    }
    b'0' + (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_fault_is_named() {
        use VatNumberFault::{Character, CheckDigit, Length, Serial};
        for (text, fault) in [
            ("", Length),
            ("0074311015", Length),
            ("IT00743110157", Length),
            ("0074311015X", Character(11)),
            (" 0743110157", Character(1)),
            ("00000000000", Serial),
            ("00743110158", CheckDigit),
        ] {
            assert_eq!(VatNumber::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn made_up_numbers_go_through_every_serial_of_every_office_and_begin_again() {
        for (n, number) in [
            (0, "00000015008"),
            (1, "00000025007"),
            (9_999_998, "99999995006"),
            (9_999_999, "00000015016"),
            (2_999_999_699, "99999997994"),
            (2_999_999_700, "00000015008"),
        ] {
            assert_eq!(VatNumber::made_up(n).as_str(), number, "{n}");
        }
        assert_eq!(MADE_UP_VAT_NUMBERS_MAX, 2_999_999_700);
    }

    #[test]
    fn debug_shows_the_end_only() {
        assert_eq!(format!("{:?}", VatNumber::parse("00743110157").unwrap()), "*********57");
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn any_text_parses_to_itself_or_is_refused(text in "[0-9]{10,12}|\\PC*") {
            if let Ok(number) = VatNumber::parse(&text) {
                prop_assert_eq!(number.as_str(), text);
            }
        }

        #[test]
        fn made_up_numbers_are_valid_and_differ(
            n in 0..MADE_UP_VAT_NUMBERS_MAX, m in 0..MADE_UP_VAT_NUMBERS_MAX,
        ) {
            let (one, other) = (VatNumber::made_up(n), VatNumber::made_up(m));
            prop_assert_eq!(VatNumber::parse(one.as_str()), Ok(one));
            prop_assert_eq!(one == other, n == m);
        }

        #[test]
        fn one_wrong_digit_is_noticed(n in 0..1_000_000_u64, place in 0_usize..11, step in 1..10_u8) {
            let mut digits = VatNumber::made_up(n).0;
            digits[place] = b'0' + (digits[place] - b'0' + step) % 10;
            let text = std::str::from_utf8(&digits).unwrap();
            prop_assert!(VatNumber::parse(text).is_err());
        }
    }
}
