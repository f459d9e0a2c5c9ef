//! Italian IBANs: the accounts to which benefits are paid.

use std::fmt;

use iban::BaseIban;
use thiserror::Error;

/// Characters of an Italian IBAN.
pub const IBAN_CHARS: usize = 27;

/// An Italian IBAN in its electronic form: capitals and digits, no spaces.
///
/// Whether the account exists, and whose it is, is not checked; the bank knows. `Debug` shows only
/// the first four and the last three characters.
///
/// ```
/// use sportello::civic::{Iban, IbanFault};
///
/// let account = Iban::parse("IT60X0542811101000000123456").unwrap();
/// assert_eq!(format!("{account:?}"), "IT60********************456");
/// assert_eq!(Iban::parse("IT61X0542811101000000123456"), Err(IbanFault::CheckDigits));
/// ```
///
/// Source: ISO 13616 and the SWIFT registry's entry for Italy.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Iban([u8; IBAN_CHARS]);

/// Why a string is not an Italian IBAN. Never quotes the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum IbanFault {
    /// It does not have 27 characters.
    #[error("an Italian IBAN has 27 characters")]
    Length,
    /// It does not begin with `IT`.
    #[error("the account is not held in Italy")]
    Country,
    /// It does not have letters and digits in the positions of an Italian IBAN.
    #[error("letters and digits are not in the positions of an Italian IBAN")]
    Shape,
    /// The two check digits do not match.
    #[error("the check digits do not match")]
    CheckDigits,
}

impl Iban {
    /// Parses an IBAN in its electronic form.
    ///
    /// # Errors
    ///
    /// The first [`IbanFault`] in the order of its variants: report it to the applicant.
    pub fn parse(text: &str) -> Result<Self, IbanFault> {
        let chars: [u8; IBAN_CHARS] = text.as_bytes().try_into().map_err(|_| IbanFault::Length)?;
        if !chars.starts_with(b"IT") {
            return Err(IbanFault::Country);
        }
        if !is_italian(&chars) {
            return Err(IbanFault::Shape);
        }
        // The crate checks only the remainder, which is the same for 99 and 02; ISO 13616 issues 02 to 98.
        let is_issued = !matches!(&chars[2..4], b"00" | b"01" | b"99");
        if !is_issued || text.parse::<BaseIban>().is_err() {
            return Err(IbanFault::CheckDigits);
        }
        Ok(Self(chars))
    }

    /// The 27 characters. Personal data: never for a log line, a metric or a URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_str();
        write!(f, "{}********************{}", &text[..4], &text[24..])
    }
}

/// Whether the country is followed by two check digits, a letter, ten digits for bank and branch, and twelve characters
/// for the account.
fn is_italian(chars: &[u8; IBAN_CHARS]) -> bool {
    let (head, account) = chars.split_at(15);
    head[2..4].iter().chain(&head[5..]).all(u8::is_ascii_digit)
        && head[4].is_ascii_uppercase()
        && account.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_fault_is_named() {
        use IbanFault::{CheckDigits, Country, Length, Shape};
        for (text, fault) in [
            ("", Length),
            ("IT60 X054 2811 1010 0000 0123 456", Length),
            ("GB82WEST12345698765432", Length),
            ("FR1420041010050500013M02606", Country),
            ("it60X0542811101000000123456", Country),
            ("IT60x0542811101000000123456", Shape),
            ("IT60X0542811101000000123 56", Shape),
            ("ITA0X0542811101000000123456", Shape),
            ("IT6AX0542811101000000123456", Shape),
            ("IT6000542811101000000123456", Shape),
            ("IT60XA542811101000000123456", Shape),
            ("IT60X054281110A000000123456", Shape),
            ("IT60X054281110100000012345a", Shape),
            ("IT60X0542811101000000123457", CheckDigits),
        ] {
            assert_eq!(Iban::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn debug_shows_both_ends_only() {
        let account = Iban::parse("IT60X0542811101000000123456").unwrap();
        assert_eq!(format!("{account:?}"), "IT60********************456");
    }

    #[test]
    fn the_bank_code_has_digits_only() {
        // Valid by mod 97, but with a letter where the bank's code stands.
        let letter_in_bank = (0..97)
            .map(|check| format!("IT{check:02}X05A2811101000000123456"))
            .find(|text| text.parse::<iban::BaseIban>().is_ok())
            .unwrap();
        assert_eq!(Iban::parse(&letter_in_bank), Err(IbanFault::Shape));
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn any_text_parses_to_itself_or_is_refused(text in "IT[0-9]{2}[A-Z][0-9]{22}|\\PC*") {
            if let Ok(account) = Iban::parse(&text) {
                prop_assert_eq!(account.as_str(), text);
            }
        }

        #[test]
        fn the_registry_of_formats_says_the_same(
            bank in "[0-9]{10}|[0-9A-Z]{10}", account in "[0-9A-Z]{12}", letter in "[A-Z]|[0-9A-Z]",
        ) {
            for check in 2..99 {
                let text = format!("IT{check:02}{letter}{bank}{account}");
                prop_assert_eq!(Iban::parse(&text).is_ok(), text.parse::<iban::Iban>().is_ok());
            }
        }
    }

    #[test]
    fn check_digits_that_are_never_given_out_are_refused() {
        assert!(Iban::parse("IT02X0546811301000000123456").is_ok());
        let same_remainder = Iban::parse("IT99X0546811301000000123456");
        assert_eq!(same_remainder, Err(IbanFault::CheckDigits));
    }
}
